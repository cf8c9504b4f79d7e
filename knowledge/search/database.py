"""The questions that a search asks its database, in the words of each vendor.

Tokens come from the analyser, which leaves no character that means anything to FTS5 or tsquery;
they are quoted all the same. Everything else is a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.db import connection, transaction

from knowledge.search.query import Alternative, Group
from knowledge.search.types import SearchFilters

_FOREIGN = re.compile(r"[^\w.$#@/-]")


class Index(Enum):
    """Which tokens are asked: codes, title and tags only, or everything."""

    HEAD = "head"
    WORDS = "words"


@dataclass(frozen=True)
class Asked:
    """What a row must have: every group, none of the excluded tokens, and the filters."""

    groups: tuple[Group, ...]
    excluded: tuple[str, ...]
    filters: SearchFilters
    index: Index = Index.WORDS
    #: Rows that are known already and not wanted again.
    without: tuple[int, ...] = ()


def ranks(asked: Asked, *, limit: int, offset: int = 0) -> list[int]:
    """Rows that fit, best static rank first."""
    sql, params = _from_where(asked)
    return [
        row[0]
        for row in _rows(f"SELECT d.rank {sql} ORDER BY {_order(asked)} LIMIT %s OFFSET %s", [*params, limit, offset])
    ]


def count(asked: Asked, *, cap: int) -> int:
    """How many rows fit; counting stops at `cap`."""
    sql, params = _from_where(asked)
    return int(_rows(f"SELECT count(*) FROM (SELECT 1 AS one {sql} LIMIT %s) AS found", [*params, cap])[0][0])


def frequencies(groups: Sequence[Group], *, cap: int) -> list[int]:
    """How many entries have each group, in one query; counting stops at `cap`."""
    if not groups:
        return []
    parts, params = [], []
    for number, group in enumerate(groups):
        where, values = _match(Index.WORDS, (group,))
        parts.append(
            f"SELECT {number} AS n, count(*) AS df FROM (SELECT 1 AS one FROM {_table(Index.WORDS)} WHERE {where} LIMIT {cap:d}) AS f{number}"
        )
        params += values
    counts = dict(_rows(" UNION ALL ".join(parts), params))
    return [counts[number] for number in range(len(groups))]


def entries_counted(*, cap: int) -> int:
    """How many entries are indexed; counting stops at `cap`."""
    return int(_rows("SELECT count(*) FROM (SELECT 1 AS one FROM kb_search_docs LIMIT %s) AS d", [cap])[0][0])


def value_counts(asked: Asked, column: str, *, cap: int) -> dict[str, int]:
    """How many of the first `cap` rows that fit have each category or severity."""
    sql, params = _from_where(asked)
    inner = f"SELECT d.{column} AS value {sql} ORDER BY {_order(asked)} LIMIT %s"
    return dict(_rows(f"SELECT value, count(*) FROM ({inner}) AS found GROUP BY value", [*params, cap]))


def tag_counts(asked: Asked, *, cap: int, limit: int) -> list[tuple[str, int]]:
    """The most frequent tags of the first `cap` rows that fit."""
    sql, params = _from_where(asked)
    inner = f"SELECT d.entry_id AS entry_id {sql} ORDER BY {_order(asked)} LIMIT %s"
    query = (
        f"SELECT t.name, count(*) AS entries FROM ({inner}) AS found "
        "JOIN kb_entry_tags et ON et.entry_id = found.entry_id JOIN kb_tags t ON t.id = et.tag_id "
        f"GROUP BY t.name ORDER BY entries DESC, {_by_bytes('t.name')} LIMIT %s"
    )
    return [(name, entries) for name, entries in _rows(query, [*params, cap, limit])]


def tags_of(found: Sequence[int], *, limit: int) -> list[tuple[str, int]]:
    """The most frequent tags of these rows."""
    if not found:
        return []
    query = (
        "SELECT t.name, count(*) AS entries FROM kb_search_docs d "
        "JOIN kb_entry_tags et ON et.entry_id = d.entry_id JOIN kb_tags t ON t.id = et.tag_id "
        f"WHERE d.rank IN ({', '.join(['%s'] * len(found))}) GROUP BY t.name ORDER BY entries DESC, {_by_bytes('t.name')} LIMIT %s"
    )
    return [(name, entries) for name, entries in _rows(query, [*found, limit])]


def index_resync() -> None:
    """Fill SQLite's FTS5 tables from the rows that they follow; PostgreSQL's columns cannot differ.

    A contentless FTS5 table that does not hold what a row says refuses to delete it ("database disk
    image is malformed"), so this comes before rows are written again.
    """
    if not _is_sqlite():
        return
    head = ("codes", "title", "tags")
    with transaction.atomic(), connection.cursor() as cursor:
        for index, columns in ((Index.HEAD, head), (Index.WORDS, (*head, "problem", "solution"))):
            table, tokens = f"kb_search_{index.value}", " || ' ' || ".join(columns)
            cursor.execute(f"INSERT INTO {table}({table}) VALUES ('delete-all')")
            cursor.execute(f"INSERT INTO {table}(rowid, tokens) SELECT rank, {tokens} FROM kb_search_docs")


def _rows(sql: str, params: Iterable[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(params))
        return list(cursor.fetchall())


def _is_sqlite() -> bool:
    return connection.vendor == "sqlite"


def _by_bytes(column: str) -> str:
    """A column to sort by, the same on every database whatever its collation."""
    return column if _is_sqlite() else f'{column} COLLATE "C"'


def _table(index: Index) -> str:
    """What a match is asked of when no other column is needed."""
    return f"kb_search_{index.value}" if _is_sqlite() else "kb_search_docs d"


def _order(asked: Asked) -> str:
    """The rank; asked of the FTS table where there is one, which reads it in that order."""
    return f"kb_search_{asked.index.value}.rowid" if _is_sqlite() and asked.groups else "d.rank"


def _from_where(asked: Asked) -> tuple[str, list[Any]]:
    """FROM and WHERE of the rows that fit."""
    where: list[str] = []
    params: list[Any] = []
    table = "kb_search_docs d"
    if asked.groups:
        if _is_sqlite():
            fts = f"kb_search_{asked.index.value}"
            table = f"{fts} CROSS JOIN kb_search_docs d ON d.rank = {fts}.rowid"
        match, values = _match(asked.index, asked.groups)
        where.append(match)
        params += values
    for condition, values in (*_excluded(asked.excluded), *_filtered(asked.filters)):
        where.append(condition)
        params += values
    if asked.without:
        where.append(f"d.rank NOT IN ({', '.join(['%s'] * len(asked.without))})")
        params += asked.without
    return f"FROM {table} WHERE {' AND '.join(where) or '1 = 1'}", params


def _match(index: Index, groups: Sequence[Group]) -> tuple[str, list[Any]]:
    """The condition that a row has every group."""
    if _is_sqlite():
        terms = ["(" + " OR ".join(_fts5(one) for one in group.alternatives) + ")" for group in groups]
        return f"kb_search_{index.value} MATCH %s", [" AND ".join(terms)]
    terms = ["(" + " | ".join(_tsquery(one) for one in group.alternatives) + ")" for group in groups]
    return f"d.{index.value} @@ %s::tsquery", [" & ".join(terms)]


def _excluded(excluded: Sequence[str]) -> list[tuple[str, list[Any]]]:
    conditions: list[tuple[str, list[Any]]] = []
    for token in excluded:
        match, values = _match(Index.WORDS, (Group((Alternative(token),)),))
        if _is_sqlite():
            conditions.append((f"d.rank NOT IN (SELECT rowid FROM kb_search_words WHERE {match})", values))
        else:
            conditions.append((f"NOT {match}", values))
    return conditions


def _filtered(filters: SearchFilters) -> list[tuple[str, list[Any]]]:
    conditions: list[tuple[str, list[Any]]] = [
        (f"d.{column} = %s", [value])
        for column, value in (
            ("status", filters.status),
            ("category", filters.category),
            ("severity", filters.severity),
        )
        if value
    ]
    if filters.tag:
        tagged = "SELECT et.entry_id FROM kb_entry_tags et JOIN kb_tags t ON t.id = et.tag_id WHERE t.name = %s"
        conditions.append((f"d.entry_id IN ({tagged})", [filters.tag]))
    if filters.code:
        coded = "SELECT ec.entry_id FROM kb_entry_codes ec JOIN kb_error_codes c ON c.id = ec.error_code_id WHERE c.code = %s"
        conditions.append((f"d.entry_id IN ({coded})", [filters.code]))
    return conditions


def _fts5(one: Alternative) -> str:
    return f'"{_bare(one.token)}"{" *" if one.prefix else ""}'


def _tsquery(one: Alternative) -> str:
    return f"'{_bare(one.token)}'{':*' if one.prefix else ''}"


def _bare(token: str) -> str:
    """The token without any character that the analyser does not make; none is left by it."""
    return _FOREIGN.sub("", token)
