"""Rows of both databases as the same Python values, for sets that fit into memory.

Integers, booleans and floats are themselves; Decimal, UUID, date, time, timedelta and bytes likewise;
a timestamp is an aware datetime in UTC; JSON is its text, because reading and writing it again would
make 1.50 of 1.5 and SQL NULL of null.

SQLite says of each value what it is, whatever the column was declared as, so every value is looked at.
Large sets go through migrations_ops.move.packing, which agrees with this module value by value.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import ValueUnfitError
from migrations_ops.move.tables import Column, ColumnKind, Table

Key = int | str | UUID
Row = tuple[Any, ...]

#: SQLite keeps a decimal as a float, of which it and Django promise 15 digits.
SQLITE_DECIMAL_DIGITS = 15

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?(\+00:00|Z)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def rows_fetch(connection: BaseDatabaseWrapper, table: Table, keys: Iterable[Any]) -> list[Row]:
    """The rows that have these keys (as values or as a database spells them); those that are gone are not in it.

    Raises ValueUnfitError for a value that its column cannot mean.
    """
    condition, values = _keys_condition(connection, table, keys)
    columns = ", ".join(readable(connection, column) for column in table.columns)
    name = connection.ops.quote_name(table.name)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {name} WHERE {condition}", [values])
        rows = cursor.fetchall()
    if connection.vendor == "sqlite":
        return [row_parse(table, row) for row in rows]
    return [row_plain(row) for row in rows]


def rows_delete(connection: BaseDatabaseWrapper, table: Table, keys: Iterable[Any]) -> int:
    """Delete the rows that have these keys; how many there were."""
    condition, values = _keys_condition(connection, table, keys)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {connection.ops.quote_name(table.name)} WHERE {condition}", [values])
        return int(cursor.rowcount)


def rows_write(connection: BaseDatabaseWrapper, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows whose keys are not there. Raises ValueUnfitError and the database's own IntegrityError."""
    if rows and connection.vendor == "sqlite":
        _rows_write_sqlite(connection, table, rows)
    elif rows:
        _rows_write_postgresql(connection, table, rows)


def key_parse(table: Table, raw: Any) -> Key:
    """The key that a database spelled as a number or a text. Raises ValueUnfitError."""
    match table.key.kind, raw:
        case ColumnKind.INTEGER, int():
            return int(raw)
        case ColumnKind.INTEGER, str() if re.fullmatch(r"-?\d+", raw, re.ASCII):
            return int(raw)
        case ColumnKind.UUID, UUID():
            return raw
        case ColumnKind.UUID, str() if _UUID.fullmatch(raw):
            return UUID(raw)
        case ColumnKind.TEXT, str():
            return raw
    raise unfit(table, table.key, raw, raw)


def unfit(table: Table, column: Column, key: Any, value: Any) -> ValueUnfitError:
    """The error for a value that its column cannot mean."""
    shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
    return ValueUnfitError(table=table.name, key=key, column=column.name, value=shown, kind=column.kind.value)


def _keys_condition(connection: BaseDatabaseWrapper, table: Table, keys: Iterable[Any]) -> tuple[str, Any]:
    name = connection.ops.quote_name(table.key.name)
    parsed = [key_parse(table, key) for key in keys]
    if connection.vendor == "sqlite":
        spelled = [text for key in parsed for text in (_spellings(key) if isinstance(key, UUID) else (key,))]
        return f"{name} IN (SELECT value FROM json_each(%s))", json.dumps(spelled)
    array = {ColumnKind.INTEGER: "bigint[]", ColumnKind.UUID: "uuid[]"}.get(table.key.kind, "text[]")
    return f"{name} = ANY(%s::{array})", parsed


def _spellings(key: UUID) -> tuple[str, str]:
    """Django's spelling on SQLite, and the one of other programs."""
    return key.hex, str(key)


def readable(connection: BaseDatabaseWrapper, column: Column) -> str:
    """The column in a SELECT, so that the driver gives its value as it lies there."""
    name = str(connection.ops.quote_name(column.name))
    if connection.vendor == "sqlite":
        return f"+{name}"  # an expression has no declared type, so that no converter of Django touches it
    return f"{name}::text" if column.kind is ColumnKind.JSON else name


def row_plain(row: Row) -> Row:
    """The Python values of a row of PostgreSQL as its driver gives them."""
    return tuple(_plain(value) for value in row)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC)
    return bytes(value) if isinstance(value, memoryview) else value


# SQLite -----------------------------------------------------------------------------------------


def row_parse(table: Table, row: Row) -> Row:
    """The Python values of a row of SQLite. Raises ValueUnfitError."""
    values = []
    for column, raw in zip(table.columns, row, strict=True):
        try:
            values.append(None if raw is None else PARSERS[column.kind](column, raw))
        except (ValueError, ArithmeticError) as error:
            key = row[table.columns.index(table.key)]
            raise unfit(table, column, key, raw) from error
    return tuple(values)


