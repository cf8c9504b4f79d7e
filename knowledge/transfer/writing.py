"""Writing entries by the hundred: rows, tags, codes, versions, journal and index of a batch together.

Called in a transaction. What knowledge.entries does for one entry is done here for many with the same
result; a test holds both against each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from knowledge.codes import Code, codes_remembered
from knowledge.history import NOTE_CHARS
from knowledge.labels import codes_ensure, tags_ensure
from knowledge.markdown import markdown_html
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
from knowledge.search import index_update
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


def entries_write(job: Import, rows: Sequence[Judged], labels: Labels, *, user: User | None) -> None:
    """Write new and changed rows, their journal and their index, in the transaction of the caller."""
    with codes_remembered():
        _entries_written(job, rows, labels, user)


def _entries_written(job: Import, rows: Sequence[Judged], labels: Labels, user: User | None) -> None:
    new = [row for row in rows if row.before is None]
    changed = [row for row in rows if row.before is not None]
    codes = {id(row): _codes(row) for row in rows}
    labels.made.clear()
    labels.learn((name for row in rows for name in row.draft.tags), (one for found in codes.values() for one in found))
    journal = [ImportedRow(imported=job, table=table, key=key) for table, key in labels.made]
    journal += _added(job, new, labels, codes)
    journal += _changed(job, changed, labels, codes, user)
    journal_write(journal)
    index_update([row.entry_id for row in rows if row.entry_id])


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


def _added(job: Import, rows: list[Judged], labels: Labels, codes: dict[int, list[Code]]) -> list[ImportedRow]:
    moment = _moment_stored()
    insert(Entry._meta.db_table, _ENTRY_COLUMNS, [_entry_values(row, moment) for row in rows])
    links = [(_stored(_entry(row)), labels.tags[name]) for row in rows for name in row.draft.tags]
    insert(EntryTag._meta.db_table, ("entry_id", "tag_id"), links)
    insert(
        EntryCode._meta.db_table,
        ("entry_id", "error_code_id", "position"),
        [(_stored(_entry(row)), labels.codes[code.code], at) for row in rows for at, code in enumerate(codes[id(row)])],
    )
    return [
        ImportedRow(
            imported=job,
            table=Entry._meta.db_table,
            key=str(row.entry_id),
            number=row.spooled.row.number,
            version=(row.draft.exact or {}).get("version", 1),
        )
        for row in rows
    ]


def _entry_values(row: Judged, moment: Callable[[datetime], Any]) -> tuple[Any, ...]:
    draft, now = row.draft, timezone.now()
    created = draft.created_at or draft.updated_at or now
    used, worked, failed = draft.counts
    values = {
        "id": _stored(_entry(row)),
        **{name: getattr(draft, name) for name in WRITTEN},
        "problem_html": str(markdown_html(draft.problem)),
        "solution_html": str(markdown_html(draft.solution)),
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
    return tuple(values[name] for name in _ENTRY_COLUMNS)


# Changed entries ------------------------------------------------------------------------------


def _changed(
    job: Import, rows: list[Judged], labels: Labels, codes: dict[int, list[Code]], user: User | None
) -> list[ImportedRow]:
    if not rows:
        return []
    now = timezone.now()
    reviews = _reviews_ended(rows)
    kept = _versions_kept(rows)
    moment = _moment_stored()
    marks = ", ".join(f"{name} = %s" for name in CHANGED_COLUMNS)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE kb_entries SET {marks} WHERE id = %s",
            [(*_changed_values(row, user, moment(now)), _stored(_entry(row))) for row in rows],
        )
    _links_changed(rows, labels, codes)
    _versions_saved(job, rows, codes, user, now)
    return [
        ImportedRow(
            imported=job,
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
        before[f"{name}_html"] if texts[name] == before[name] else str(markdown_html(texts[name]))
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
    for row in rows:
        entry, before = _stored(_entry(row)), _before(row)
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


def journal_write(journal: list[ImportedRow]) -> None:
    """Add rows to the journal of an import."""
    columns = ("imported_id", "table", "key", "number", "version", "before", "kept")
    quoted = [connection.ops.quote_name(name) for name in columns]
    column = ImportedRow._meta.get_field("before")
    insert(
        ImportedRow._meta.db_table,
        quoted,
        [
            (
                row.imported_id,
                row.table,
                row.key,
                row.number,
                row.version,
                None if row.before is None else column.get_db_prep_save(row.before, connection),
                "",
            )
            for row in journal
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


def _stored(key: UUID) -> Any:
    return key.hex if connection.vendor == "sqlite" else key


def _entry(row: Judged) -> UUID:
    if row.entry_id is None:
        raise TypeError("an entry has an id")
    return row.entry_id


def _moment_stored() -> Callable[[datetime], Any]:
    """How this database takes a point in time."""
    adapted: Callable[[datetime], Any] = connection.ops.adapt_datetimefield_value
    return adapted
