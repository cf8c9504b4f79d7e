"""How the rows of the index are written and kept in step, in the words of each vendor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.utils import CursorWrapper

from knowledge.search.database import EVERY_ROW, Index, index_table
from knowledge.search.rows import database, is_sqlite, marks, numbers, rows

_HEAD = ("codes", "title", "tags", "labels")
#: The columns of a row that each index follows.
_FOLLOWED = {Index.HEAD: _HEAD, Index.WORDS: (*_HEAD, "problem", "solution")}
#: Rows that one statement adds; SQLite takes 32,766 values in one.
STATEMENT_ROWS = 500

_T = TypeVar("_T")


def rows_add(table: str, columns: Sequence[str], values: Sequence[tuple[Any, ...]]) -> None:
    """Add rows the fastest way.

    On SQLite many in one statement: before each statement with a trigger FTS5 writes what it has gathered.
    """
    named = f"{table} ({', '.join(columns)})"
    with database().cursor() as cursor:
        if is_sqlite():
            row = f"({marks(len(columns))})"
            for some in sliced(values, STATEMENT_ROWS):
                sql = f"INSERT INTO {named} VALUES {', '.join([row] * len(some))}"
                cursor.execute(sql, list(chain.from_iterable(some)))
        else:
            rows_copy(cursor, named, values)


def rows_copy(cursor: CursorWrapper, named: str, values: Sequence[tuple[Any, ...]]) -> None:
    """Add rows to a table of PostgreSQL by COPY; `named` is its name with the columns, as in an INSERT."""
    if values:
        with cursor.db.wrap_database_errors, cursor.copy(f"COPY {named} FROM STDIN") as copy:
            for one in values:
                copy.write_row(one)


def sliced(values: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """The values in order, so many at a time."""
    for first in range(0, len(values), size):
        yield values[first : first + size]


def documents_add(columns: Sequence[str], found: Sequence[tuple[Any, ...]]) -> None:
    """Add rows of documents; the indexes follow by triggers."""
    if found:
        rows_add("kb_search_docs", columns, found)
        tokens_sorted()


def documents_delete(found: Sequence[int]) -> None:
    """Take away the rows with these ranks; nobody is told, unlike when Django deletes them."""
    if found:
        with database().cursor() as cursor:
            cursor.execute(f"DELETE FROM kb_search_docs WHERE rank IN ({numbers(found)})")


def docs_and_terms() -> Iterator[tuple[str, str, int | None]]:
    """Status and all tokens of every row, then every term with its frequency: one statement, one state of both."""
    columns = " || ' ' || ".join((*_HEAD, "problem", "solution"))
    sql = (
        f"SELECT status, {columns}, CAST(NULL AS integer) FROM kb_search_docs "
        "UNION ALL SELECT '', term, df FROM kb_search_terms"
    )
    with database().chunked_cursor() as cursor:
        cursor.execute(sql)
        while some := cursor.fetchmany(500):
            yield from some


def index_lost() -> bool:
    """Whether SQLite's FTS5 tables hold other rows than the table that they follow; PostgreSQL's cannot."""
    if not is_sqlite():
        return False
    for index in Index:
        held = f"SELECT rowid FROM {index_table(index)} WHERE {index_table(index)} MATCH '\"{EVERY_ROW}\"'"
        for one, other in (("SELECT rank FROM kb_search_docs", held), (held, "SELECT rank FROM kb_search_docs")):
            if rows(f"{one} EXCEPT {other} LIMIT 1"):
                return True
    return False


def index_resync(using: str = DEFAULT_DB_ALIAS) -> None:
    """Fill the tables that each database's own index lives in from the rows that they follow, in one transaction.

    A contentless FTS5 table that does not hold what a row says refuses to delete it ("database disk
    image is malformed"), so this comes before rows are written again.
    """
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        # Asked inside: between two transactions the site can move to the other database.
        fill = _fts_fill if connections[using].vendor == "sqlite" else _vectors_fill
        fill(cursor)
        tokens_sorted(using)
        rows_analysed(using)


def _fts_fill(cursor: CursorWrapper) -> None:
    for index, columns in _FOLLOWED.items():
        name = index_table(index)
        cursor.execute(f"INSERT INTO {name}({name}) VALUES ('delete-all')")
        cursor.execute(
            f"INSERT INTO {name}(rowid, tokens) SELECT rank, {_joined(columns)} FROM kb_search_docs ORDER BY rank"
        )


def _vectors_fill(cursor: CursorWrapper) -> None:
    """The same expressions as those of the trigger, which a migration has made."""
    values = [
        f"array_to_tsvector(array_remove(string_to_array({_joined(each)}, ' '), ''))" for each in _FOLLOWED.values()
    ]
    cursor.execute("DELETE FROM kb_search_vectors")
    cursor.execute(
        f"INSERT INTO kb_search_vectors (rank, head, words, facets) SELECT rank, {', '.join(values)}, {_facets()} "
        "FROM kb_search_docs"
    )


def _facets() -> str:
    """SQL of what PostgreSQL's rows have of the labels: category, severity and numbers of the tags, in short."""
    labels = "split_part(split_part(labels, ' /code.', 1), ' /top.', 1)"
    for long, short in ((" /e /category.", "c."), ("/severity.", "s."), ("/tag.", "")):
        labels = f"replace({labels}, '{long}', '{short}')"
    return f"rtrim({labels})"


def _joined(columns: Iterable[str]) -> str:
    return " || ' ' || ".join(columns)


def tokens_sorted(using: str | None = None) -> None:
    """Sort the tokens of rows that were just written into the indexes; in the transaction that wrote them.

    PostgreSQL gathers them as they come (`fastupdate`) and sorts a thousand in for the price of a few, but
    every search reads what is gathered from end to end. A database that is just being made may not have the
    indexes yet.
    """
    connection = database() if using is None else connections[using]
    if connection.vendor == "postgresql":
        sort = ", ".join(f"gin_clean_pending_list(to_regclass('{index_table(index)}'))" for index in Index)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {sort}")


def rows_analysed(using: str = DEFAULT_DB_ALIAS) -> None:
    """Tell PostgreSQL's planner how many rows the tables of the index have got."""
    if connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            cursor.execute("ANALYZE kb_search_docs, kb_search_vectors, kb_search_terms, kb_search_grams")
