"""Writing rows of a table by the hundred, with their journal, in the transaction of the caller.

A new row keeps its number where every number of the table is below it, so that an empty site becomes what the
other one was; elsewhere it gets a number of this site. No exported table names another one by such a number.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import AutoField, F, Max, Model
from django.db.models.functions import Greatest

from knowledge.models import Entry, Import, Plugin
from knowledge.plugins import plugins_align
from knowledge.search import index_update
from knowledge.transfer.judging import Verdict
from knowledge.transfer.restoring.judging import TableRow, mark_of
from knowledge.transfer.restoring.tables import KNOWN, VOTES
from knowledge.transfer.seen import Seen
from knowledge.transfer.writing import Journaled, journal_write
from migrations_ops.archive import columns_of, line_of

#: What people choose of a plugin; the rest of its row changes whenever it runs.
PLUGIN_STATE = ("enabled", "configuration")
_INSERTED_TOGETHER = 200
_NUMBER_MOST = 2**53
#: Entry, whether it worked, and how many votes more or fewer.
VoteChange = tuple[UUID, bool, int]


def table_rows_write(job: Import, rows: list[TableRow], seen: Seen) -> None:
    """Add and change rows of one table, and journal both."""
    new = [row for row in rows if row.verdict == Verdict.NEW]
    changed = [row for row in rows if row.verdict == Verdict.CHANGED]
    if not new and not changed:
        return
    model = rows[0].model
    keys = [*_added(model, new), *(_changed(model, row) for row in changed)]
    digests = digests_now(model, keys)
    journal_write(job, [_journaled(row, key, digests) for row, key in zip([*new, *changed], keys, strict=True)])
    if model._meta.db_table == VOTES:
        votes_counted(_votes([*new, *changed]))
    if model is Plugin:
        plugins_align()
    if not KNOWN[model._meta.db_table].once:
        places = [row.spooled.place for row in new]
        seen.make((mark_of(model, key), place) for key, place in zip(keys, places, strict=False))


def digests_now(model: type[Model], keys: Iterable[Any]) -> dict[Any, int]:
    """A number for each of these rows that another content changes, by key."""
    columns = PLUGIN_STATE if model is Plugin else columns_of(model)
    rows = model._base_manager.filter(pk__in=list(keys)).values_list("pk", *columns)
    return {key: zlib.crc32(line_of(values)) & 0x7FFFFFFF for key, *values in rows}


def votes_counted(changes: Iterable[VoteChange]) -> None:
    """Change the counters of entries by votes that have come or gone."""
    sums: dict[tuple[UUID, bool], int] = defaultdict(int)
    for entry, worked, count in changes:
        sums[entry, worked] += count
    for (entry, worked), count in sorted(sums.items()):
        name = "success_count" if worked else "failure_count"
        Entry.objects.filter(pk=entry).update(**{name: Greatest(F(name) + count, 0)})
    index_update(sorted({entry for entry, _worked in sums}))


def _votes(rows: list[TableRow]) -> Iterable[VoteChange]:
    """An entry of the same file has its counters; one that was here gets those that come."""
    for row in rows:
        if row.fresh:
            continue
        yield row.values["entry_id"], row.values["worked"], 1
        if row.before is not None:
            yield row.values["entry_id"], row.before["worked"], -1


def _added(model: type[Model], rows: list[TableRow]) -> list[Any]:
    """Insert rows; their keys."""
    key = model._meta.pk.attname
    kept = _numbers_kept(model, rows) if isinstance(model._meta.pk, AutoField) else None
    objects = []
    for row in rows:
        values = dict(row.values)
        if kept is not None and values.get(key) not in kept:
            values.pop(key, None)
        objects.append(model(**values))
    # Rows without a number come after those with one, so that they never take theirs.
    ordered = sorted(objects, key=lambda one: one.pk is None)
    made = model._base_manager.bulk_create(ordered, batch_size=_INSERTED_TOGETHER)
    keys = {id(one): one.pk for one in made}
    return [keys[id(one)] for one in objects]


def _numbers_kept(model: type[Model], rows: list[TableRow]) -> set[int]:
    """The numbers of new rows that they keep; the sequence is moved behind them first."""
    name = model._meta.pk.attname
    highest = model._base_manager.aggregate(highest=Max("pk"))["highest"]
    floor = highest or 0
    if highest is not None and connection.vendor == "postgresql":
        floor = max(floor, _sequence(model))
    wanted = [row.values[name] for row in rows if isinstance(row.values.get(name), int)]
    kept = {number for number in wanted if floor < number <= _NUMBER_MOST}
    if kept and connection.vendor == "postgresql":
        _sequence(model, to=max(kept))
    return kept


def _sequence(model: type[Model], to: int | None = None) -> int:
    """The last number that the sequence of a table gave, after it was set."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [model._meta.db_table, model._meta.pk.column])
        name = cursor.fetchone()[0]
        if to is not None:
            cursor.execute("SELECT setval(%s, %s)", [name, to])
        cursor.execute(f"SELECT last_value FROM {name}")
        return int(cursor.fetchone()[0])


def _changed(model: type[Model], row: TableRow) -> Any:
    """Change a row; its key."""
    if row.before is None:
        raise TypeError("the row is new")
    pk = model._meta.pk
    values = {name: value for name, value in row.values.items() if name != pk.attname}
    key = pk.to_python(row.before[pk.attname])
    model._base_manager.filter(pk=key).update(**values)
    return key


def _journaled(row: TableRow, key: Any, digests: dict[Any, int]) -> Journaled:
    table = row.model._meta.db_table
    before: dict[str, Any] | None = {"row": row.before} if row.before is not None else None
    if table == VOTES and not row.fresh:
        before = {**(before or {}), "counted": True}
    return Journaled(table, str(key), row.spooled.row.number, digests.get(key), before)
