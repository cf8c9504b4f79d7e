"""The questions that a search asks its database, in the words of each vendor.

Tokens come from the analyser, which leaves no character that means anything to FTS5 or tsquery;
they are quoted all the same. Everything else is a number or a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from knowledge.search.rank import ranks_of_status

_FOREIGN = re.compile(r"[^\w.$#@/-]")
_HEAD = ("codes", "title", "tags", "labels")

#: Rows that one statement adds; SQLite takes 32,766 values in one.
STATEMENT_ROWS = 500

#: What PostgreSQL gathers of a rebuild before it sorts it in; a search in between reads half of it on average.
GATHERED_KB = 2_048

_T = TypeVar("_T")

#: The label that every row has. No word of a text begins with a slash.
EVERY_ROW = "/e"


class Index(Enum):
    """Which tokens are asked: codes, title and tags only, or everything."""

    HEAD = "head"
    WORDS = "words"


#: The columns of a row that each index follows.
_FOLLOWED = {Index.HEAD: _HEAD, Index.WORDS: (*_HEAD, "problem", "solution")}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row must have: one token of every group, every label, none of the excluded tokens."""

    groups: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    #: Empty for every status.
    status: str = ""

    @property
    def everything(self) -> bool:
        return not (self.groups or self.labels or self.excluded)


#: A row as `documents` gives it: rank, merit, then by field its tokens with a blank before, between and after.
Document = tuple[Any, ...]
#: Number of the first field of a Document, codes; title, tags, problem and solution follow.
FIRST_FIELD = 2
_DOCUMENT = ("rank", "merit", "codes", "title", "tags", "problem", "solution")


_searched: ContextVar[str] = ContextVar("searched", default=DEFAULT_DB_ALIAS)


@contextmanager
def searched_at(alias: str) -> Iterator[None]:
    """Searches in here ask the database of this alias, to compare two of them."""
    token = _searched.set(alias)
    try:
        yield
    finally:
        _searched.reset(token)


def searched() -> str:
    """The alias of the database that searches ask."""
    return _searched.get()


def _connection() -> BaseDatabaseWrapper:
    return connections[_searched.get()]


