"""Copies one range of one table, as one transaction of the target.

From SQLite to PostgreSQL the rows are packed for binary COPY; between two PostgreSQL servers the blocks of
COPY are passed on as they are; into SQLite go values, which it wants one by one.

Half of a copier's time from SQLite is the driver making Python values of rows. apsw takes 0.6 of what
sqlite3 takes for it, which is an eighth of the processor time of a copy with PostgreSQL's part: not enough for
a second SQLite library beside the first, whose file locks do not know of each other within one process.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import atomic

from migrations_ops.errors import RowRefusedError, SchemaDiffersError
from migrations_ops.move.packing import HEADER, TRAILER, Packer, packable
from migrations_ops.move.ranges import KeyRange, range_count, range_take
from migrations_ops.move.tables import Column, ColumnKind, Table
from migrations_ops.move.values import Row, readable, row_plain, row_spelled, unfit

#: Rows that are packed at a time, and the characters of long values after which fewer are.
BATCH_ROWS = 500
BATCH_CHARS = 256 * 1024


@dataclass(frozen=True)
class Copied:
    """What the copy of a range brought. No rows: another attempt had done it."""

    key_range: KeyRange
    rows: int
    bytes: int


def range_copy(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, table: Table, key_range: KeyRange) -> Copied:
    """Bring the rows of a range into the target, unless they are there.

    Raises ValueUnfitError, RowRefusedError; then nothing of the range is in the target.
    """
    copy = _COPIES[source.vendor, target.vendor]
    with atomic(using=target.alias):
        if not range_take(target, key_range):
            return Copied(key_range=key_range, rows=0, bytes=0)
        rows, size = copy(source, target, table, key_range)
        range_count(target, key_range, rows, size)
    return Copied(key_range=key_range, rows=rows, bytes=size)


def column_types(connection: BaseDatabaseWrapper, table: Table) -> dict[str, str]:
    """PostgreSQL's names of the types of a table's columns. Raises SchemaDiffersError where one is missing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
            "WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped",
            [connection.ops.quote_name(table.name)],
        )
        types = dict(cursor.fetchall())
    if missing := set(table.names) - types.keys():
        raise SchemaDiffersError(difference=f"{table.name} has no {', '.join(sorted(missing))}")
    return types


# SQLite to PostgreSQL ---------------------------------------------------------------------------


def _sqlite_to_postgresql(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, table: Table, key_range: KeyRange
) -> tuple[int, int]:
    packer = Packer(table, column_types(target, table))
    rows = size = 0
    try:
        with target.cursor() as cursor, cursor.copy(_copy_in(target, packer.table)) as copy:
            copy.write(HEADER)
            for batch in _sqlite_batches(source, packer.table, key_range):
                block = packer.packed(batch)
                copy.write(block)
                rows, size = rows + len(batch), size + len(block)
            copy.write(TRAILER)
    except psycopg.Error as error:
        raise _refused(source, packer.table, key_range, error) from error
    return rows, size


def _copy_in(target: BaseDatabaseWrapper, table: Table) -> str:
    quote = target.ops.quote_name
    return f"COPY {quote(table.name)} ({', '.join(map(quote, table.names))}) FROM STDIN (FORMAT binary)"


def _sqlite_select(source: BaseDatabaseWrapper, table: Table) -> str:
    columns = ", ".join(packable(column, source.ops.quote_name(column.name)) for column in table.columns)
    return f"SELECT {columns} FROM {source.ops.quote_name(table.name)} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"


def _sqlite_batches(source: BaseDatabaseWrapper, table: Table, key_range: KeyRange) -> Iterator[list[Row]]:
    """The rows of a range, so many at a time that they do not take much memory. Raises ValueUnfitError."""
    source.ensure_connection()
    long = [number for number, column in enumerate(table.columns) if _may_be_long(column)]
    cursor = source.connection.cursor()
    try:
        cursor.execute(_sqlite_select(source, table), (key_range.low, key_range.high))
        yield from _batches_by_size(cursor, long) if long else _batches_by_rows(cursor)
    except sqlite3.OperationalError as error:
        if "UTF-8" in str(error):
            raise _undecodable(source, table, key_range) from error
        raise
    finally:
        cursor.close()


def _may_be_long(column: Column) -> bool:
    return column.kind in {ColumnKind.JSON, ColumnKind.BINARY} or (
        column.kind is ColumnKind.TEXT and column.max_length is None
    )


def _batches_by_rows(cursor: sqlite3.Cursor) -> Iterator[list[Row]]:
    while batch := cursor.fetchmany(BATCH_ROWS):
        yield batch


