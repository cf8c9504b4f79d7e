"""SQLite's side of a verification: one pass over a table, its columns digested in Python.

A column is digested as a whole, by joining or packing a tuple of values in one call; that is several
times faster than a loop over rows. The forms are those that PostgreSQL's expressions in
migrations_ops.move.spans_postgresql give. A value of a type that the column should not have makes the
call fail or the digest empty, and the column is then compared value by value.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.meaning import LARGE_BYTES, meaning_sqlite
from migrations_ops.move.spans import SPAN_BYTES, SPAN_ROWS, Chunk, Digests, SortKey, Span
from migrations_ops.move.tables import Column, ColumnKind, Table

Values = tuple[Any, ...]

#: Between texts, and for NULL among them; texts that hold them are found by counting.
BETWEEN, NULL_TEXT = b"\x1f", b"\x1e"
NULL_INTEGER = -(2**63)
NULL_FLOAT = b"\xff" * 8
#: Rows that are fetched before their size is known.
FIRST_ROWS = 64
#: Kinds whose size varies.
SIZED = {ColumnKind.TEXT, ColumnKind.JSON, ColumnKind.BINARY}


@contextmanager
def texts_raw(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """SQLite's own connection, handing out texts as bytearray and blobs as bytes."""
    connection.ensure_connection()
    raw: Any = connection.connection
    kept, raw.text_factory = raw.text_factory, bytearray
    try:
        yield raw
    finally:
        raw.text_factory = kept


