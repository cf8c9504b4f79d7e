"""Mends what an assessment offers to mend, in the database of the site, one problem of one column at a time."""

from __future__ import annotations

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


def repair_apply(source: BaseDatabaseWrapper, tables: tuple[Table, ...], *, table: str, column: str, code: str) -> int:
    """Mend a problem that values_assess found, by the names of its finding; how many rows were changed.

    A value that somebody changes meanwhile is left to them. Raises the database's IntegrityError where
    the mended rows break another rule; then nothing of that transaction is done.
    """
    found = next(one for one in tables if one.name == table)
    problem = next(one for one in Problem if one.code == code)
    if problem is Problem.SEQUENCE_BEHIND:
        return _sequence_mended(source, found)
    if problem is Problem.BROKEN_REFERENCE:
        return _references_mended(source, found, found.column(column))
    if source.vendor == "sqlite":
        return _sqlite_mended(source, tables, found, found.column(column), problem)
    return _postgresql_mended(source, found, found.column(column), problem)


def _sequence_mended(source: BaseDatabaseWrapper, table: Table) -> int:
    """Let PostgreSQL number on behind the last row; SQLite does so by itself."""
    key, name = source.ops.quote_name(table.key.name), source.ops.quote_name(table.name)
    with source.cursor() as cursor:
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence(%s, %s), (SELECT max({key}) FROM {name}))", [name, table.key.name]
        )
    return 1


def _references_mended(source: BaseDatabaseWrapper, table: Table, column: Column) -> int:
    """Empty the references that point at nothing, or delete the rows that are nothing without."""
    if column.references is None:
        return 0
    quote, name = source.ops.quote_name, source.ops.quote_name(table.name)
    key = quote(table.key.name)
    keys = f"SELECT child.{key} FROM {name} AS child WHERE {broken_condition(source, column, *column.references)}"
    act = f"UPDATE {name} SET {quote(column.name)} = NULL" if column.null else f"DELETE FROM {name}"
    with transaction.atomic(using=source.alias), source.cursor() as cursor:
        cursor.execute(f"{act} WHERE {key} IN ({keys})")
        return int(cursor.rowcount)


def _postgresql_mended(source: BaseDatabaseWrapper, table: Table, column: Column, problem: Problem) -> int:
    name = source.ops.quote_name(column.name)
    for found, condition, repair in conditions_of(column, name, "sqlite"):
        if found is problem and (repair or column.null):
            with transaction.atomic(using=source.alias), source.cursor() as cursor:
                cursor.execute(
                    f"UPDATE {source.ops.quote_name(table.name)} SET {name} = {repair or 'NULL'} WHERE {condition}"
                )
                return int(cursor.rowcount)
    return 0


def _sqlite_mended(
    source: BaseDatabaseWrapper, tables: tuple[Table, ...], table: Table, column: Column, problem: Problem
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
            for key, old, value in mended[start : start + REPAIR_ROWS]:
                changed += _value_set(source, table, column, key, old, value)
                if column is table.key:
                    _followed(source, tables, table, old, value)
    return changed


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
