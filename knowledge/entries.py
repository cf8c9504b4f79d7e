"""Writing entries. Every change renders the Markdown, takes up the codes of the text and updates the index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.codes import Code, code_given, codes_find
from knowledge.errors import EntryGoneError, EntryInvalidError, RevisionGoneError, StaleEntryError
from knowledge.history import RESTORED, revision_keep, revision_save
from knowledge.labels import TAG_CHARS, codes_by_entry, entry_codes_set, entry_tags_set, tag_names
from knowledge.markdown import markdown_html
from knowledge.models import Entry, EntryOrigin, EntryRevision, EntryStatus, Severity
from knowledge.remembered import texts_remembered
from knowledge.reviews import review_reset
from knowledge.search.index import BATCH_ROWS, index_rank_refresh, index_update
from knowledge.text import storable, text_block, text_line

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Codes of one entry, the ones found in its text included; a pasted log can name hundreds.
CODES_PER_ENTRY = 40
TAGS_PER_ENTRY = 30

_TEXTS = ("title", "problem", "solution")
_PLAIN_FIELDS = (*_TEXTS, "category", "severity", "status")


def entry_create(
    *,
    title: str,
    problem: str,
    solution: str,
    category: str,
    severity: str = Severity.MEDIUM,
    tags: Iterable[str] = (),
    codes: Iterable[str] = (),
    status: str = EntryStatus.DRAFT,
    origin: str = EntryOrigin.MANUAL,
    author: User | None = None,
    id: UUID | None = None,  # noqa: A002 - the field's name
) -> Entry:
    """A new entry. Raises EntryInvalidError."""
    entry = Entry(
        pk=id or uuid4(),
        title=text_line(title),
        problem=text_block(problem),
        solution=text_block(solution),
        category=category,
        severity=severity,
        status=status,
        origin=origin,
        created_by=author,
        updated_by=author,
    )
    labels = _labels_checked(entry, tags, codes)
    _rendered(entry)
    with transaction.atomic():
        entry.save(force_insert=True)
        _labels_written(entry, *labels)
        revision_save(entry=entry, author=author)
    return entry


def entry_update(*, entry: Entry, expected_version: int, author: User | None, note: str = "", **fields: Any) -> Entry:
    """The entry with these fields changed: any of title, problem, solution, category, severity, status,
    tags, codes. Tags and codes that are not given stay. The history keeps both versions; `note` says there
    what changed.

    Raises EntryInvalidError, StaleEntryError when another edit came first, EntryGoneError.
    """
    unknown = fields.keys() - {*_PLAIN_FIELDS, "tags", "codes"}
    if unknown:
        raise TypeError(f"entry_update takes no {', '.join(sorted(unknown))}")
    with transaction.atomic():
        fresh = _entry_locked(entry.pk, expected_version)
        revision_keep(entry=fresh)
        for name in _PLAIN_FIELDS:
            if name in fields:
                setattr(fresh, name, _cleaned(name, fields[name]))
        tags = fields["tags"] if "tags" in fields else fresh.tags.values_list("name", flat=True)
        codes = fields["codes"] if "codes" in fields else codes_by_entry([fresh.pk])[fresh.pk]
        labels = _labels_checked(fresh, tags, codes)
        _rendered(fresh)
        _versioned_save(fresh, expected_version, author)
        review_reset(entry_id=fresh.pk, version=fresh.version, author=author)
        _labels_written(fresh, *labels)
        revision_save(entry=fresh, author=author, note=text_line(note))
    return Entry.objects.get(pk=entry.pk)


def entry_restore(*, entry: Entry, version: int, expected_version: int, author: User | None) -> Entry:
    """The entry as it was in that version, which becomes its newest one; only its status stays.

    Raises RevisionGoneError, and what entry_update raises.
    """
    revision = EntryRevision.objects.filter(entry=entry.pk, version=version).first()
    if revision is None:
        raise RevisionGoneError(version=version, entry=entry.pk)
    fields = {name: getattr(revision, name) for name in RESTORED}
    note = _("Version %(version)d restored") % {"version": version}
    return entry_update(entry=entry, expected_version=expected_version, author=author, note=note, **fields)


def entry_publish(*, entry: Entry, author: User | None) -> Entry:
    """The entry, published: everyone sees it. Raises EntryGoneError."""
    return _status_set(entry, EntryStatus.PUBLISHED, author)


def entry_archive(*, entry: Entry, author: User | None) -> Entry:
    """The entry, archived: nobody finds it unless they look for archived ones. Raises EntryGoneError."""
    return _status_set(entry, EntryStatus.ARCHIVED, author)


def entry_delete(*, entry: Entry) -> None:
    """Remove an entry with its votes; searches that opened it stay in the history."""
    Entry.objects.filter(pk=entry.pk).delete()


def entry_viewed(*, entry: Entry, at: datetime | None = None) -> None:
    """Count one reader."""
    with transaction.atomic():
        Entry.objects.filter(pk=entry.pk).update(usage_count=F("usage_count") + 1, last_used_at=at or timezone.now())
        index_rank_refresh(entry.pk)


def entries_refresh(ids: Iterable[UUID]) -> int:
    """Render and index these entries again after their rows were written in bulk; how many there are.

    Codes in their texts are added to the ones they have.
    """
    rest, done = iter(ids), 0
    while batch := list(islice(rest, BATCH_ROWS)):
        with texts_remembered(), transaction.atomic():
            entries = list(Entry.objects.filter(pk__in=batch))
            for entry in entries:
                _rendered(entry)
            Entry.objects.bulk_update(entries, ["problem_html", "solution_html"], batch_size=100)
            given = codes_by_entry(batch)
            entry_codes_set({entry: _codes_checked(entry, given[entry.pk], {}) for entry in entries})
            done += index_update(batch)
    return done


def _cleaned(name: str, value: str) -> str:
    if name == "title":
        return text_line(value)
    return text_block(value) if name in _TEXTS else value


def _rendered(entry: Entry) -> None:
    entry.problem_html = markdown_html(entry.problem)
    entry.solution_html = markdown_html(entry.solution)


def _labels_checked(entry: Entry, tags: Iterable[str], codes: Iterable[str]) -> tuple[list[str], list[Code]]:
    """Tags and codes to store. Raises EntryInvalidError with everything that is wrong with the entry."""
    wrong: dict[str, list[str]] = {}
    try:
        entry.clean_fields(exclude=["created_by", "updated_by"])
    except ValidationError as error:
        wrong |= error.message_dict
    names = tag_names(storable(name) for name in tags)
    if too_long := [name for name in names if len(name) > TAG_CHARS]:
        wrong["tags"] = [
            _("A tag has at most %(limit)d characters: %(tag)s") % {"limit": TAG_CHARS, "tag": too_long[0]}
        ]
    if len(names) > TAGS_PER_ENTRY:
        wrong["tags"] = [_("An entry has at most %(limit)d tags.") % {"limit": TAGS_PER_ENTRY}]
    found = _codes_checked(entry, codes, wrong)
    if wrong:
        problems = "; ".join(f"{field}: {' '.join(messages)}" for field, messages in wrong.items())
        raise EntryInvalidError(problems=problems, fields=wrong)
    return names, found


def _codes_checked(entry: Entry, given: Iterable[str], wrong: dict[str, list[str]]) -> list[Code]:
    """The given codes in canonical form, then the ones in the texts; what is no code goes into `wrong`."""
    found: dict[str, Code] = {}
    for text in given:
        code = code_given(storable(text))
        if code:
            found.setdefault(code.code, code)
        elif text.strip():
            wrong["codes"] = [_("This is too long for a code: %(text)s") % {"text": text[:60]}]
    for name in _TEXTS:
        for match in codes_find(getattr(entry, name)):
            found.setdefault(match.code, Code(match.code, match.kind))
    return list(found.values())[:CODES_PER_ENTRY]


def _labels_written(entry: Entry, names: list[str], codes: list[Code]) -> None:
    entry_tags_set({entry: names})
    entry_codes_set({entry: codes})
    index_update([entry.pk])


def _entry_locked(pk: UUID, expected_version: int | None = None) -> Entry:
    """The entry, held until the transaction ends."""
    entry = Entry.objects.select_for_update().filter(pk=pk).first()
    if entry is None:
        raise EntryGoneError(entry=pk)
    if expected_version is not None and entry.version != expected_version:
        raise StaleEntryError(expected_version=expected_version, current_version=entry.version)
    return entry


def _versioned_save(entry: Entry, expected_version: int, author: User | None) -> None:
    names = (*_PLAIN_FIELDS, "problem_html", "solution_html")
    values: Mapping[str, Any] = {name: getattr(entry, name) for name in names}
    changed = Entry.objects.filter(pk=entry.pk, version=expected_version).update(
        **values, version=expected_version + 1, updated_by=author, updated_at=timezone.now()
    )
    if not changed:
        raise StaleEntryError(expected_version=expected_version, current_version=expected_version + 1)
    entry.refresh_from_db(fields=["version", "updated_by", "updated_at"])


def _status_set(entry: Entry, status: EntryStatus, author: User | None) -> Entry:
    with transaction.atomic():
        fresh = _entry_locked(entry.pk)
        revision_keep(entry=fresh)
        fresh.status = status
        _versioned_save(fresh, fresh.version, author)
        index_update([entry.pk])
        revision_save(entry=fresh, author=author)
    return Entry.objects.get(pk=entry.pk)