def md5(data: bytes) -> str:
    """The digest that PostgreSQL has without an extension."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _large(value: bytes | None) -> str | None:
    return None if value is None else f"{len(value)}:{md5(value)}"


class SqliteSide:
    """SQLite as one side; the connection must be used by nothing else meanwhile."""

    vendor = "sqlite"

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        connection.ensure_connection()
        self._quote = connection.ops.quote_name
        self._raw: Any = connection.connection
        self._raw.create_function("kb_large", 1, _large, deterministic=True)
        # Texts come as bytearray and blobs as bytes, so that neither is taken for the other.
        self._text_factory, self._raw.text_factory = self._raw.text_factory, bytearray
        self._keys: dict[str, str] = {}

    def close(self) -> None:
        """Leave the connection as Django wants it; the transaction is the caller's."""
        self._raw.text_factory = self._text_factory

    def rows_count(self, table: Table) -> int:
        """Rows of the table."""
        return int(self._raw.execute(f"SELECT count(*) FROM {self._quote(table.name)}").fetchone()[0])

    def chunks(self, table: Table) -> Iterator[Chunk]:
        """The table in the order of its key; the last chunk has no end."""
        key = self._key(table)
        columns = ", ".join([key, *(self._digested(column) for column in table.columns)])
        cursor = self._raw.execute(f"SELECT {columns} FROM {self._quote(table.name)} ORDER BY {key}")
        after: SortKey | None = None
        rows = cursor.fetchmany(FIRST_ROWS)
        while rows:
            following = cursor.fetchmany(rows_next(table, rows))
            until = self._sort_key(table, rows[-1][0])
            yield _chunk(table, Span(after, until if following else None), rows)
            after, rows = until, following
        if after is None:
            yield _chunk(table, Span(None, None), [])

    def digests(self, table: Table, chunk: Chunk) -> Digests:
        """Never asked: SQLite leads, so that it reads its table once."""
        raise NotImplementedError

    def keys(self, table: Table, span: Span) -> list[SortKey]:
        """The keys of a span, in order."""
        return [self._sort_key(table, row[0]) for row in self._of_span(table, span, self._key(table))]

    def meanings(self, table: Table, column: Column, span: Span) -> Iterator[tuple[SortKey, Any]]:
        """Key and meaning of one column."""
        key, value = self._key(table), self._large(column)
        for raw_key, raw in self._of_span(table, span, f"{key}, {value}"):
            yield self._sort_key(table, raw_key), meaning_sqlite(column, raw)

    def _of_span(self, table: Table, span: Span, selected: str) -> Iterator[Values]:
        key, bounds, values = self._key(table), [], []
        for operator, bound in ((">", span.after), ("<=", span.until)):
            if bound is not None:
                bounds.append(f"{key} {operator} ?")
                values.append(bound)
        where = f"WHERE {' AND '.join(bounds)}" if bounds else ""
        cursor = self._raw.execute(f"SELECT {selected} FROM {self._quote(table.name)} {where} ORDER BY {key}", values)
        while rows := cursor.fetchmany(FIRST_ROWS):
            yield from rows

    def _key(self, table: Table) -> str:
        """The key as it is sorted by; the index serves unless somebody spelled a UUID in another way than Django."""
        name = self._quote(table.key.name)
        if table.key.kind is not ColumnKind.UUID:
            return name
        if table.name not in self._keys:
            odd = f"SELECT 1 FROM {self._quote(table.name)} WHERE length({name}) <> 32 OR {name} GLOB '*[^0-9a-f]*' LIMIT 1"
            plain = self._raw.execute(odd).fetchone() is None
            self._keys[table.name] = name if plain else f"lower(replace({name}, '-', ''))"
        return self._keys[table.name]

    def _sort_key(self, table: Table, raw: Any) -> SortKey:
        if isinstance(raw, (bytes, bytearray)):
            return raw.decode("utf-8", "replace")
        return int(raw)

    def _digested(self, column: Column) -> str:
        """SQL of a column in the spelling that the digest wants."""
        name = f"+{self._quote(column.name)}"
        if column.kind is ColumnKind.TIMESTAMP:  # PostgreSQL leaves out zeros at the end of a second's fraction
            return f"CASE length({name}) WHEN 26 THEN rtrim({name}, '0') ELSE {name} END"
        if column.kind is ColumnKind.TIME:
            return f"CASE length({name}) WHEN 15 THEN rtrim({name}, '0') ELSE {name} END"
        if column.kind is ColumnKind.JSON:  # a blob does not pass for a text below
            return f"CASE WHEN json_valid({name}) THEN {name} ELSE CAST({name} AS BLOB) END"
        return self._large(column)

    def _large(self, column: Column) -> str:
        """A column whose large values are their length and md5."""
        name = f"+{self._quote(column.name)}"  # without a declared type, so that no converter touches it
        if not may_be_large(column):
            return name
        right = "blob" if column.kind is ColumnKind.BINARY else "text"
        blob = f"CAST({name} AS BLOB)"
        large = f"kb_large({blob})" if right == "text" else f"CAST(kb_large({name}) AS BLOB)"
        return f"CASE WHEN typeof({name}) = '{right}' AND length({blob}) > {LARGE_BYTES} THEN {large} ELSE {name} END"


def may_be_large(column: Column) -> bool:
    """Whether a value of the column may take more than LARGE_BYTES."""
    if column.kind is ColumnKind.TEXT:
        return column.max_length is None or column.max_length * 4 > LARGE_BYTES
    return column.kind is ColumnKind.BINARY


