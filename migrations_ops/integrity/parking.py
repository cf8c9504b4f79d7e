"""The file of rows that a cleanup has changed: JSONL with a sha256, kept until it can no longer be undone.

A line is `[unit, table, key, before, after]`, in the order of the changes; units count from 1 without a gap.
The first line names the columns of each table.
"""

from __future__ import annotations

import json
import os
import uuid
from array import array
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction

from migrations_ops.archive import columns_of, file_sha256, line_of, sync_folder
from migrations_ops.errors import CleanupDamagedError
from migrations_ops.integrity.tables import models_known
from migrations_ops.models import CleanupRecord, CleanupRow, CleanupState

ROWS_PER_FETCH = 500
#: Units that are undone in one batch: these bytes of the file, or one unit.
BATCH_BYTES = 512 * 1024
#: The same while the rows are still in the database.
BATCH_UNITS = 20


Values = list[Any] | None


class ChangedRow(NamedTuple):
    """One row that a cleanup has changed."""

    unit: int
    table: str
    key: str
    before: Values
    after: Values


class ParkedUnits(NamedTuple):
    """Units that are undone in one batch, the last one first, and how many are left before them."""

    units: list[list[ChangedRow]]
    left: int


def _file_name(record: CleanupRecord) -> str:
    return f"cleanup-{record.pk}.jsonl"


def parked_path(record: CleanupRecord) -> Path:
    """Where the file of a cleanup lies."""
    return Path(settings.OPS_CLEANUP_DIR) / record.file_name


def rows_park(record: CleanupRecord, heartbeat: Callable[[], None] = lambda: None) -> None:
    """Move the journal of a finished cleanup from the database into its file; safe to call again.

    The file is complete and its sha256 committed before the first row leaves the database. An undo that began
    meanwhile keeps the rows where it reads them.
    """
    if not record.rows.exists():
        return
    if not record.sha256:
        folder = Path(settings.OPS_CLEANUP_DIR)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        record.file_name = _file_name(record)
        temporary = folder / f"{record.file_name}.{uuid.uuid4().hex}.part"
        try:
            _write(record, temporary, heartbeat)
            record.sha256, record.size_bytes = file_sha256(temporary), temporary.stat().st_size
            temporary.replace(parked_path(record))
            sync_folder(folder)
        finally:
            temporary.unlink(missing_ok=True)
        facts = {name: getattr(record, name) for name in ("file_name", "sha256", "size_bytes")}
        if not CleanupRecord.objects.filter(pk=record.pk, state=CleanupState.DONE).update(**facts):
            written = parked_path(record)
            record.refresh_from_db()
            if not record.sha256:
                written.unlink(missing_ok=True)
            return
    while rows := list(record.rows.values_list("pk", flat=True)[:ROWS_PER_FETCH]):
        with transaction.atomic():
            CleanupRow.objects.filter(pk__in=rows).delete()
        heartbeat()


def _write(record: CleanupRecord, path: Path, heartbeat: Callable[[], None]) -> None:
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(
            json.dumps(
                {
                    "cleanup": record.pk,
                    "name": record.name,
                    "columns": {model._meta.db_table: columns_of(model) for model in models_known()},
                }
            )
            + "\n"
        )
        rows = record.rows.order_by("pk").values_list("unit", "table", "key", "before", "after")
        for number, row in enumerate(rows.iterator(chunk_size=ROWS_PER_FETCH)):
            file.write(json.dumps(list(row), ensure_ascii=False, separators=(",", ":")) + "\n")
            if number % ROWS_PER_FETCH == 0:
                heartbeat()
        file.flush()
        os.fsync(file.fileno())


def parked_check(record: CleanupRecord) -> None:
    """Raise CleanupDamagedError unless the parked rows are all there."""
    if not record.sha256:
        return
    path = parked_path(record)
    if not path.exists():
        raise CleanupDamagedError(number=record.pk, damage="the file is gone", file=path.name)
    if file_sha256(path) != record.sha256:
        raise CleanupDamagedError(number=record.pk, damage="its sha256 is not the recorded one", file=path.name)


def parked_units(record: CleanupRecord, left: int) -> Iterator[ParkedUnits]:
    """The first `left` units in batches, the last ones first."""
    if record.sha256:
        yield from _from_file(record, left)
    else:
        yield from _from_database(record, left)


class _Columns:
    """Gives rows the columns that their tables have now: a later release may have added or dropped some."""

    def __init__(self, then: dict[str, list[str]]) -> None:
        self.then = then
        self.fields = {model._meta.db_table: model._meta.concrete_fields for model in models_known()}

    def row(self, unit: int, table: str, key: str, before: Values, after: Values) -> ChangedRow:
        """The row as the tables are now."""
        return ChangedRow(unit, table, key, self._values(table, before), self._values(table, after))

    def _values(self, table: str, values: Values) -> Values:
        fields = self.fields.get(table)
        if values is None or fields is None or self.then[table] == [field.attname for field in fields]:
            return values
        then = dict(zip(self.then[table], values, strict=True))
        missing = [field for field in fields if field.attname not in then]
        then |= {field.attname: json.loads(line_of([field.get_default()]))[0] for field in missing}
        return [then[field.attname] for field in fields]


def _from_database(record: CleanupRecord, left: int) -> Iterator[ParkedUnits]:
    while left > 0:
        below = max(0, left - BATCH_UNITS)
        rows = record.rows.filter(unit__gt=below, unit__lte=left).order_by("pk")
        found = [ChangedRow(*row) for row in rows.values_list("unit", "table", "key", "before", "after")]
        yield ParkedUnits(_units(found), below)
        left = below


def _from_file(record: CleanupRecord, left: int) -> Iterator[ParkedUnits]:
    with parked_path(record).open("rb") as file:
        as_now = _Columns(json.loads(file.readline())["columns"])
        file.seek(0)
        starts = _starts(file)
        while left > 0:
            below = left - 1
            while below > 0 and starts[left] - starts[below - 1] <= BATCH_BYTES:
                below -= 1
            file.seek(starts[below])
            found = [as_now.row(*json.loads(line)) for line in file.read(starts[left] - starts[below]).splitlines()]
            yield ParkedUnits(_units(found), below)
            left = below


def _starts(file: Any) -> array[int]:
    """Where each unit begins, by its number minus one, and where the last one ends; 8 bytes a unit."""
    starts, last = array("Q"), 0
    offset = len(file.readline())
    for line in file:
        unit = int(line[1 : line.index(b",")])
        if unit != last:
            starts.append(offset)
            last = unit
        offset += len(line)
    starts.append(offset)
    return starts


def _units(rows: list[ChangedRow]) -> list[list[ChangedRow]]:
    grouped = [list(group) for _unit, group in groupby(rows, key=lambda row: row.unit)]
    return grouped[::-1]


def parked_discard(record: CleanupRecord) -> None:
    """Remove what is kept of a cleanup, file and rows."""
    (Path(settings.OPS_CLEANUP_DIR) / _file_name(record)).unlink(missing_ok=True)
    while rows := list(record.rows.values_list("pk", flat=True)[:ROWS_PER_FETCH]):
        CleanupRow.objects.filter(pk__in=rows).delete()
