"""Entries and other rows of an export, a batch at a time."""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import ForeignKey, Model, QuerySet

from knowledge.errors import ExportOptionError
from knowledge.labels import codes_by_entry
from knowledge.models import Category, Entry, EntryStatus, EntryTag, ErrorCode
from knowledge.transfer.exporting.growing import Growing
from knowledge.transfer.tables import DATED

BATCH_ROWS = 500
#: Columns of entries that are made from others.
_MADE = frozenset({"problem_html", "solution_html"})
_Rows = TypeVar("_Rows", bound=Model)
_KEYS = "keys"


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


@dataclass(frozen=True)
class Chunk:
    """Rows that follow each other, and the key of the last one; of entries also the entries themselves."""

    rows: list[dict[str, Any]]
    last: Any
    entries: list[Entry]


class Rows:
    """The rows of one table that an export holds, a query a chunk: nothing is held open in between.

    Other people write meanwhile, and a run that has stopped goes on in another transaction. So no row goes out
    whose entry, or code, is not in the same export: `keys` are those of the entries that went out before, and
    `codes_until` is the last code.
    """

    def __init__(
        self, model: type[Model], chosen: ExportFilter, keys: EntryKeys | None, codes_until: int | None
    ) -> None:
        self.model, self.chosen, self.keys, self.codes_until = model, chosen, keys, codes_until
        self.names = dict(User.objects.values_list("pk", "username"))
        made = _MADE if model is Entry else frozenset()
        self.columns = [one for one in model._meta.concrete_fields if one.name not in made]
        self.of_entry = [one for one in self.columns if one.related_model is Entry]
        self.of_code = [one for one in self.columns if one.related_model is ErrorCode]
        self.codes = dict(ErrorCode.objects.values_list("pk", "code")) if self.of_code else {}

    def chunks(self, after: Any) -> Iterator[Chunk]:
        """The rows behind a key, or all, by the chunk."""
        rows = self._wanted()
        # A bound that the database knows: PostgreSQL would put all rows behind a key aside for a cursor.
        while batch := list((rows.filter(pk__gt=after) if after is not None else rows)[:BATCH_ROWS]):
            after = batch[-1].pk
            if self.model is Entry:
                yield Chunk(self._entries(batch), after, batch)
            else:
                yield Chunk([self._row(one) for one in batch if self._whole(one)], after, [])

    def _wanted(self) -> QuerySet[Any]:
        if self.model is Entry:
            return self.chosen.entries()
        rows = self.model._default_manager.order_by("pk")
        if not self.chosen.everything and any(one.name == "entry" for one in self.columns):
            return rows.filter(entry__in=self.chosen.entries().order_by().values("pk"))
        moment = DATED.get(self.model._meta.db_table)
        return self.chosen.between(rows, moment) if moment else rows

    def _entries(self, batch: list[Entry]) -> list[dict[str, Any]]:
        """Entries: people by user name, tags and codes as lists."""
        keys = [entry.pk for entry in batch]
        tags, codes = _tags(keys), codes_by_entry(keys)
        return [{**self._row(entry), "tags": tags[entry.pk], "codes": codes[entry.pk]} for entry in batch]

    def _whole(self, one: Model) -> bool:
        """Whether what the row hangs on went out before it."""
        if self.keys is not None:
            for column in self.of_entry:
                key = getattr(one, column.attname)
                if not column.null and key not in self.keys:
                    return False
        if self.codes_until is not None:
            return all(getattr(one, column.attname) <= self.codes_until for column in self.of_code)
        return True

    def _row(self, one: Model) -> dict[str, Any]:
        row = {column.name: _value(one, column, self.names) for column in self.columns}
        for column in self.of_code:
            row[column.name] = self.codes.get(row[column.name])
        if self.keys is not None and self.chosen.everything:
            for column in self.of_entry:
                if column.null and row[column.name] is not None and row[column.name] not in self.keys:
                    row[column.name] = None
        return row


class EntryKeys:
    """The keys of the entries that went out, in their order, in a file of the work: 16 bytes each."""

    def __init__(self, work: Growing) -> None:
        self.work = work
        self.view: mmap.mmap | bytes = b""
        self.count = work.end(_KEYS) // 16

    def add(self, entries: Iterable[Entry]) -> None:
        """Entries that follow those before."""
        self.work.append(_KEYS, b"".join(entry.pk.bytes for entry in entries))

    def close(self) -> None:
        """Let go of the file."""
        if isinstance(self.view, mmap.mmap):
            self.view.close()
        self.view = b""

    def __contains__(self, key: UUID) -> bool:
        if not self.view:
            file = self.work.file(_KEYS)
            file.flush()
            self.count = self.work.end(_KEYS) // 16
            if not self.count:
                return False
            self.view = mmap.mmap(file.fileno(), self.count * 16, access=mmap.ACCESS_READ)
        wanted = key.bytes
        place = bisect_left(range(self.count), wanted, key=self._at)
        return place < self.count and self._at(place) == wanted

    def _at(self, place: int) -> bytes:
        return self.view[place * 16 : place * 16 + 16]


def _value(row: Model, column: Any, names: dict[int, str]) -> Any:
    value = getattr(row, column.attname)
    if isinstance(column, ForeignKey) and column.related_model is User:
        return names.get(value) if value is not None else None
    return value


def _tags(keys: Iterable[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = defaultdict(list)
    links = EntryTag.objects.filter(entry__in=list(keys)).order_by("tag__name")
    for entry, name in links.values_list("entry", "tag__name"):
        found[entry].append(name)
    return found
