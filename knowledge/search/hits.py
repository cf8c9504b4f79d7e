"""The results of a page: entries with their first codes, with what marks the found words.

One query gives them, and no object is made with Django's constructors: both would take longer than the search.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models.base import ModelState

from knowledge.models import Entry
from knowledge.search import database
from knowledge.search.analysis import units
from knowledge.search.rows import searched
from knowledge.search.tokens import tokens
from knowledge.search.types import Marks, SearchHit

#: What a hit's entry is fetched with, Django fetches the rest when it is asked for.
_COLUMNS = [
    *("id", "title", "problem", "solution", "category", "severity", "status", "origin"),
    *("usage_count", "success_count", "failure_count", "version"),
]
_MOMENTS = ["created_at", "updated_at"]
_FIELDS = (*_COLUMNS, *_MOMENTS)
#: Mistyped words are of letters only.
_WORD = re.compile(r"[a-z]{3,}")


class _CodeShown(NamedTuple):
    """What a list shows of an ErrorCode."""

    code: str


class _CodeLink(NamedTuple):
    """What a list shows of an EntryCode."""

    error_code: _CodeShown


def hits_made(scores: Mapping[int, float], marks: Marks) -> tuple[SearchHit, ...]:
    """The hits for the entries of these rows, in order."""
    found = {row[0]: row for row in database.entries(list(scores), _COLUMNS, _MOMENTS)}
    return tuple(_hit(found[rank], score, marks) for rank, score in scores.items() if rank in found)


def _hit(row: tuple[Any, ...], score: float, marks: Marks) -> SearchHit:
    entry = _entry(row[2:])
    entry.code_links = _code_links(row[1])  # type: ignore[attr-defined]
    return SearchHit(entry=entry, score=score, marks=marks)


def spelling_shown(text: str, corrected: Mapping[str, str], entries: Sequence[Entry]) -> str:
    """`text` with each mistyped word (by its token) as the entries write the term that was meant.

    Empty when the entries, which may have it in a tag or code only, do not show how.
    """
    written: dict[str, Counter[str]] = {term: Counter() for term in corrected.values()}
    for entry in entries[:5]:
        for word in _WORD.findall(f"{entry.title}\n{entry.problem}\n{entry.solution}".lower()):
            for term, words in written.items():
                if word.startswith(term[:2]) and tokens(word) == [term]:
                    words[word] += 1
    pieces, position = [], 0
    for unit in units(text):
        found = written.get(corrected.get(unit.token, ""))
        if found:
            pieces += [text[position : unit.start], min(found, key=lambda word: (-found[word], word))]
            position = unit.end
    return "".join([*pieces, text[position:]]) if pieces else ""


def _entry(values: tuple[Any, ...]) -> Entry:
    """An entry from its row; a tenth of what Model.__init__ takes, with its signals and checks of arguments."""
    entry = Entry.__new__(Entry)
    entry.__dict__.update(zip(_FIELDS, values, strict=True), _state=ModelState())
    entry._state.adding, entry._state.db = False, searched()
    entry.id = _uuid(entry.id)
    entry.created_at, entry.updated_at = map(_moment, values[-2:])
    return entry


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _moment(value: str) -> datetime:
    """A time in UTC, which SQLite keeps as text without its zone."""
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@lru_cache(maxsize=5_000)
def _code_links(names: str) -> tuple[_CodeLink, ...]:
    return tuple(_CodeLink(_CodeShown(name)) for name in names.splitlines())
