"""Mends what an assessment offers to mend, in the database of the site, one problem of one column at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.assess_sqlite import limits_of, sqlite_rows
from migrations_ops.move.problems import NO_REPAIR, Problem, problem_of, repaired
from migrations_ops.move.problems_postgresql import conditions_of
from migrations_ops.move.soundness import broken_condition
from migrations_ops.move.tables import Column, Table

#: Rows that are mended in one transaction: writers wait that long.
REPAIR_ROWS = 500

#: Called inside the transaction that has changed these rows of a table, with their keys.
Follow = Callable[[str, Sequence[Any]], None]


def repair_apply(
    source: BaseDatabaseWrapper,
    tables: tuple[Table, ...],
    *,
    table: str,
    column: str,
    code: str,
    follow: Follow = lambda table, keys: None,
) -> int:
    """Mend a problem that values_assess found, by the names of its finding; how many rows were changed.

    A value that somebody changes meanwhile is left to them. Raises the database's IntegrityError where
    the mended rows break another rule; then nothing of that transaction is done.
    """
    found = next(one for one in tables if one.name == table)
    problem = next(one for one in Problem if one.code == code)
    if problem is Problem.SEQUENCE_BEHIND:
        return _sequence_mended(source, found)
    if problem is Problem.BROKEN_REFERENCE:
        return _references_mended(source, found, found.column(column), follow)
    if source.vendor == "sqlite":
        return _sqlite_mended(source, tables, found, found.column(column), problem, follow)
    return _postgresql_mended(source, found, found.column(column), problem, follow)


def _sequence_mended(source: BaseDatabaseWrapper, table: Table) -> int:
    """Let PostgreSQL number on behind the last row; SQLite does so by itself."""
    key, name = source.ops.quote_name(table.key.name), source.ops.quote_name(table.name)
    with source.cursor() as cursor:
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence(%s, %s), (SELECT max({key}) FROM {name}))", [name, table.key.name]
        )
    return 1


def _references_mended(source: BaseDatabaseWrapper, table: Table, column: Column, follow: Follow) -> int:
    """Empty the references that point at nothing, or delete the rows that are nothing without."""
    if column.references is None:
        return 0
    quote, name = source.ops.quote_name, source.ops.quote_name(table.name)
    key = quote(table.key.name)
    keys = f"SELECT child.{key} FROM {name} AS child WHERE {broken_condition(source, column, *column.references)}"
    act = f"UPDATE {name} SET {quote(column.name)} = NULL" if column.null else f"DELETE FROM {name}"
    return _changed(source, table, f"{act} WHERE {key} IN ({keys})", follow)


def _changed(source: BaseDatabaseWrapper, table: Table, sql: str, follow: Follow) -> int:
    """Carry out a statement on a table and what follows it; how many rows it changed."""
    with transaction.atomic(using=source.alias):
        with source.cursor() as cursor:
            cursor.execute(f"{sql} RETURNING {source.ops.quote_name(table.key.name)}")
            keys = [key for (key,) in cursor.fetchall()]
        if keys:
            follow(table.name, keys)
    return len(keys)


def _postgresql_mended(
    source: BaseDatabaseWrapper, table: Table, column: Column, problem: Problem, follow: Follow
) -> int:
    name = source.ops.quote_name(column.name)
    for found, condition, repair in conditions_of(column, name, "sqlite"):
        if found is problem and (repair or column.null):
            act = f"UPDATE {source.ops.quote_name(table.name)} SET {name} = {repair or 'NULL'}"
            return _changed(source, table, f"{act} WHERE {condition}", follow)
    return 0


def _sqlite_mended(
    source: BaseDatabaseWrapper,
    tables: tuple[Table, ...],
    table: Table,
    column: Column,
    problem: Problem,
    follow: Follow,
) -> int:
    limits = limits_of(table, column)
    place = table.columns.index(column) + 1
    mended = []
    for rows in sqlite_rows(source, table):
        for row in rows:
            if problem_of(column, row[place], limits) is problem:
                value = repaired(column, problem, row[place])
                mended += [] if value is NO_REPAIR else [(row[0], row[place], value)]
    changed = 0
    for start in range(0, len(mended), REPAIR_ROWS):
        with transaction.atomic(using=source.alias):
            keys = list(_values_set(source, tables, table, column, mended[start : start + REPAIR_ROWS]))
            if keys:
                follow(table.name, keys)
        changed += len(keys)
    return changed


def _values_set(
    source: BaseDatabaseWrapper,
    tables: tuple[Table, ...],
    table: Table,
    column: Column,
    mended: list[tuple[Any, Any, Any]],
) -> Iterator[Any]:
    """Put the new values in their places; the keys of the rows that still had the old ones."""
    for key, old, value in mended:
        if _value_set(source, table, column, key, old, value):
            yield value if column is table.key else _bound(key)
        if column is table.key:
            _followed(source, tables, table, old, value)


def _value_set(source: BaseDatabaseWrapper, table: Table, column: Column, key: Any, old: Any, value: Any) -> int:
    quote = source.ops.quote_name
    where = f"{quote(table.key.name)} = %s AND {_same(quote(column.name), old)}"
    with source.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quote(table.name)} SET {quote(column.name)} = %s WHERE {where}", [value, _bound(key), _blob(old)]
        )
        return int(cursor.rowcount)


def _followed(source: BaseDatabaseWrapper, tables: tuple[Table, ...], table: Table, old: Any, value: Any) -> None:
    """Let the rows that point at a key follow its new spelling."""
    quote = source.ops.quote_name
    for child in tables:
        for column in child.columns:
            if column.references == (table.name, table.key.name):
                with source.cursor() as cursor:
                    cursor.execute(
                        f"UPDATE {quote(child.name)} SET {quote(column.name)} = %s WHERE {quote(column.name)} = %s",
                        [value, _bound(old)],
                    )


def _same(name: str, old: Any) -> str:
    """Whether the old value still stands there; texts byte by byte, because they may be no UTF-8."""
    return f"CAST({name} AS BLOB) IS %s" if isinstance(old, (bytes, bytearray)) else f"{name} IS %s"


def _blob(old: Any) -> Any:
    return bytes(old) if isinstance(old, bytearray) else old


def _bound(key: Any) -> Any:
    return bytes(key).decode() if isinstance(key, bytearray) else key
