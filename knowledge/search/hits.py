"""The results of a page: entries with their tags and codes, titles and passages with the found words marked.

The rows come in three queries of our own, and tags and codes that several hits share become one object:
Django's prefetching takes longer than the search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model
from django.db.models.base import ModelState

from knowledge.models import Entry, EntryCode, ErrorCode, Tag
from knowledge.search.analysis import units
from knowledge.search.database import hexadecimal, marks, rows, stored
from knowledge.search.snippet import Highlighter
from knowledge.search.types import SearchHit

#: What a hit's entry is fetched with, Django fetches the rest when it is asked for.
_COLUMNS = [
    *("id", "title", "problem", "solution", "category", "severity", "status", "origin"),
    *("usage_count", "success_count", "failure_count", "version", "updated_at"),
]
_CODE_COLUMNS = ["id", "code", "kind", "meaning"]

_M = TypeVar("_M", bound=Model)

#: Codes of each hit that are fetched; a long text can have dozens.
CODES_SHOWN = 8


def hits_made(scores: Mapping[str, float], highlighter: Highlighter) -> tuple[SearchHit, ...]:
    """The hits for these entries (ids in hexadecimal digits), in order."""
    entries = _entries(scores)
    return tuple(
        SearchHit(
            entry=entry,
            score=score,
            title_html=highlighter.marked(entry.title),
            snippet_html=highlighter.snippet((entry.problem, entry.solution)),
        )
        for key, score in scores.items()
        if (entry := entries.get(key))
    )


def spelling_shown(text: str, corrected: Mapping[str, str], entries: Sequence[Entry]) -> str:
    """`text` with each mistyped word (by its token) as the entries write the term that was meant.

    Empty when the entries, which may have it in a tag or code only, do not show how.
    """
    written: dict[str, Counter[str]] = {term: Counter() for term in corrected.values()}
    for entry in entries[:5]:
        body = f"{entry.title}\n{entry.problem}\n{entry.solution}"
        for unit in units(body):
            if unit.token in written:
                written[unit.token][body[unit.start : unit.end].lower()] += 1
    pieces, position = [], 0
    for unit in units(text):
        found = written.get(corrected.get(unit.token, ""))
        if found:
            pieces += [text[position : unit.start], min(found, key=lambda word: (-found[word], word))]
            position = unit.end
    return "".join([*pieces, text[position:]]) if pieces else ""


def _entries(ids: Iterable[str]) -> dict[str, Entry]:
    keys: list[Any] = [stored(UUID(one)) for one in ids]
    if not keys:
        return {}
    entries = {}
    for row in rows(f"SELECT {', '.join(_COLUMNS)} FROM kb_entries WHERE id IN ({marks(len(keys))})", keys):
        entry = _made(Entry, **dict(zip(_COLUMNS, row, strict=True)))
        entry.id, entry.updated_at = _uuid(row[0]), _moment(row[-1])
        entries[entry.pk.hex] = entry
    _tags_given(entries, keys)
    _codes_given(entries, keys)
    return entries


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _moment(value: datetime | str) -> datetime:
    """A time in UTC, which SQLite keeps as text without its zone."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _tags_given(entries: Mapping[str, Entry], keys: Sequence[Any]) -> None:
    """Give each entry its tags, as prefetch_related would."""
    tags: dict[int, Tag] = {}
    of_entry: dict[str, list[Tag]] = {key: [] for key in entries}
    sql = "SELECT et.entry_id, t.id, t.name FROM kb_entry_tags et JOIN kb_tags t ON t.id = et.tag_id"
    for entry, number, name in rows(f"{sql} WHERE et.entry_id IN ({marks(len(keys))})", keys):
        tag = tags.get(number) or tags.setdefault(number, _made(Tag, id=number, name=name))
        of_entry[hexadecimal(entry)].append(tag)
    for key, entry in entries.items():
        found = Tag.objects.all()
        found._result_cache = sorted(of_entry[key], key=attrgetter("name"))
        entry._prefetched_objects_cache = {"tags": found}  # type: ignore[attr-defined]


def _codes_given(entries: Mapping[str, Entry], keys: Sequence[Any]) -> None:
    """Give each entry its first codes as `code_links`, its own first."""
    codes: dict[int, ErrorCode] = {}
    for entry in entries.values():
        entry.code_links = []  # type: ignore[attr-defined]
    sql = (
        "SELECT ec.id, ec.entry_id, ec.position, c.id, c.code, c.kind, c.meaning FROM kb_entry_codes ec "
        f"JOIN kb_error_codes c ON c.id = ec.error_code_id WHERE ec.entry_id IN ({marks(len(keys))}) "
        f"AND ec.position < {CODES_SHOWN} ORDER BY ec.position, ec.id"
    )
    for pk, entry_id, position, *code in rows(sql, keys):
        if code[0] not in codes:
            codes[code[0]] = _made(ErrorCode, **dict(zip(_CODE_COLUMNS, code, strict=True)))
        entry = entries[hexadecimal(entry_id)]
        link = _made(EntryCode, id=pk, entry_id=entry.pk, error_code_id=code[0], position=position)
        link._state.fields_cache["error_code"] = codes[code[0]]
        entry.code_links.append(link)  # type: ignore[attr-defined]


def _made(model: type[_M], **values: Any) -> _M:
    """A row as an object; a tenth of what Model.__init__ takes, with its signals and checks of arguments."""
    made = model.__new__(model)
    made.__dict__.update(values, _state=ModelState())
    made._state.adding, made._state.db = False, "default"
    return made
