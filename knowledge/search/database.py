"""The questions that a search asks its database, in the words of each vendor.

Tokens come from the analyser, which leaves no character that means anything to FTS5 or tsquery;
they are quoted all the same. Everything else is a number or a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from operator import itemgetter
from typing import Any

from knowledge.search.rank import TOPS, ranks_of_status
from knowledge.search.rows import is_sqlite, numbers, rows, rows_prepared

_FOREIGN = re.compile(r"[^\w.$#@/-]")

#: Rows that PostgreSQL finds and sorts in no time, and how many times as many as are wanted; where more are likely
#: it asks a top of the rows first.
SORTED_ROWS = 1_000
SORTED_TIMES = 8
#: How many more rows a top should have than are wanted.
TOP_MARGIN = (1.25, 200)
#: The largest top that is asked has one row of so many.
TOP_PART = 3
#: Of the rows that have common words, about so many have them in codes, title or tags.
HEAD_SHARE = 0.25
#: The label that every row has. No word of a text begins with a slash.
EVERY_ROW = "/e"


class Index(Enum):
    """Which tokens are asked: codes, title and tags only, or everything."""

    HEAD = "head"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row must have: one token of every group, every label, none of the excluded tokens."""

    groups: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    #: Empty for every status.
    status: str = ""
    #: The share of the rows that is likely to have all of it; 0 where that is not known.
    share: float = 0.0
    #: How many rows each top has, the smallest first; empty where that does not matter.
    tops: tuple[int, ...] = ()
    #: How many rows there are.
    rows: int = 0

    @property
    def everything(self) -> bool:
        return not (self.groups or self.labels or self.excluded)


#: A row as `documents` gives it: rank, merit, then by field its tokens with a blank before, between and after.
Document = tuple[Any, ...]
#: Number of the first field of a Document, codes; title, tags, problem and solution follow.
FIRST_FIELD = 2
#: Fields of the labels that PostgreSQL's rows have in short.
_SHORT = {"c": "category", "s": "severity", "": "tag"}
_DOCUMENT = ("rank", "merit", "codes", "title", "tags", "problem", "solution")
_RANK = itemgetter(1)


@lru_cache(maxsize=20_000)
def label(field: str, value: str | int) -> str:
    """The token of a filter's value in the rows: a category or severity, or the number of a tag or code."""
    return f"/{field}.{str(value).lower()}"


#: The labels of the tops, the smallest first.
TOP_LABELS = tuple(label("top", number) for number in range(TOPS))


def ranks(asked: Asked, index: Index, *, limit: int) -> list[int]:
    """Rows that fit, best static rank first; none where a group has no token."""
    return ranks_of_each([(asked, index)], limit=limit)


def candidates(asked: Asked, indexes: Sequence[Index], *, limit: int, fields: int) -> list[Document]:
    """At most `limit` rows that fit, with so many of their fields (4 leave the solution out).

    Those of the first index come first. The next one counts where that has fewer rows; where this is likely,
    both are asked at once.
    """
    if not all(asked.groups):
        return []
    columns = ", ".join(f"d.{name}" for name in _DOCUMENT[1 : FIRST_FIELD + fields])
    askings = [_Asking(asked, index, limit) for index in indexes]
    answers: dict[int, list[Document]] = {}
    while now := _asked_now(askings, answers):
        found, params = _of_each(now)
        sql = f"SELECT f.n, f.rank, {columns} FROM ({found}) AS f JOIN kb_search_docs d ON d.rank = f.rank"
        answers |= _answered(now, rows_prepared(sql, params))
    ordered = (row[1:] for number in sorted(answers) for row in sorted(answers[number], key=_RANK))
    return list({document[0]: document for document in ordered}.values())[:limit]


def _asked_now(askings: Sequence[_Asking], answers: Mapping[int, Sequence[Document]]) -> dict[int, _Asking]:
    """What is still to be asked, by its number: the first one without an answer, and the next where that has few rows."""
    now: dict[int, _Asking] = {}
    for number, asking in enumerate(askings):
        if number not in answers:
            now[number] = asking
            if not asking.has_few():
                break
        elif len(answers[number]) == asking.limit:
            break
    return now


def _of_each(askings: Mapping[int, _Asking]) -> tuple[str, list[Any]]:
    """SELECT of the number of each question and the ranks that fit it."""
    parts, params = [], []
    for number, asking in askings.items():
        sql, values = asking.question()
        parts.append(f"SELECT {number:d} AS n, rank FROM ({sql}) AS q{number:d}")
        params += values
    return " UNION ALL ".join(parts), params