def rows_next(table: Table, rows: list[Values]) -> int:
    """Rows to fetch next, by the size of these: key first, then the table's columns."""
    sized = [number for number, column in enumerate(table.columns, 1) if column.kind in SIZED]
    size = sum(_size(list(map(itemgetter(number), rows))) for number in sized)
    return max(1, min(SPAN_ROWS, SPAN_BYTES * len(rows) // max(size, 1)))


def _size(values: list[Any]) -> int:
    """Bytes of the texts and blobs among the values."""
    try:
        return sum(map(len, filter(None, values)))
    except TypeError:  # a number among them
        return sum(len(value) for value in values if isinstance(value, (bytes, bytearray)))


def _chunk(table: Table, span: Span, rows: list[Values]) -> Chunk:
    columns = list(zip(*rows, strict=True))[1:] if rows else [()] * len(table.columns)
    digests, arrays = [], {}
    for place, (column, values) in enumerate(zip(table.columns, columns, strict=True)):
        if column.kind is ColumnKind.JSON:
            digest, arrays[place] = _json(values)
        else:
            digest = digest_of(column, values)
        digests.append(digest)
    return Chunk(span, Digests(len(rows), tuple(digests)), arrays)


def digest_of(column: Column, values: Values) -> str:
    """The digest of a column's values; "" where one is of a wrong type or could be taken for another."""
    try:
        return _DIGESTS[column.kind](column, values)
    except (TypeError, ValueError, OverflowError, struct.error):
        return ""


def _integers(column: Column, values: Values) -> str:
    nulls = values.count(None)
    if nulls:
        if NULL_INTEGER in values:
            return ""
        values = tuple(NULL_INTEGER if value is None else value for value in values)
    return f"{md5(struct.pack(f'>{len(values)}q', *values))}/{len(values) - nulls}"


def _booleans(column: Column, values: Values) -> str:
    if None in values:
        if 2 in values:
            return ""
        values = tuple(2 if value is None else value for value in values)
    return md5(bytes(values))


def _floats(column: Column, values: Values) -> str:
    nulls = values.count(None)
    if nulls:
        packed = b"".join(NULL_FLOAT if value is None else struct.pack(">d", value) for value in values)
    else:
        packed = struct.pack(f">{len(values)}d", *values)
    return f"{md5(packed)}/{len(values) - nulls}"


def _decimals(column: Column, values: Values) -> str:
    spell = f"%.{column.places}f".__mod__
    return md5(",".join(["" if value is None else spell(value) for value in values]).encode())


def _texts(column: Column, values: Values) -> str:
    nulls = values.count(None)
    if not _all_texts(values):
        return ""
    if nulls:
        values = tuple(NULL_TEXT if value is None else value for value in values)
    joined = BETWEEN.join(values)
    if joined.count(BETWEEN) != max(len(values) - 1, 0) or joined.count(NULL_TEXT) != nulls:
        return ""
    return f"{md5(joined)}/{len(values) - nulls}"


def _spelled(column: Column, values: Values) -> str:
    """Texts that never hold a comma and are never empty."""
    if not _all_texts(values):
        return ""
    return md5(b",".join([value or b"" for value in values] if None in values else values))


def _all_texts(values: Values) -> bool:
    return set(map(type, values)) <= {bytearray, type(None)}


def _blobs(column: Column, values: Values) -> str:
    if not set(map(type, values)) <= {bytes, type(None)}:
        return ""
    lengths = ",".join("-1" if value is None else str(len(value)) for value in values)
    return md5(lengths.encode()) + md5(b"".join(value or b"" for value in values))


_DIGESTS: dict[ColumnKind, Callable[[Column, Values], str]] = {
    ColumnKind.INTEGER: _integers,
    ColumnKind.BOOLEAN: _booleans,
    ColumnKind.FLOAT: _floats,
    ColumnKind.DECIMAL: _decimals,
    ColumnKind.TEXT: _texts,
    ColumnKind.UUID: _spelled,
    ColumnKind.TIMESTAMP: _spelled,
    ColumnKind.DATE: _spelled,
    ColumnKind.TIME: _spelled,
    ColumnKind.DURATION: _integers,
    ColumnKind.BINARY: _blobs,
}


def _json(values: Values) -> tuple[str, str]:
    """The count of values that are not NULL, which is the digest when PostgreSQL finds the array equal, and the array."""
    if not _all_texts(values):
        return "", "[]"
    nulls = values.count(None)
    if nulls:
        if any(value is not None and value.strip() == b"null" for value in values):
            return "", "[]"  # SQL NULL and JSON null side by side: told apart value by value
        values = tuple(b"null" if value is None else value for value in values)
    return str(len(values) - nulls), f"[{b', '.join(values).decode('utf-8', 'replace')}]"