def _batches_by_size(cursor: sqlite3.Cursor, long: list[int]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in cursor:
        batch.append(row)
        for number in long:
            size += len(row[number] or b"")
        if size > BATCH_CHARS or len(batch) == BATCH_ROWS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _undecodable(source: BaseDatabaseWrapper, table: Table, key_range: KeyRange) -> Exception:
    """The first value of the range that is no UTF-8."""
    raw = source.connection
    raw.text_factory = bytes
    try:
        for row in raw.execute(_sqlite_select(source, table), (key_range.low, key_range.high)):
            for column, value in zip(table.columns, row, strict=True):
                try:
                    if column.kind is not ColumnKind.BINARY and isinstance(value, bytes):
                        value.decode()
                except UnicodeDecodeError:
                    return unfit(table, column, row[table.columns.index(table.key)], value)
    finally:
        raw.text_factory = str
    return unfit(table, table.key, f"{key_range.low} to {key_range.high}", "no UTF-8")


def _refused(source: BaseDatabaseWrapper, table: Table, key_range: KeyRange, error: psycopg.Error) -> Exception:
    """The database's refusal with the row's key, where it names one; else the error itself."""
    found = re.search(r"^COPY \S+, line (\d+)(?:, column (\w+))?", error.diag.context or "", re.MULTILINE)
    if not found:
        return error
    sql = _sqlite_select(source, Table(name=table.name, key=table.key, columns=(table.key,)))
    row = source.connection.execute(
        f"{sql} LIMIT 1 OFFSET {int(found[1]) - 1}", (key_range.low, key_range.high)
    ).fetchone()
    return RowRefusedError(
        table=table.name,
        key=row[0] if row else "?",
        column=found[2] or "the row",
        reason=error.diag.message_primary or str(error),
    )


# From PostgreSQL --------------------------------------------------------------------------------


def _copy_out(source: BaseDatabaseWrapper, table: Table, columns: list[str], key_range: KeyRange) -> str:
    return (
        f"COPY (SELECT {', '.join(columns)} FROM {source.ops.quote_name(table.name)} "
        f"WHERE ctid >= '({key_range.low},0)'::tid AND ctid < '({key_range.high + 1},0)'::tid) "
        "TO STDOUT (FORMAT binary)"
    )


def _postgresql_to_postgresql(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, table: Table, key_range: KeyRange
) -> tuple[int, int]:
    types, others = column_types(source, table), column_types(target, table)
    if different := [name for name in table.names if types[name] != others[name]]:
        raise SchemaDiffersError(difference=f"{table.name}.{different[0]} is another type")
    out = _copy_out(source, table, [source.ops.quote_name(name) for name in table.names], key_range)
    size = 0
    with source.cursor() as reader, target.cursor() as writer:
        with reader.copy(out) as blocks, writer.copy(_copy_in(target, table)) as copy:
            for block in blocks:
                copy.write(block)
                size += len(block)
        return writer.rowcount, size


def _postgresql_to_sqlite(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, table: Table, key_range: KeyRange
) -> tuple[int, int]:
    """Two rows may hold one unique value when they were read at two moments; the one that was read first has
    changed since, so it gives way, and change capture brings it again."""
    quote = target.ops.quote_name
    marks = ", ".join("?" * len(table.columns))
    sql = f"INSERT OR REPLACE INTO {quote(table.name)} ({', '.join(map(quote, table.names))}) VALUES ({marks})"
    types = column_types(source, table)
    types |= {column.name: "text" for column in table.columns if column.kind is ColumnKind.JSON}
    out = _copy_out(source, table, [readable(source, column) for column in table.columns], key_range)
    sizes: list[int] = []
    with source.cursor() as cursor, cursor.copy(out) as copy:
        copy.set_types([types[name] for name in table.names])
        target.connection.executemany(sql, _spelled_rows(table, copy.rows(), sizes.append))
    return len(sizes), sum(sizes)


def _spelled_rows(table: Table, rows: Iterator[Row], measure: Callable[[int], None]) -> Iterator[Row]:
    for row in rows:
        spelled = row_spelled(table, row_plain(row))
        measure(sum(len(value) if isinstance(value, (str, bytes)) else 8 for value in spelled))
        yield spelled


_Copy = Callable[[BaseDatabaseWrapper, BaseDatabaseWrapper, Table, KeyRange], tuple[int, int]]
_COPIES: dict[tuple[Any, Any], _Copy] = {
    ("sqlite", "postgresql"): _sqlite_to_postgresql,
    ("postgresql", "postgresql"): _postgresql_to_postgresql,
    ("postgresql", "sqlite"): _postgresql_to_sqlite,
}
