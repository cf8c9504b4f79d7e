"""Rows of an archive that a knowledge base has exported: a JSONL file a table, and a manifest."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from knowledge.errors import ImportTooLargeError, ImportUnreadableError
from knowledge.transfer.limits import Limits, bounded
from knowledge.transfer.reading.rows import ENTRIES, SourceRow
from knowledge.transfer.tables import EXPORTED, Section

MANIFEST = "manifest.json"
#: Of the manifest; another number is another format.
SCHEMA = 1
KIND = "knowledge-base-export"
_MANIFEST_BYTES = 4 * 1024 * 1024


#: What zipfile raises for members that are broken, missing, encrypted or packed in a way that it does not know.
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, KeyError, EOFError, OSError, RuntimeError)


def archive_is_ours(names: set[str]) -> bool:
    """Whether a ZIP file with these members may be an export."""
    return MANIFEST in names and any(name.startswith("tables/") for name in names)


def archive_manifest_read(path: Path) -> dict[str, Any]:
    """The manifest of an export. Raises ImportUnreadableError."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(MANIFEST) as member:
            manifest = json.loads(member.read(_MANIFEST_BYTES))
    except (*_DAMAGED, ValueError, RecursionError) as error:
        raise ImportUnreadableError(format="an archive", reason="its manifest cannot be read.") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND or not isinstance(manifest.get("tables"), dict):
        raise ImportUnreadableError(
            format="an archive",
            reason="it is no export of a knowledge base. A checkpoint is restored in the console, not imported.",
        )
    if (schema := manifest.get("schema")) != SCHEMA:
        newer = isinstance(schema, int) and schema > SCHEMA
        reason = f"it has schema {schema!r}, and this release reads {SCHEMA}."
        reason += " It comes from a newer release: bring this site up to date first." if newer else ""
        raise ImportUnreadableError(format="an archive", reason=reason)
    return manifest


def archive_rows(path: Path, limits: Limits) -> Iterator[SourceRow]:
    """The rows of every table, those first that others name; the section of a row is its table.

    Raises ImportUnreadableError, at the end of a table also when it is not what the manifest says.
    """
    manifest = archive_manifest_read(path)
    try:
        with zipfile.ZipFile(path) as archive:
            bounded(sum(item.file_size for item in archive.infolist()), limits.unpacked_bytes, "bytes unpacked")
            for table, facts in sorted(manifest["tables"].items(), key=_order):
                yield from _table(archive, str(table), facts if isinstance(facts, dict) else {}, limits)
    except _DAMAGED as error:
        raise ImportUnreadableError(format="an archive", reason=f"it is damaged or cut off ({error}).") from error


def _order(table: tuple[str, Any]) -> int:
    """Words before entries, entries before what hangs on them; tables that nobody knows last."""
    known = [*EXPORTED[Section.VOCABULARY], *(name for names in EXPORTED.values() for name in names)]
    return known.index(table[0]) if table[0] in known else len(known)


def _table(archive: zipfile.ZipFile, table: str, facts: dict[str, Any], limits: Limits) -> Iterator[SourceRow]:
    section = ENTRIES if table == "kb_entries" else table
    digest, number = hashlib.sha256(), 0
    with archive.open(f"tables/{table}.jsonl") as member:
        reader = io.BufferedReader(cast("io.RawIOBase", member))
        while line := reader.readline(limits.row_chars * 4):
            number += 1
            digest.update(line)
            yield SourceRow(number, section, _object(table, number, line))
    if facts.get("rows") != number or facts.get("sha256") != digest.hexdigest():
        raise ImportUnreadableError(format="an archive", reason=f"{table} is not what its manifest says.")


def _object(table: str, number: int, line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise ImportTooLargeError(found=f"a line of {table} that is too long or cut off", most="whole lines")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = f"line {number:,} of {table} is no JSON."
        raise ImportUnreadableError(format="an archive", reason=reason) from error
    if not isinstance(value, dict):
        raise ImportUnreadableError(format="an archive", reason=f"line {number:,} of {table} is no object.")
    return value