def rows(sql: str, params: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
    """What the database answers."""
    with _connection().cursor() as cursor:
        cursor.execute(sql, list(params))
        return list(cursor.fetchall())


def marks(count: int) -> str:
    """Place holders for so many parameters."""
    return ", ".join(["%s"] * count)


def label(field: str, value: object) -> str:
    """The token of a filter's value in the rows: a category or severity, or the number of a tag or code."""
    return f"/{field}.{str(value).lower()}"


def ranks(asked: Asked, index: Index, *, limit: int) -> list[int]:
    """Rows that fit, best static rank first; none where a group has no token."""
    if not all(asked.groups):
        return []
    sql, params = _ranks_sql(asked, index, limit)
    return [row[0] for row in rows(sql, params)]


def count(asked: Asked, *, cap: int) -> int:
    """How many rows fit; counting stops at `cap`."""
    if not all(asked.groups):
        return 0
    sql, params = _ranks_sql(asked, Index.WORDS, cap, ordered=False)
    return int(rows(f"SELECT count(*) FROM ({sql}) AS counted", params)[0][0])


def ranks_of_each(questions: Sequence[tuple[Asked, Index]], *, limit: int) -> list[int]:
    """Rows that fit any of the questions, at most `limit` of each, the first question's first."""
    parts, params = [], []
    for number, (asked, index) in enumerate(questions):
        sql, values = _ranks_sql(asked, index, limit)
        parts.append(f"SELECT {number} AS n, rank FROM ({sql}) AS q{number}")
        params += values
    found = rows(f"{' UNION ALL '.join(parts)} ORDER BY 1, 2", params) if parts else []
    return list(dict.fromkeys(rank for _, rank in found))


def one_of(column: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    """A condition that a column has one of these values, and its parameters; many place holders are slow to read."""
    if _is_sqlite():
        return f"{column} IN ({marks(len(values))})", list(values)
    return f"{column} = ANY(%s)", [list(values)]


def rows_add(table: str, columns: Sequence[str], values: Sequence[tuple[Any, ...]]) -> None:
    """Add rows the fastest way.

    On SQLite many in one statement: before each statement with a trigger FTS5 writes what it has gathered.
    """
    named = f"{table} ({', '.join(columns)})"
    with _connection().cursor() as cursor:
        if _is_sqlite():
            row = f"({marks(len(columns))})"
            for some in sliced(values, STATEMENT_ROWS):
                sql = f"INSERT INTO {named} VALUES {', '.join([row] * len(some))}"
                cursor.execute(sql, list(chain.from_iterable(some)))
        elif values:
            with _connection().wrap_database_errors, cursor.copy(f"COPY {named} FROM STDIN") as copy:
                for one in values:
                    copy.write_row(one)


def sliced(values: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """The values in order, so many at a time."""
    for first in range(0, len(values), size):
        yield values[first : first + size]


def documents_delete(found: Sequence[int]) -> None:
    """Take away the rows with these ranks; nobody is told, unlike when Django deletes them."""
    if found:
        with _connection().cursor() as cursor:
            cursor.execute(f"DELETE FROM kb_search_docs WHERE rank IN ({_numbers(found)})")


def documents(found: Sequence[int], *, fields: int) -> list[Document]:
    """The rows with these ranks, in any order, with so many of their fields: 4 leave the solution out, 5 are all."""
    if not found:
        return []
    columns = ", ".join(_DOCUMENT[: FIRST_FIELD + fields])
    return rows(f"SELECT {columns} FROM kb_search_docs WHERE rank IN ({_numbers(found)})")


def hexadecimal(value: UUID | str) -> str:
    """A UUID as SQLite holds it."""
    return value if isinstance(value, str) else value.hex


def stored(key: UUID) -> UUID | str:
    """A UUID as the database holds it."""
    return key.hex if _is_sqlite() else key


def taken(found: Sequence[int]) -> set[int]:
    """Those of these ranks that a row has."""
    if not found:
        return set()
    return {row[0] for row in rows(f"SELECT rank FROM kb_search_docs WHERE rank IN ({_numbers(found)})")}


def entries(found: Sequence[int], columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Rank, names of the first codes, and these columns of the entries of these rows, in any order."""
    if not found:
        return []
    chosen = ", ".join(f"e.{column}" for column in columns)
    sql = f"SELECT d.rank, d.code_names, {chosen} FROM kb_search_docs d JOIN kb_entries e ON e.id = d.entry_id"
    return rows(f"{sql} WHERE d.rank IN ({_numbers(found)})")


def kinds_of(found: Sequence[int]) -> list[tuple[str, str, int]]:
    """How many of these rows have each category and severity."""
    if not found:
        return []
    sql = f"SELECT category, severity, count(*) FROM kb_search_docs WHERE rank IN ({_numbers(found)}) GROUP BY 1, 2"
    return [(category, severity, count) for category, severity, count in rows(sql)]


def tags_of(found: Sequence[int], *, limit: int) -> list[tuple[str, int]]:
    """The most frequent tags of these rows."""
    if not found:
        return []
    query = (
        "SELECT t.name, counted.entries FROM (SELECT et.tag_id AS tag_id, count(*) AS entries FROM kb_search_docs d "
        f"JOIN kb_entry_tags et ON et.entry_id = d.entry_id WHERE d.rank IN ({_numbers(found)}) GROUP BY et.tag_id"
        f") AS counted JOIN kb_tags t ON t.id = counted.tag_id ORDER BY 2 DESC, {_by_bytes('t.name')} LIMIT %s"
    )
    return [(name, entries) for name, entries in rows(query, [limit])]


def docs_and_terms() -> Iterator[tuple[str, str, int | None]]:
    """Status and all tokens of every row, then every term with its frequency: one statement, one state of both."""
    columns = " || ' ' || ".join((*_HEAD, "problem", "solution"))
    sql = (
        f"SELECT status, {columns}, CAST(NULL AS integer) FROM kb_search_docs "
        "UNION ALL SELECT '', term, df FROM kb_search_terms"
    )
    with _connection().chunked_cursor() as cursor:
        cursor.execute(sql)
        while some := cursor.fetchmany(500):
            yield from some


def index_lost() -> bool:
    """Whether SQLite's FTS5 tables hold other rows than the table that they follow; PostgreSQL's cannot."""
    if not _is_sqlite():
        return False
    for index in Index:
        held = f"SELECT rowid FROM {_table(index)} WHERE {_table(index)} MATCH '\"{EVERY_ROW}\"'"
        for one, other in (("SELECT rank FROM kb_search_docs", held), (held, "SELECT rank FROM kb_search_docs")):
            if rows(f"{one} EXCEPT {other} LIMIT 1"):
                return True
    return False


def index_resync(using: str = DEFAULT_DB_ALIAS) -> None:
    """Fill the tables that each database's own index lives in from the rows that they follow, in one transaction.

    A contentless FTS5 table that does not hold what a row says refuses to delete it ("database disk
    image is malformed"), so this comes before rows are written again.
    """
    with transaction.atomic(using=using), writes_gathered(using), connections[using].cursor() as cursor:
        # Asked inside: between two transactions the site can move to the other database.
        fill = _fts_fill if connections[using].vendor == "sqlite" else _vectors_fill
        fill(cursor)


def _fts_fill(cursor: CursorWrapper) -> None:
    for index, columns in _FOLLOWED.items():
        table = _table(index)
        cursor.execute(f"INSERT INTO {table}({table}) VALUES ('delete-all')")
        cursor.execute(
            f"INSERT INTO {table}(rowid, tokens) SELECT rank, {_joined(columns)} FROM kb_search_docs ORDER BY rank"
        )


def _vectors_fill(cursor: CursorWrapper) -> None:
    """The same expression as that of the trigger, which a migration has made."""
    vectors = (
        f"array_to_tsvector(array_remove(string_to_array({_joined(each)}, ' '), ''))" for each in _FOLLOWED.values()
    )
    cursor.execute("DELETE FROM kb_search_vectors")
    cursor.execute(
        f"INSERT INTO kb_search_vectors (rank, head, words) SELECT rank, {', '.join(vectors)} FROM kb_search_docs"
    )


def _joined(columns: Iterable[str]) -> str:
    return " || ' ' || ".join(columns)


@contextmanager
def writes_gathered(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Many rows are written in this block: PostgreSQL sorts their tokens in by the thousand, not one by one.

    A search meanwhile reads what was gathered from end to end, so this is for bulk only. A database that is
    just being made may not have the indexes yet, and the site may have moved when the block ends.
    """
    _gin_set(using, f"fastupdate = on, gin_pending_list_limit = {GATHERED_KB:d}")
    yield
    _gin_set(using, "fastupdate = off")


def _gin_set(using: str, parameters: str) -> None:
    """Set these parameters of the indexes, sort in what was gathered, and count the rows for the planner."""
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        if connections[using].vendor == "sqlite":
            return
        for index in Index:
            cursor.execute(f"ALTER INDEX IF EXISTS {_table(index)} SET ({parameters})")
            cursor.execute(f"SELECT gin_clean_pending_list(to_regclass('{_table(index)}'))")
        cursor.execute("ANALYZE kb_search_docs, kb_search_vectors, kb_search_terms, kb_search_grams")


def _is_sqlite() -> bool:
    return _connection().vendor == "sqlite"


def _table(index: Index) -> str:
    return f"kb_search_{index.value}"


def _by_bytes(column: str) -> str:
    """A column to sort by, the same on every database whatever its collation."""
    return column if _is_sqlite() else f'{column} COLLATE "C"'


def _numbers(values: Iterable[int]) -> str:
    return ", ".join(f"{value:d}" for value in values)


def _ranks_sql(asked: Asked, index: Index, limit: int, *, ordered: bool = True) -> tuple[str, list[str]]:
    """SELECT of the ranks that fit, at most `limit` of them."""
    first, end = ranks_of_status(asked.status)
    if asked.everything:
        sql = f"SELECT rank FROM kb_search_docs WHERE rank >= {first:d} AND rank < {end:d} ORDER BY rank"
        return f"{sql} LIMIT {limit:d}", []
    if _is_sqlite():
        table = _table(index)
        sql = f"SELECT rowid AS rank FROM {table} WHERE {table} MATCH %s AND rowid >= {first:d} AND rowid < {end:d}"
        return f"{sql}{' ORDER BY rowid' if ordered else ''} LIMIT {limit:d}", [_fts5(asked)]
    # The sums keep the planner from reading all rows in order of rank, vectors and all.
    between = f"rank + 0 >= {first:d} AND rank + 0 < {end:d}" if first else f"rank + 0 < {end:d}"
    sql = f"SELECT rank FROM kb_search_vectors WHERE {index.value} @@ %s::tsquery AND {between}"
    return f"SELECT rank FROM ({sql}{' ORDER BY rank + 0' if ordered else ''} LIMIT {limit:d}) AS found", [
        _tsquery(asked)
    ]


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
