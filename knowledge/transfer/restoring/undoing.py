"""Taking rows of a table back: those that were added go, those that were changed become what they were.

A row that somebody has changed since stays, and so do a tag and a code that entries have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from django.db.models import Model, Q
from django.utils.translation import gettext as _

from knowledge.models import ErrorCode, ImportedRow, Plugin, Tag
from knowledge.plugins import plugins_align
from knowledge.transfer.restoring.tables import VOTES, models_open
from knowledge.transfer.restoring.writing import PLUGIN_STATE, VoteChange, digests_now, votes_counted
from migrations_ops.archive import foreign_keys, present_parents, value_of

_USED = {Tag: Q(entrytag__isnull=False), ErrorCode: Q(entrycode__isnull=False) | Q(aliases__isnull=False)}
Keep = Callable[[ImportedRow, str], None]


def table_rows_undo(rows: list[ImportedRow], keep: Keep) -> None:
    """Take these rows of the journal back, in their order."""
    models = models_open()
    for table, group in groupby(rows, key=lambda row: row.table):
        if model := models.get(table):
            _undone(model, list(group), keep)
        else:
            for row in group:
                keep(row, _("the level of its table is closed"))


def _undone(model: type[Model], rows: list[ImportedRow], keep: Keep) -> None:
    by_key = {model._meta.pk.to_python(row.key): row for row in rows}
    list(model._base_manager.select_for_update().filter(pk__in=by_key).order_by("pk").values_list("pk"))
    digests = digests_now(model, by_key)
    left = {}
    for key, row in by_key.items():
        if key in digests and digests[key] != row.version:
            keep(row, _("changed since"))
        elif key in digests:
            left[key] = row
    added = {key: row for key, row in left.items() if "row" not in (row.before or {})}
    _used_kept(model, added, keep)
    if model._meta.db_table == VOTES:
        votes_counted(_votes(model, left))
    model._base_manager.filter(pk__in=added).delete()
    for key, row in left.items():
        if "row" in (row.before or {}):
            _restored(model, key, (row.before or {})["row"])
    if model is Plugin:
        plugins_align()


def _used_kept(model: type[Model], added: dict[Any, ImportedRow], keep: Keep) -> None:
    if model in _USED:
        used = model._base_manager.filter(_USED[model], pk__in=added).values_list("pk", flat=True).distinct()
        for key in list(used):
            keep(added.pop(key), _("entries or other names need it"))


def _votes(model: type[Model], left: dict[Any, ImportedRow]) -> Iterator[VoteChange]:
    """What the counters of entries lose, and what they had before."""
    counted = {key: row for key, row in left.items() if (row.before or {}).get("counted")}
    for key, entry, worked in model._base_manager.filter(pk__in=counted).values_list("pk", "entry_id", "worked"):
        yield entry, worked, -1
        if earlier := (counted[key].before or {}).get("row"):
            yield entry, earlier["worked"], 1


def _restored(model: type[Model], key: Any, before: dict[str, Any]) -> None:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    values = {name: value_of(fields[name], plain) for name, plain in before.items() if name in fields}
    values.pop(model._meta.pk.attname, None)
    if model is Plugin:
        values = {name: values[name] for name in PLUGIN_STATE}
    for column in foreign_keys(model):
        plain = before.get(column.attname)
        if column.null and plain is not None and str(plain) not in present_parents(column, {plain}):
            values[column.attname] = None
    model._base_manager.filter(pk=key).update(**values)