def _answered(askings: Mapping[int, _Asking], found: Iterable[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    """The rows of those questions that they are an answer to; the others go on with more rows."""
    answers: dict[int, list[tuple[Any, ...]]] = {number: [] for number in askings}
    for row in found:
        answers[row[0]].append(row)
    return {number: some for number, some in answers.items() if askings[number].is_answered(len(some))}


def ranks_of_each(questions: Sequence[tuple[Asked, Index]], *, limit: int) -> list[int]:
    """Rows that fit any of the questions, at most `limit` of each, the first question's first."""
    askings = {
        number: _Asking(*question, limit) for number, question in enumerate(questions) if all(question[0].groups)
    }
    found: dict[int, list[tuple[Any, ...]]] = {}
    while now := {number: asking for number, asking in askings.items() if number not in found}:
        found |= _answered(now, rows_prepared(*_of_each(now)))
    return list(dict.fromkeys(rank for number in sorted(found) for _, rank in sorted(found[number])))


class _Asking:
    """A question on its way from a top of the rows to larger ones and to all.

    GIN gives every row that fits, all of which are then read and sorted; FTS5 gives them in order. So common
    words are looked for in a top of the rows, in a larger one when that has too few of them.
    """

    def __init__(self, asked: Asked, index: Index, limit: int) -> None:
        self.asked, self.index, self.limit = asked, index, limit
        #: The share of the rows that is likely to fit, by what is known.
        self._share = asked.share * (HEAD_SHARE if index is Index.HEAD else 1.0)
        #: So many rows are found and sorted without a top.
        self._quick = max(SORTED_ROWS, SORTED_TIMES * limit)
        #: The top that is asked; -1 for all rows.
        self._top = -1
        self._top = self._next_top() if asked.tops and asked.share * asked.rows > self._quick else -1

    def question(self) -> tuple[str, list[str]]:
        """SELECT of the ranks."""
        asked = self.asked
        if self._top >= 0:
            asked = replace(asked, groups=((TOP_LABELS[self._top],), *asked.groups))
        return _ranks_sql(asked, self.index, self.limit)

    def is_answered(self, count: int) -> bool:
        """Whether so many rows are all that were wanted or are; else the next question is for more of them."""
        if self._top < 0 or count == self.limit:
            return True
        self._share = count / self.asked.tops[self._top]
        self._top = self._next_top() if self._share * self.asked.rows > self._quick else -1
        return False

    def has_few(self) -> bool:
        """Whether fewer rows are likely to fit than are wanted."""
        return self._share * self.asked.rows < self.limit

    def _next_top(self) -> int:
        """The smallest larger top that is likely to have enough rows, else the largest one that is quick to ask."""
        times, more = TOP_MARGIN
        quick = -1
        for top, held in enumerate(self.asked.tops):
            if top > self._top and 0 < held < self.asked.rows / TOP_PART:
                quick = top
                if held * self._share >= self.limit * times + more:
                    break
        return quick


def _numbered(column: str, found: Sequence[int]) -> tuple[str, list[Any]]:
    """A condition that a column has one of these numbers, and its parameters; none on SQLite, which reads texts fast."""
    return (f"{column} IN ({numbers(found)})", []) if is_sqlite() else (f"{column} = ANY(%s::bigint[])", [list(found)])


def documents(found: Sequence[int], *, fields: int) -> list[Document]:
    """The rows with these ranks, in any order, with so many of their fields: 4 leave the solution out, 5 are all."""
    if not found:
        return []
    chosen, params = _numbered("rank", found)
    columns = ", ".join(_DOCUMENT[: FIRST_FIELD + fields])
    return rows_prepared(f"SELECT {columns} FROM kb_search_docs WHERE {chosen}", params)


def taken(found: Sequence[int]) -> set[int]:
    """Those of these ranks that a row has."""
    if not found:
        return set()
    return {row[0] for row in rows(f"SELECT rank FROM kb_search_docs WHERE rank IN ({numbers(found)})")}


def entries(found: Sequence[int], columns: Sequence[str], moments: Sequence[str]) -> list[tuple[Any, ...]]:
    """Rank, names of the first codes, and these columns of the entries of these rows, in any order.

    The `moments` come last, as text: Django's own readers take longer for them than for all the rest.
    """
    if not found:
        return []
    given = ", ".join([*(f"e.{column}" for column in columns), *(_iso(f"e.{column}") for column in moments)])
    sql = f"SELECT d.rank, d.code_names, {given} FROM kb_search_docs d JOIN kb_entries e ON e.id = d.entry_id"
    chosen, params = _numbered("d.rank", found)
    return rows_prepared(f"{sql} WHERE {chosen}", params)


def labels_of(found: Sequence[int]) -> list[str]:
    """The labels of each of these rows, in any order."""
    if not found:
        return []
    chosen, params = _numbered("rank", found)
    return [row[0] for row in rows_prepared(f"SELECT labels FROM kb_search_docs WHERE {chosen}", params)]


def labels_found(asked: Asked, *, limit: int) -> dict[int, str]:
    """The labels of the rows that fit by their rank, the best first; on PostgreSQL as `label_long` reads them."""
    asking = {0: _Asking(asked, Index.WORDS, limit)}
    answer: dict[int, list[tuple[Any, ...]]] = {}
    while all(asked.groups) and not answer:
        found, params = asking[0].question()
        table, column = ("kb_search_docs", "labels") if is_sqlite() or asked.everything else ("", "facets")
        sql = f"SELECT 0, f.rank, {column} FROM ({found}) AS f"
        whole = f"{sql} JOIN {table} d ON d.rank = f.rank" if table else sql
        answer = _answered(asking, rows_prepared(whole, params))
    return {rank: labels for _, rank, labels in sorted(answer.get(0, []))}


def label_long(short: str) -> str:
    """A label as `labels` has it, from one of those or as PostgreSQL's rows have it in short: "c.cobol", "12"."""
    if short[0] == "/":
        return short
    field, _, value = short.rpartition(".")
    return label(_SHORT[field], value)


def tag_names(found: Sequence[int]) -> dict[int, str]:
    """The names of the tags with these numbers."""
    if not found:
        return {}
    chosen, params = _numbered("id", found)
    return dict(rows_prepared(f"SELECT id, name FROM kb_tags WHERE {chosen}", params))


def index_table(index: Index) -> str:
    """The FTS5 table of an index on SQLite, its GIN index on PostgreSQL."""
    return f"kb_search_{index.value}"


def _iso(column: str) -> str:
    """A time as text; on SQLite it is one, in UTC without saying so."""
    return f"CAST({column} AS text)" if is_sqlite() else f"to_char({column}, 'YYYY-MM-DD HH24:MI:SS.USOF')"


def _ranks_sql(asked: Asked, index: Index, limit: int) -> tuple[str, list[str]]:
    """SELECT of the ranks that fit, at most `limit` of them."""
    first, end = ranks_of_status(asked.status)
    if asked.everything:
        sql = f"SELECT rank FROM kb_search_docs WHERE rank >= {first:d} AND rank < {end:d} ORDER BY rank"
        return f"{sql} LIMIT {limit:d}", []
    if is_sqlite():
        name = index_table(index)
        sql = f"SELECT rowid AS rank FROM {name} WHERE {name} MATCH %s AND rowid >= {first:d} AND rowid < {end:d}"
        return f"{sql} ORDER BY rowid LIMIT {limit:d}", [_fts5(asked)]
    # The sums keep the planner from reading all rows in order of rank, vectors and all.
    between = f"rank + 0 >= {first:d} AND rank + 0 < {end:d}" if first else f"rank + 0 < {end:d}"
    sql = f"SELECT rank, facets FROM kb_search_vectors WHERE {index.value} @@ %s::tsquery AND {between}"
    return f"SELECT rank, facets FROM ({sql} ORDER BY rank + 0 LIMIT {limit:d}) AS found", [_tsquery(asked)]


def _fts5(asked: Asked) -> str:
    wanted = [(token,) for token in asked.labels] or ([] if asked.groups else [(EVERY_ROW,)])
    parts = [f"({' OR '.join(map(_fts5_token, tokens))})" for tokens in (*asked.groups, *wanted)]
    without = f" NOT ({' OR '.join(map(_fts5_token, asked.excluded))})" if asked.excluded else ""
    return f"({' AND '.join(parts)}){without}"


def _tsquery(asked: Asked) -> str:
    wanted = [(token,) for token in asked.labels] or ([] if asked.groups else [(EVERY_ROW,)])
    parts = [f"({' | '.join(map(_tsquery_token, tokens))})" for tokens in (*asked.groups, *wanted)]
    return " & ".join([*parts, *(f"!{_tsquery_token(token)}" for token in asked.excluded)])


def _fts5_token(token: str) -> str:
    return f'"{_bare(token)}"'


def _tsquery_token(token: str) -> str:
    return f"'{_bare(token)}'"


def _bare(token: str) -> str:
    """The token without any character that the analyser does not make; none is left by it."""
    return _FOREIGN.sub("", token)
