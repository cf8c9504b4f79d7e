"""The archive: a JSONL file a table, and a manifest with counts and sha256."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from django.utils import timezone

from knowledge.models import Entry
from knowledge.transfer.exporting.rows import ExportFilter, Heartbeat, entry_rows, table_rows
from knowledge.transfer.reading.archive_rows import KIND, MANIFEST, SCHEMA
from knowledge.transfer.tables import Section, models_of
from migrations_ops.archive import line_of
from migrations_ops.gate import site_level


def archive_write(file: Any, sections: Iterable[Section], chosen: ExportFilter, heartbeat: Heartbeat) -> dict[str, int]:
    """Write an archive to a file opened for bytes; rows by table."""
    tables: dict[str, dict[str, Any]] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for section in sections:
            for model in models_of(section):
                table = model._meta.db_table
                with archive.open(f"tables/{table}.jsonl", "w", force_zip64=True) as member:
                    digest, rows = hashlib.sha256(), 0
                    for row in _rows(model, chosen, heartbeat):
                        line = _line(row)
                        digest.update(line)
                        member.write(line)
                        rows += 1
                tables[table] = {"section": section.value, "rows": rows, "sha256": digest.hexdigest()}
        manifest = {
            "kind": KIND,
            "schema": SCHEMA,
            "level": site_level(),
            "made_at": timezone.now().isoformat(timespec="seconds"),
            "everything": chosen.everything,
            "tables": tables,
        }
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
    return {table: facts["rows"] for table, facts in tables.items()}


def _rows(model: Any, chosen: ExportFilter, heartbeat: Heartbeat) -> Iterator[dict[str, Any]]:
    if model is Entry:
        return (row for _entry, row in entry_rows(chosen, heartbeat))
    return table_rows(model, chosen, heartbeat)


def _line(row: dict[str, Any]) -> bytes:
    """An object on a line, values as in a checkpoint."""
    return line_of([row])[1:-2] + b"\n"
