"""Putting back what a cleanup has changed, unit by unit, the last one first.

A unit whose rows somebody has changed since stays as it is and is listed, and so does one whose parents
are gone or whose place is taken.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from migrations_ops.archive import (
    columns_of,
    foreign_keys,
    line_of,
    present_parents,
    rows_insert,
    rows_with_parents,
    value_of,
)
from migrations_ops.integrity.cleanup import Cleanup
from migrations_ops.integrity.journal import rows_now
from migrations_ops.integrity.parking import ChangedRow, parked_units
from migrations_ops.integrity.tables import models_known
from migrations_ops.models import CleanupRecord
from migrations_ops.steps.base import Batch, Cursor

#: Things that an undo has left, which are listed one by one.
KEPT_LISTED = 200


class _Refused(Exception):  # noqa: N818 - not an error: the unit stays as it is
    """Why a unit stays as it is."""


def cleanup_revert(record: CleanupRecord, cleanup: Cleanup, cursor: Cursor) -> Iterator[Batch]:
    """Undo what a cleanup did, finished or not; a generator like that of a step."""
    left = record.units if cursor is None else cursor["left"]
    there = {model._meta.db_table for model in models_known()}
    for parked in parked_units(record, left):
        touched: dict[str, set[str]] = defaultdict(set)
        for unit in parked.units:
            if present := _of_tables(record, unit, there):
                _unit_undone(record, cleanup, present, touched)
        cleanup.after_undo(touched)
        yield Batch({"left": parked.left}, len(parked.units))


def _unit_undone(record: CleanupRecord, cleanup: Cleanup, unit: list[ChangedRow], touched: dict[str, set[str]]) -> None:
    if all(row.after is None for row in unit):
        _loose_back(record, unit)
    else:
        try:
            with transaction.atomic():
                _bound_back(cleanup, unit)
        except (_Refused, IntegrityError) as refused:
            reason = str(refused) if isinstance(refused, _Refused) else _("its place is taken")
            _keep(record, unit[0], reason, len(unit))
            return
    for row in unit:
        touched[row.table].add(row.key)


def _of_tables(record: CleanupRecord, unit: list[ChangedRow], there: set[str]) -> list[ChangedRow]:
    """The rows whose tables are open; those of a level that was closed since stay in the file."""
    for table, rows in _by_table(unit).items():
        if table not in there:
            _keep(record, rows[0], _("the level of its table is closed"), len(rows))
    return [row for row in unit if row.table in there]


def _keep(record: CleanupRecord, row: ChangedRow, reason: str, rows: int) -> None:
    record.kept_count += rows
    if len(record.kept) < KEPT_LISTED:
        record.kept.append({"table": row.table, "key": row.key, "rows": rows, "reason": reason})


def _model(table: str) -> type[Model]:
    return next(model for model in models_known() if model._meta.db_table == table)


# Rows that were only removed: each comes back for itself -----------------------------------------


def _loose_back(record: CleanupRecord, unit: list[ChangedRow]) -> None:
    for table, rows in _by_table(unit).items():
        model = _model(table)
        there = {
            str(key) for key in model._base_manager.filter(pk__in=[r.key for r in rows]).values_list("pk", flat=True)
        }
        missing = [row for row in rows if row.key not in there]
        columns, kept = columns_of(model), []
        for row in missing:
            kept += rows_with_parents(model, [row.before or []], columns)
        if len(kept) < len(missing):
            _keep(record, missing[0], _("what it belongs to is gone"), len(missing) - len(kept))
        _inserted(record, model, kept, columns)


def _inserted(record: CleanupRecord, model: type[Model], rows: list[list[Any]], columns: list[str]) -> None:
    try:
        with transaction.atomic():
            rows_insert(model, rows, columns)
    except IntegrityError:
        if len(rows) == 1:
            at = columns.index(model._meta.pk.attname)
            row = ChangedRow(0, model._meta.db_table, str(rows[0][at]), None, None)
            _keep(record, row, _("its place is taken"), 1)
            return
        for one in rows:
            _inserted(record, model, [one], columns)


# Rows that belong together: all or none ---------------------------------------------------------


def _bound_back(cleanup: Cleanup, unit: list[ChangedRow]) -> None:
    """Take away what was added, children first; then table by table, parents first: change back, put back."""
    tables = _by_table(unit)
    for table, rows in tables.items():
        _untouched(_model(table), [row for row in rows if row.after is not None], cleanup.drifting)
    for table in reversed(tables):
        added = [row.key for row in tables[table] if row.before is None]
        _model(table)._base_manager.filter(pk__in=added).delete()
    for table, rows in tables.items():
        model = _model(table)
        for row in rows:
            if row.before is not None and row.after is not None:
                _change_back(model, row, cleanup.drifting)
        _put_back(model, [row for row in rows if row.after is None and row.before is not None])


def _by_table(unit: Iterable[ChangedRow]) -> dict[str, list[ChangedRow]]:
    tables: dict[str, list[ChangedRow]] = {}
    for row in unit:
        tables.setdefault(row.table, []).append(row)
    return tables


def _untouched(model: type[Model], rows: list[ChangedRow], drifting: frozenset[str]) -> None:
    """Raise unless what the cleanup has written is as it has left it, counters aside."""
    now = rows_now(model._base_manager.filter(pk__in=[row.key for row in rows]))
    columns, table = columns_of(model), model._meta.db_table
    for row in rows:
        found = now.get(row.key)
        if found is None:
            raise _Refused(_("somebody has removed it since"))
        values = zip(columns, row.before or [None] * len(columns), row.after or [], found, strict=True)
        for name, before, after, current in values:
            written = row.before is None or before != after
            if written and current != after and f"{table}.{name}" not in drifting:
                raise _Refused(_("changed since"))


def _put_back(model: type[Model], rows: list[ChangedRow]) -> None:
    columns = columns_of(model)
    kept = rows_with_parents(model, [row.before or [] for row in rows], columns)
    if len(kept) < len(rows):
        raise _Refused(_("what it belongs to is gone"))
    rows_insert(model, kept, columns)


def _change_back(model: type[Model], row: ChangedRow, drifting: frozenset[str]) -> None:
    columns, table = columns_of(model), model._meta.db_table
    before, after = dict(zip(columns, row.before or [], strict=True)), dict(zip(columns, row.after or [], strict=True))
    fields = {field.attname: field for field in model._meta.concrete_fields}
    changed = {name for name in columns if before[name] != after[name]}
    moved = {name for name in changed if f"{table}.{name}" in drifting}
    rows = model._base_manager.filter(pk=row.key)
    values = {name: value_of(fields[name], before[name]) for name in changed - moved}
    if moved:
        current = json.loads(line_of(rows.values_list(*sorted(moved)).get()))
        values |= {
            name: value_of(fields[name], _drifted(before[name], after[name], now))
            for name, now in zip(sorted(moved), current, strict=True)
        }
    _parents_there(model, values)
    rows.update(**values)


def _drifted(before: Any, after: Any, now: Any) -> Any:
    """A counter without what the cleanup has added; of anything else what is newer."""
    if isinstance(now, int) and isinstance(after, int) and isinstance(before, int):
        return max(0, now - after + before)
    return before if now == after else now


def _parents_there(model: type[Model], values: dict[str, Any]) -> None:
    for key in foreign_keys(model):
        value = values.get(key.attname)
        if value is not None and not present_parents(key, {value}):
            if not key.null:
                raise _Refused(_("what it belongs to is gone"))
            values[key.attname] = None
