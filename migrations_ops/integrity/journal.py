"""Keeps what a cleanup changes: every row before and after, in the transaction of the change.

A unit is what belongs together: its rows are put back together or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db.models import CASCADE, Model, QuerySet
from django.db.models.fields.reverse_related import ForeignObjectRel

from migrations_ops.archive import columns_of, line_of
from migrations_ops.gate import phase_cascade, table_exists
from migrations_ops.models import CleanupRecord, CleanupRow
from migrations_ops.phase import phases

Rows = QuerySet[Any]
#: Key of a row as text, and the values of all columns in their form in an archive.
Snapshot = dict[str, list[Any]]
ROWS_PER_INSERT = 200


@dataclass
class Work:
    """What a cleanup gets: its options, its journal, and a heartbeat for long searching."""

    record: CleanupRecord
    heartbeat: Callable[[], None] = lambda: None

    @property
    def options(self) -> Mapping[str, int]:
        """The values that were chosen."""
        return dict(self.record.options)

    @contextmanager
    def unit(self, *scopes: Rows) -> Iterator[None]:
        """Journal what the block does to these rows, parents first; new rows that fit a scope count too."""
        before = [rows_now(scope) for scope in scopes]
        yield
        unit, found = self.record.units + 1, []
        for scope, old in zip(scopes, before, strict=True):
            new = _rows_after(scope, old)
            found += [(scope.model, key, old.get(key), new.get(key)) for key in {**old, **new}]
        changed = [one for one in found if one[2] != one[3]]
        CleanupRow.objects.bulk_create(
            [
                CleanupRow(cleanup=self.record, unit=unit, table=model._meta.db_table, key=key, before=was, after=now)
                for model, key, was, now in changed
            ],
            batch_size=ROWS_PER_INSERT,
        )
        if changed:
            self.record.units = unit
            self.record.rows_changed += len(changed)

    def remove(self, rows: Rows) -> int:
        """Delete these rows, few enough for one batch, with what goes with them; the number of the rows."""
        keys = list(rows.values_list("pk", flat=True))
        chosen = rows.model._base_manager.filter(pk__in=keys)
        with self.unit(chosen, *dependants(chosen), *loosened(chosen)):
            chosen.delete()
        return len(keys)


def rows_now(rows: Rows) -> Snapshot:
    """These rows as they are, by key."""
    columns = columns_of(rows.model)
    at = columns.index(rows.model._meta.pk.attname)
    found = (json.loads(line_of(values)) for values in rows.order_by("pk").values_list(*columns))
    return {str(values[at]): values for values in found}


def _rows_after(scope: Rows, before: Snapshot) -> Snapshot:
    """The rows of a scope now, and those that were in it before wherever they are now."""
    found = rows_now(scope)
    missing = [key for key in before if key not in found]
    return {**rows_now(scope.model._base_manager.filter(pk__in=missing)), **found} if missing else found


def dependants(rows: Rows) -> list[Rows]:
    """The rows that go when these do, nearest first; of tables that exist and are kept in checkpoints."""
    found: list[Rows] = []
    keys = list(rows.values_list("pk", flat=True))
    for relation in _relations(rows.model):
        if relation.on_delete in {CASCADE, phase_cascade}:
            own = _pointing(relation, keys)
            found += [own, *dependants(own)]
    return found


def loosened(rows: Rows) -> list[Rows]:
    """The rows that lose their reference when these rows go."""
    keys = list(rows.values_list("pk", flat=True))
    return [
        _pointing(relation, keys)
        for relation in _relations(rows.model)
        if relation.on_delete not in {CASCADE, phase_cascade}
    ]


def _pointing(relation: ForeignObjectRel, keys: Iterable[Any]) -> Rows:
    model: type[Model] = relation.related_model
    return model._base_manager.filter(**{f"{relation.field.name}__in": list(keys)})


def _relations(model: type[Model]) -> Iterator[Any]:
    """Foreign keys that point to a model, from tables that exist and hold no derived rows."""
    derived = {f"{phase.app_label}.{name}" for phase in phases() for name in phase.derived_models}
    for relation in model._meta.get_fields(include_hidden=True):
        if not isinstance(relation, ForeignObjectRel) or relation.many_to_many:
            continue
        child = relation.related_model
        if child._meta.label in derived or child._meta.proxy:
            continue
        if table_exists(child._meta.db_table):
            yield relation