def _exactly(kind: type) -> Callable[[Column, Any], Any]:
    def parse(column: Column, raw: Any) -> Any:
        if type(raw) is not kind:
            raise ValueError(raw)
        return raw

    return parse


def _boolean(column: Column, raw: Any) -> bool:
    if type(raw) is not int or raw not in {0, 1}:
        raise ValueError(raw)
    return bool(raw)


def _float(column: Column, raw: Any) -> float:
    if type(raw) is int and int(float(raw)) == raw:
        return float(raw)
    if type(raw) is not float:
        raise ValueError(raw)
    return raw


def decimal_parse(column: Column, raw: Any) -> Decimal:
    """The shortest decimal that is this float, with the column's places, as Django reads it."""
    if type(raw) not in {int, float} or column.places is None:
        raise ValueError(raw)
    value = Decimal(repr(raw)).quantize(Decimal(1).scaleb(-column.places))
    if not value.is_finite() or (column.digits and len(value.as_tuple().digits) > column.digits):
        raise ValueError(raw)
    return value


def _matched(pattern: re.Pattern[str], make: Callable[[str], Any]) -> Callable[[Column, Any], Any]:
    def parse(column: Column, raw: Any) -> Any:
        if type(raw) is not str or not pattern.fullmatch(raw):
            raise ValueError(raw)
        return make(raw)

    return parse


def _timestamp(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text[:19] + _fraction(text)).replace(tzinfo=dt.UTC)


def _time(text: str) -> dt.time:
    return dt.time.fromisoformat(text[:8] + _fraction(text))


def _fraction(text: str) -> str:
    """ ".123000" for the ".123" of some program, nothing for nothing."""
    found = re.search(r"\.(\d+)", text)
    return f".{found[1]:0<6}" if found else ""


def _duration(column: Column, raw: Any) -> dt.timedelta:
    if type(raw) is not int:
        raise ValueError(raw)
    return dt.timedelta(microseconds=raw)


PARSERS: dict[ColumnKind, Callable[[Column, Any], Any]] = {
    ColumnKind.INTEGER: _exactly(int),
    ColumnKind.BOOLEAN: _boolean,
    ColumnKind.FLOAT: _float,
    ColumnKind.DECIMAL: decimal_parse,
    ColumnKind.TEXT: _exactly(str),
    ColumnKind.UUID: _matched(_UUID, UUID),
    ColumnKind.JSON: _exactly(str),
    ColumnKind.TIMESTAMP: _matched(_TIMESTAMP, _timestamp),
    ColumnKind.DATE: _matched(_DATE, dt.date.fromisoformat),
    ColumnKind.TIME: _matched(_TIME, _time),
    ColumnKind.DURATION: _duration,
    ColumnKind.BINARY: _exactly(bytes),
}


def _rows_write_sqlite(connection: BaseDatabaseWrapper, table: Table, rows: Sequence[Row]) -> None:
    quote = connection.ops.quote_name
    names = ", ".join(quote(name) for name in table.names)
    marks = ", ".join(["%s"] * len(table.columns))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks})",
            [row_spelled(table, row) for row in rows],
        )


def row_spelled(table: Table, row: Row) -> Row:
    """What Django would hand to SQLite for these values. Raises ValueUnfitError for what SQLite cannot keep."""
    values = []
    for column, value in zip(table.columns, row, strict=True):
        if (column.kind is ColumnKind.DECIMAL and value is not None and not decimal_fits(value)) or value != value:
            raise unfit(table, column, row[table.columns.index(table.key)], value)
        values.append(None if value is None else spelled(column, value))
    return tuple(values)


def spelled(column: Column, value: Any) -> Any:
    """What Django hands to SQLite for a value."""
    make = _SPELLINGS.get(column.kind)
    return make(value) if make else value


_SPELLINGS: dict[ColumnKind, Callable[[Any], Any]] = {
    ColumnKind.UUID: attrgetter("hex"),
    ColumnKind.BOOLEAN: int,
    ColumnKind.DECIMAL: "{:f}".format,
    ColumnKind.TIMESTAMP: lambda value: str(value.astimezone(dt.UTC).replace(tzinfo=None)),
    ColumnKind.DATE: str,
    ColumnKind.TIME: str,
    ColumnKind.DURATION: lambda value: value // dt.timedelta(microseconds=1),
}


def decimal_fits(value: Decimal) -> bool:
    """Whether SQLite gives back this decimal."""
    return value.is_finite() and len(value.normalize().as_tuple().digits) <= SQLITE_DECIMAL_DIGITS


# PostgreSQL -------------------------------------------------------------------------------------


def _rows_write_postgresql(connection: BaseDatabaseWrapper, table: Table, rows: Sequence[Row]) -> None:
    quote = connection.ops.quote_name
    names = ", ".join(quote(name) for name in table.names)
    statement = f"COPY {quote(table.name)} ({names}) FROM STDIN"
    # Django's cursor hands `copy` to the driver as it is: the errors have to be made Django's here.
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
