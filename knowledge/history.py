"""The versions of an entry. knowledge.entries writes one at every save, in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from knowledge.labels import codes_by_entry
from knowledge.models import Entry, EntryRevision

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import Field
    from django_stubs_ext import StrOrPromise

#: What a version holds, in the order in which a comparison shows it.
COMPARED = ("title", "category", "severity", "status", "tags", "codes", "problem", "solution")
#: What a restore brings back. The status stays: publishing is a decision of its own.
RESTORED = ("title", "problem", "solution", "category", "severity", "tags", "codes")
NOTE_CHARS = 300

_COPIED = ("version", "title", "problem", "solution", "category", "severity", "status")


@dataclass(frozen=True, kw_only=True)
class FieldChange:
    """A field that differs between two versions, as text a person reads."""

    name: str
    label: StrOrPromise
    old: str
    new: str


def revision_save(*, entry: Entry, author: User | None, note: str = "") -> EntryRevision:
    """Keep the entry as its rows are now as one of its versions; a version that is kept already stays."""
    revision = revision_of(entry)
    revision.note = note[:NOTE_CHARS]
    revision.saved_by = author
    return _kept(revision)


def revision_keep(*, entry: Entry) -> EntryRevision:
    """Keep the version that is about to change; entries written in bulk have none yet."""
    return _kept(revision_of(entry))


def revision_kept(entry: Entry, version: int) -> bool:
    """Whether the history has this version."""
    return EntryRevision.objects.filter(entry=entry, version=version).exists()


def revision_of(entry: Entry) -> EntryRevision:
    """The entry as it is now as a version that is not saved."""
    return EntryRevision(
        entry=entry,
        **{name: getattr(entry, name) for name in _COPIED},
        tags=sorted(entry.tags.values_list("name", flat=True)),
        codes=codes_by_entry([entry.pk])[entry.pk],
        saved_by_id=entry.updated_by_id,
        saved_at=entry.updated_at,
    )


def revision_changes(old: EntryRevision, new: EntryRevision) -> tuple[FieldChange, ...]:
    """The fields in which two versions differ."""
    return tuple(
        FieldChange(name=name, label=_field(EntryRevision, name).verbose_name, old=was, new=now)
        for name in COMPARED
        if (was := field_text(old, name)) != (now := field_text(new, name))
    )


def field_text(revision: EntryRevision, name: str) -> str:
    """A field of a version as a person reads it: choices by their label, lists with commas."""
    value = getattr(revision, name)
    if isinstance(value, list):
        return ", ".join(value)
    return str(dict(_field(Entry, name).flatchoices).get(value, value))


def _field(model: type[Entry | EntryRevision], name: str) -> Field[Any, Any]:
    return cast("Field[Any, Any]", model._meta.get_field(name))


def _kept(revision: EntryRevision) -> EntryRevision:
    found = EntryRevision.objects.filter(entry=revision.entry_id, version=revision.version).first()
    if found is None:
        revision.save(force_insert=True)
    return found or revision
