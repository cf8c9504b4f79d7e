"""Writing entries by the hundred: rows, tags, codes, versions, journal and index of a batch together.

Called in a transaction. What knowledge.entries does for one entry is done here for many with the same
result; a test holds both against each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from knowledge.codes import Code
from knowledge.history import NOTE_CHARS
from knowledge.labels import codes_ensure, tags_ensure
from knowledge.markdown import markdown_rendered
from knowledge.models import (
    Entry,
    EntryCode,
    EntryOrigin,
    EntryReview,
    EntryRevision,
    EntryTag,
    ErrorCode,
    Import,
    ImportedRow,
    Tag,
    Validation,
)
from knowledge.remembered import Remembered, texts_remembered
from knowledge.search import FACTS, index_add, index_update
from knowledge.search.storing import rows_copy
from knowledge.transfer.judging import WRITTEN, Before, Judged, codes_of
from migrations_ops.archive import line_of

_TEXTS = ("title", "problem", "solution")
_ENTRY_COLUMNS = [column.attname for column in Entry._meta.concrete_fields]
CHANGED_COLUMNS = (*WRITTEN, "problem_html", "solution_html", "version", "updated_by_id", "updated_at")


class Labels:
    """Keys of tags and codes by name, made when first used; remembers which it made."""

    def __init__(self) -> None:
        self.tags: dict[str, int] = {}
        self.codes: dict[str, int] = {}
        self.made: list[tuple[str, str]] = []

    def forget(self) -> None:
        """Look again: what was remembered may be gone."""
        self.__init__()  # type: ignore[misc]

    def learn(self, names: Iterable[str], codes: Iterable[Code]) -> None:
        """Know these names and codes, made where missing."""
        tags = set(names) - self.tags.keys()
        if tags:
            known = set(Tag.objects.filter(name__in=tags).values_list("name", flat=True))
            self.tags |= {name: tag.pk for name, tag in tags_ensure(tags).items()}
            self.made += [(Tag._meta.db_table, name) for name in sorted(tags - known)]
        wanted = {code.code: code for code in codes if code.code not in self.codes}
        if wanted:
            known = set(ErrorCode.objects.filter(code__in=wanted).values_list("code", flat=True))
            self.codes |= {code: row.pk for code, row in codes_ensure(wanted.values()).items()}
            self.made += [(ErrorCode._meta.db_table, code) for code in sorted(wanted.keys() - known)]


def entries_write(
    job: Import, rows: Sequence[Judged], labels: Labels, *, user: User | None, known: Remembered | None = None
) -> None:
    """Write new and changed rows, their journal and their index, in the transaction of the caller.

    `known` is what is known of their texts already.
    """
    with texts_remembered(known):
        _entries_written(job, rows, labels, user)


def _entries_written(job: Import, rows: Sequence[Judged], labels: Labels, user: User | None) -> None:
    new = [row for row in rows if row.before is None]
    changed = [row for row in rows if row.before is not None]
    codes = {id(row): _codes(row) for row in rows}
    labels.made.clear()
    labels.learn((name for row in rows for name in row.draft.tags), (one for found in codes.values() for one in found))
    journal = [Journaled(table, key) for table, key in labels.made]
    journal += _added(new, labels, codes)
    journal += _changed(job, changed, labels, codes, user)
    journal_write(job, journal)
    index_update([_entry(row) for row in changed])


def _codes(row: Judged) -> list[Code]:
    """The codes that the entry will have: given ones, or those it had, then those in its texts."""
    draft, before = row.draft, row.before
    if draft.exact is not None and before is None and "codes" in draft.given:
        return codes_of(draft.codes, ())
    texts = [_now(row, name) for name in _TEXTS]
    given: Iterable[Code] = draft.codes
    if before is not None and not draft.codes:
        given = [Code(code, kind) for *_ids, code, kind in before.codes]
    return codes_of(given, texts)


def _now(row: Judged, name: str) -> str:
    """A field as the row leaves it."""
    value: str = getattr(row.draft, name) if name in row.draft.given else ""
    return value or (row.before.entry[name] if row.before else getattr(row.draft, name))


# New entries ----------------------------------------------------------------------------------


def _added(rows: list[Judged], labels: Labels, codes: dict[int, list[Code]]) -> list[Journaled]:
    moment, stored = _moment_stored(), _key_stored()
    values = [_entry_values(row, stored(_entry(row)), moment) for row in rows]
    insert(Entry._meta.db_table, _ENTRY_COLUMNS, [tuple(map(one.__getitem__, _ENTRY_COLUMNS)) for one in values])
    tags = [[(name, labels.tags[name]) for name in row.draft.tags] for row in rows]
    insert(
        EntryTag._meta.db_table,
        ("entry_id", "tag_id"),
        [(one["id"], number) for one, some in zip(values, tags, strict=True) for _name, number in some],
    )
    coded = [
        [(at, labels.codes[one.code], one.code, one.kind) for at, one in enumerate(codes[id(row)])] for row in rows
    ]
    insert(
        EntryCode._meta.db_table,
        ("entry_id", "error_code_id", "position"),
        [(one["id"], number, at) for one, some in zip(values, coded, strict=True) for at, number, _code, _kind in some],
    )
    index_add(zip((tuple(map(one.__getitem__, FACTS)) for one in values), tags, coded, strict=True))
    versions = (one["version"] for one in values)
    return [
        Journaled(Entry._meta.db_table, str(row.entry_id), row.spooled.row.number, version)
        for row, version in zip(rows, versions, strict=True)
    ]


def _entry_values(row: Judged, key: Any, moment: Callable[[datetime], Any]) -> dict[str, Any]:
    draft, now = row.draft, timezone.now()
    created = draft.created_at or draft.updated_at or now
    used, worked, failed = draft.counts
    values = {
        "id": key,
        **{name: getattr(draft, name) for name in WRITTEN},
        "problem_html": markdown_rendered(draft.problem),
        "solution_html": markdown_rendered(draft.solution),
        "origin": EntryOrigin.IMPORT.value,
        "usage_count": used,
        "success_count": worked,
        "failure_count": failed,
        "last_used_at": None,
        "version": 1,
        "created_by_id": draft.author_id,
        "updated_by_id": draft.author_id,
        "created_at": moment(created),
        "updated_at": moment(max(draft.updated_at or created, created)),
    }
    for name, value in (draft.exact or {}).items():
        values[name] = moment(value) if isinstance(value, datetime) else value
    return values


# Changed entries ------------------------------------------------------------------------------


def _changed(
    job: Import, rows: list[Judged], labels: Labels, codes: dict[int, list[Code]], user: User | None
) -> list[Journaled]:
    if not rows:
        return []
    now = timezone.now()
    reviews = _reviews_ended(rows)
    kept = _versions_kept(rows)
    moment, stored = _moment_stored(), _key_stored()
    marks = ", ".join(f"{name} = %s" for name in CHANGED_COLUMNS)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE kb_entries SET {marks} WHERE id = %s",
            [(*_changed_values(row, user, moment(now)), stored(_entry(row))) for row in rows],
        )
    _links_changed(rows, labels, codes)
    _versions_saved(job, rows, codes, user, now)
    return [
        Journaled(
            table=Entry._meta.db_table,
            key=str(row.entry_id),
            number=row.spooled.row.number,
            version=_before(row).entry["version"] + 1,
            before=_plain(_before(row), reviews.get(row.entry_id), made_version=row.entry_id in kept),
        )
        for row in rows
    ]


def _before(row: Judged) -> Before:
    if row.before is None:
        raise TypeError("the row is new")
    return row.before


def _changed_values(row: Judged, user: User | None, now: Any) -> tuple[Any, ...]:
    before = _before(row).entry
    texts = {name: _now(row, name) for name in WRITTEN}
    html = [
        before[f"{name}_html"] if texts[name] == before[name] else markdown_rendered(texts[name])
        for name in ("problem", "solution")
    ]
    return (*texts.values(), *html, before["version"] + 1, user.pk if user else None, now)


def _reviews_ended(rows: list[Judged]) -> dict[UUID | None, list[Any]]:
    """End the validation of changed entries; the rows of the reviews as they were."""
    names = [column.attname for column in EntryReview._meta.concrete_fields]
    validated = EntryReview.objects.filter(
        entry__in=[row.entry_id for row in rows], validation=Validation.VALIDATED
    ).values_list(*names)
    found = {row[0]: json.loads(line_of(row)) for row in validated}
    EntryReview.objects.filter(entry__in=found).update(validation=Validation.NOT_VALIDATED)
    return dict(found)


def _versions_kept(rows: list[Judged]) -> set[UUID | None]:
    """Keep the version that is about to change where the history has none; the entries where it had none."""
    versions = {row.entry_id: _before(row).entry["version"] for row in rows}
    there = set(EntryRevision.objects.filter(entry__in=versions).values_list("entry", "version"))
    missing = [row for row in rows if (row.entry_id, versions[row.entry_id]) not in there]
    EntryRevision.objects.bulk_create(
        [
            EntryRevision(
                entry_id=_entry(row),
                version=versions[row.entry_id],
                **{name: _before(row).entry[name] for name in WRITTEN},
                tags=sorted(name for _link, _tag, name in _before(row).tags),
                codes=[code for *_ids, code, _kind in _before(row).codes],
                saved_by_id=_before(row).entry["updated_by_id"],
                saved_at=_before(row).entry["updated_at"],
            )
            for row in missing
        ],
        batch_size=200,
    )
    return {row.entry_id for row in missing}


def _versions_saved(
    job: Import, rows: list[Judged], codes: dict[int, list[Code]], user: User | None, now: datetime
) -> None:
    EntryRevision.objects.bulk_create(
        [
            EntryRevision(
                entry_id=_entry(row),
                version=_before(row).entry["version"] + 1,
                **{name: _now(row, name) for name in WRITTEN},
                tags=sorted(_tags_now(row)),
                codes=[code.code for code in codes[id(row)]],
                note=f"Import {job.pk}: {job.file_name}"[:NOTE_CHARS],
                saved_by=user,
                saved_at=now,
            )
            for row in rows
        ],
        batch_size=200,
    )


def _tags_now(row: Judged) -> list[str]:
    if "tags" in row.draft.given:
        return row.draft.tags
    return [name for _link, _tag, name in _before(row).tags]


def _links_changed(rows: list[Judged], labels: Labels, codes: dict[int, list[Code]]) -> None:
    """Only links that differ are written, so that those that stay keep their keys."""
    tags_gone, tags_new, codes_gone, codes_new = [], [], [], []
    stored = _key_stored()
    for row in rows:
        entry, before = stored(_entry(row)), _before(row)
        old_tags = {name: link for link, _tag, name in before.tags}
        wanted = _tags_now(row)
        tags_gone += [link for name, link in old_tags.items() if name not in wanted]
        tags_new += [(entry, labels.tags[name]) for name in wanted if name not in old_tags]
        old_codes = {(code, position): link for link, _key, position, code, _kind in before.codes}
        now = {(code.code, at) for at, code in enumerate(codes[id(row)])}
        codes_gone += [link for where, link in old_codes.items() if where not in now]
        codes_new += [(entry, labels.codes[code], at) for code, at in sorted(now - old_codes.keys(), key=_position)]
    EntryTag.objects.filter(pk__in=tags_gone).delete()
    EntryCode.objects.filter(pk__in=codes_gone).delete()
    insert(EntryTag._meta.db_table, ("entry_id", "tag_id"), tags_new)
    insert(EntryCode._meta.db_table, ("entry_id", "error_code_id", "position"), codes_new)


def _position(where: tuple[str, int]) -> int:
    return where[1]


def _plain(before: Before, review: list[Any] | None, *, made_version: bool) -> dict[str, Any]:
    """What an undo needs, as JSON."""
    return {
        "entry": json.loads(line_of(before.entry[name] for name in _ENTRY_COLUMNS)),
        "columns": _ENTRY_COLUMNS,
        "tags": [[link, tag] for link, tag, _name in before.tags],
        "codes": [[link, key, position] for link, key, position, _code, _kind in before.codes],
        "review": review,
        "made_version": made_version,
    }


# Rows -----------------------------------------------------------------------------------------


class Journaled(NamedTuple):
    """What an import has done to one row: a line of its journal."""

    table: str
    key: str
    number: int = 0
    version: int | None = None
    before: dict[str, Any] | None = None


def journal_write(job: Import, journal: Iterable[Journaled]) -> None:
    """Add lines to the journal of an import."""
    column = ImportedRow._meta.get_field("before")
    insert(
        ImportedRow._meta.db_table,
        [connection.ops.quote_name(name) for name in ("imported_id", *Journaled._fields, "kept")],
        [
            (
                *(job.pk, line.table, line.key, line.number, line.version),
                None if line.before is None else column.get_db_prep_save(line.before, connection),
                "",
            )
            for line in journal
        ],
    )


def insert(table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows of values as the database holds them; a tenth of what bulk_create takes for them."""
    if rows:
        named = f"{table} ({', '.join(columns)})"
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                rows_copy(cursor, named, rows)
            else:
                marks = ", ".join(["%s"] * len(columns))
                cursor.executemany(f"INSERT INTO {named} VALUES ({marks})", rows)


def _key_stored() -> Callable[[UUID], Any]:
    """How this database takes the id of an entry."""
    return attrgetter("hex") if connection.vendor == "sqlite" else lambda key: key


def _entry(row: Judged) -> UUID:
    if row.entry_id is None:
        raise TypeError("an entry has an id")
    return row.entry_id


def _moment_stored() -> Callable[[datetime], Any]:
    """How this database takes a point in time."""
    adapted: Callable[[datetime], Any] = connection.ops.adapt_datetimefield_value
    return adapted
