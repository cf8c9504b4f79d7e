"""Entries and other rows of an export, a batch at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import ForeignKey, Model, QuerySet

from knowledge.errors import ExportOptionError
from knowledge.labels import codes_by_entry
from knowledge.models import Category, Entry, EntryStatus, EntryTag, ErrorCode
from knowledge.transfer.tables import DATED

BATCH_ROWS = 500
#: Columns of entries that are made from others.
_MADE = frozenset({"problem_html", "solution_html"})
_Rows = TypeVar("_Rows", bound=Model)
#: Told of the rows of each batch.
Heartbeat = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class ExportFilter:
    """Which entries an export holds; an empty field asks for nothing."""

    categories: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    #: Changed at this time or later, and before that one; searches and figures: made or last seen.
    since: datetime | None = None
    until: datetime | None = None
    #: Exactly these, of a search result, say.
    ids: tuple[UUID, ...] | None = None

    def __post_init__(self) -> None:
        for name, known in (("categories", Category.values), ("statuses", EntryStatus.values)):
            if wrong := set(getattr(self, name)) - set(known):
                reason = f"{', '.join(sorted(wrong))} is unknown; there are {', '.join(known)}."
                raise ExportOptionError(reason=reason)

    def entries(self) -> QuerySet[Entry]:
        """The entries, in the order of their keys."""
        found = Entry.objects.order_by("pk")
        if self.categories:
            found = found.filter(category__in=self.categories)
        if self.statuses:
            found = found.filter(status__in=self.statuses)
        if self.tags:
            wanted = EntryTag.objects.filter(tag__name__in=[name.lower() for name in self.tags])
            found = found.filter(pk__in=wanted.values("entry"))
        found = self.between(found, "updated_at")
        return found if self.ids is None else found.filter(pk__in=self.ids)

    def between(self, rows: QuerySet[_Rows], moment: str) -> QuerySet[_Rows]:
        """The rows whose column `moment` lies in the time that was asked for."""
        if self.since:
            rows = rows.filter(**{f"{moment}__gte": self.since})
        return rows.filter(**{f"{moment}__lt": self.until}) if self.until else rows

    @property
    def everything(self) -> bool:
        """Whether no entry is left out."""
        return all(getattr(self, one.name) == one.default for one in fields(self))


def batches(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """Rows by the batch, each a query of its own that begins after the last key: nothing is held open."""
    after = None
    while batch := list(islice((rows.filter(pk__gt=after) if after is not None else rows).iterator(), BATCH_ROWS)):
        yield batch
        after = batch[-1].pk


def entry_rows(chosen: ExportFilter, heartbeat: Heartbeat) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Every chosen entry with its row: columns by name, people by user name, tags and codes as lists."""
    names = _user_names()
    columns = [one for one in Entry._meta.concrete_fields if one.name not in _MADE]
    for batch in batches(chosen.entries()):
        keys = [entry.pk for entry in batch]
        tags, codes = _tags(keys), codes_by_entry(keys)
        for entry in batch:
            row = {one.name: _value(entry, one, names) for one in columns}
            yield entry, {**row, "tags": tags[entry.pk], "codes": codes[entry.pk]}
        heartbeat(len(batch))


def table_rows(model: type[Model], chosen: ExportFilter, heartbeat: Heartbeat) -> Iterator[dict[str, Any]]:
    """Every row of another table; of tables of entries, those of the chosen entries."""
    names = _user_names()
    rows = model._default_manager.order_by("pk")
    columns = list(model._meta.concrete_fields)
    if not chosen.everything and any(one.name == "entry" for one in columns):
        rows = rows.filter(entry__in=chosen.entries().order_by().values("pk"))
    elif moment := DATED.get(model._meta.db_table):
        rows = chosen.between(rows, moment)
    codes = _codes() if any(one.related_model is ErrorCode for one in columns) else {}
    for batch in batches(rows):
        for one in batch:
            row = {column.name: _value(one, column, names) for column in columns}
            if "error_code" in row:
                row["error_code"] = codes.get(row["error_code"])
            yield row
        heartbeat(len(batch))


def _value(row: Model, column: Any, names: dict[int, str]) -> Any:
    value = getattr(row, column.attname)
    if isinstance(column, ForeignKey) and column.related_model is User:
        return names.get(value) if value is not None else None
    return value


def _user_names() -> dict[int, str]:
    return dict(User.objects.values_list("pk", "username"))


def _codes() -> dict[int, str]:
    return dict(ErrorCode.objects.values_list("pk", "code"))


def _tags(keys: Iterable[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = defaultdict(list)
    links = EntryTag.objects.filter(entry__in=list(keys)).order_by("tag__name")
    for entry, name in links.values_list("entry", "tag__name"):
        found[entry].append(name)
    return found
