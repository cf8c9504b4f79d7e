"""Taking an import back: what it added goes, what it changed becomes what it was.

An entry that somebody has edited since stays as it is, and so does one that it added and people have voted
on, reported, marked or merged into: it is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Model
from django.utils.translation import gettext as _

from knowledge.models import (
    Entry,
    EntryAddress,
    EntryCode,
    EntryFlag,
    EntryMark,
    EntryReview,
    EntryRevision,
    EntryTag,
    ErrorCode,
    Feedback,
    Import,
    ImportedRow,
    PromotedResult,
    Tag,
    Validation,
)
from knowledge.search import index_forget, index_update
from knowledge.transfer.restoring.undoing import table_rows_undo
from knowledge.transfer.tables import EXPORTED, Section
from knowledge.transfer.writing import CHANGED_COLUMNS, insert
from migrations_ops.archive import columns_of, value_of
from migrations_ops.steps.base import Batch

BATCH_ROWS = 500
_ENTRIES = Entry._meta.db_table
#: What entries name. Rows of an archive have a version in the journal; labels that were made for entries have none.
_WORDS = frozenset(EXPORTED[Section.VOCABULARY])


def import_undo(
    job: Import, cursor: dict[str, Any] | None, heartbeat: Callable[[], None] = lambda: None
) -> Iterator[Batch]:
    """Take back what an import did, last rows first.

    Rows that hang on entries go before them, labels that the import made and nothing has any more after them.
    """
    below = (cursor or {}).get("below")
    while rows := _next(job, below):
        entries = [row for row in rows if row.table == _ENTRIES]
        words = [row for row in rows if row.table in _WORDS]
        table_rows_undo([row for row in rows if row.table != _ENTRIES and row.table not in _WORDS], _keep)
        with_version = _locked(entries)
        _added_removed([row for row in entries if row.before is None], with_version)
        _changed_restored([row for row in entries if row.before is not None], with_version)
        table_rows_undo([row for row in words if row.version is not None], _keep)
        _labels_removed([row for row in words if row.version is None])
        below = rows[-1].pk
        heartbeat()
        yield Batch({"below": below}, len(rows))


@dataclass(frozen=True)
class UndoOutlook:
    """What an undo would do now."""

    added: int
    changed: int
    #: Entries that were edited since and would stay: key and title, the first ones.
    edited: list[tuple[str, str]]
    edited_count: int
    #: Rows of other tables that came with the archive of a site.
    others: int


def undo_outlook(job: Import, *, most: int = 50) -> UndoOutlook:
    """What taking an import back would do now; votes, reports and the like are looked at by the undo itself."""
    entries = job.rows.filter(table=_ENTRIES)
    edited: list[tuple[str, str]] = []
    count, below = 0, None
    while rows := _next(job, below):
        keys = {UUID(row.key): row.version for row in rows if row.table == _ENTRIES}
        found = Entry.objects.filter(pk__in=keys).values_list("pk", "version", "title")
        since = [(str(pk), title) for pk, version, title in found if version != keys[pk]]
        count += len(since)
        edited += since[: most - len(edited)]
        below = rows[-1].pk
    return UndoOutlook(
        added=entries.filter(before__isnull=True).count(),
        changed=entries.filter(before__isnull=False).count(),
        edited=edited,
        edited_count=count,
        others=job.rows.exclude(table=_ENTRIES).filter(version__isnull=False).count(),
    )


def _next(job: Import, below: int | None) -> list[ImportedRow]:
    rows = job.rows.order_by("-pk")
    return list((rows.filter(pk__lt=below) if below else rows)[:BATCH_ROWS])


def _locked(rows: list[ImportedRow]) -> dict[UUID, int]:
    """The versions of the entries that are still there."""
    entries = Entry.objects.select_for_update().filter(pk__in=[UUID(row.key) for row in rows]).order_by("pk")
    return dict(entries.values_list("pk", "version"))


def _keep(row: ImportedRow, reason: str) -> None:
    row.kept = reason
    row.save(update_fields=["kept"])


def _untouched(rows: list[ImportedRow], versions: dict[UUID, int]) -> list[ImportedRow]:
    """The rows whose entries nobody has edited since; the others are marked."""
    found = []
    for row in rows:
        version = versions.get(UUID(row.key))
        if version is None:
            continue  # somebody deleted it
        if version != row.version:
            _keep(row, _("edited since"))
        else:
            found.append(row)
    return found


def _added_removed(rows: list[ImportedRow], versions: dict[UUID, int]) -> None:
    left = {UUID(row.key): row for row in _untouched(rows, versions)}
    reasons: tuple[tuple[type[Model], str], ...] = (
        (Feedback, _("people have voted on it")),
        (EntryFlag, _("somebody has reported it")),
        (EntryMark, _("somebody has marked it")),
        (EntryAddress, _("another entry was merged into it")),
        (PromotedResult, _("it is promoted for a search")),
        (EntryReview, _("somebody has reviewed it")),
        (EntryRevision, _("it has a history")),
    )
    for model, reason in reasons:
        used = model._default_manager.filter(entry__in=left).values_list("entry", flat=True).distinct()
        for entry in list(used):
            _keep(left.pop(entry), reason)
    index_forget(left)
    Entry.objects.filter(pk__in=left).delete()


def _changed_restored(rows: list[ImportedRow], versions: dict[UUID, int]) -> None:
    left = {UUID(row.key): row for row in _untouched(rows, versions)}
    validated = EntryReview.objects.filter(entry__in=left, validation=Validation.VALIDATED)
    for entry in list(validated.values_list("entry", flat=True)):
        _keep(left.pop(entry), _("somebody has reviewed it since"))
    for entry, row in left.items():
        _restored(entry, row.version or 0, row.before or {})
    index_update(left)


def _restored(entry: UUID, version: int, before: dict[str, Any]) -> None:
    """Every column that an import writes, the links with their keys, the review and the history."""
    values = dict(zip(before["columns"], before["entry"], strict=True))
    fields = {field.attname: field for field in Entry._meta.concrete_fields}
    Entry.objects.filter(pk=entry).update(
        **{name: value_of(fields[name], values[name]) for name in CHANGED_COLUMNS if name in values}
    )
    _links_restored(EntryTag, ("tag_id",), entry, before["tags"])
    _links_restored(EntryCode, ("error_code_id", "position"), entry, before["codes"])
    if before["review"]:
        validation = before["review"][columns_of(EntryReview).index("validation")]
        EntryReview.objects.filter(entry=entry).update(validation=validation)
    made = [version, values["version"]] if before["made_version"] else [version]
    EntryRevision.objects.filter(entry=entry, version__in=made).delete()


def _links_restored(
    model: type[EntryTag | EntryCode], columns: tuple[str, ...], entry: UUID, links: list[list[int]]
) -> None:
    """Exactly these links; one whose tag or code is gone is left out."""
    there = set(model.objects.filter(entry=entry).values_list("pk", flat=True))
    wanted = {link[0]: link for link in links}
    model.objects.filter(entry=entry, pk__in=there - wanted.keys()).delete()
    missing = [link for pk, link in wanted.items() if pk not in there]
    target: type[Model] = Tag if model is EntryTag else ErrorCode
    alive = set(target._default_manager.filter(pk__in=[link[1] for link in missing]).values_list("pk", flat=True))
    key = entry.hex if connection.vendor == "sqlite" else entry
    rows = [(link[0], key, *link[1:]) for link in missing if link[1] in alive]
    insert(model._meta.db_table, ("id", "entry_id", *columns), rows)


def _labels_removed(rows: list[ImportedRow]) -> None:
    """Remove tags and codes that the import made and that nothing has any more."""
    tags = [row.key for row in rows if row.table == Tag._meta.db_table]
    Tag.objects.filter(name__in=tags, entrytag=None).delete()
    codes = [row.key for row in rows if row.table == ErrorCode._meta.db_table]
    ErrorCode.objects.filter(code__in=codes, entrycode=None, aliases=None, meaning="").delete()
