"""PostgreSQL's side of a verification: it digests a span itself and sends back a line a span.

Each column is put into one text or one string of bytes with string_agg and hashed with md5; the forms
are those of migrations_ops.move.spans_sqlite. JSON is brought into PostgreSQL's own form on both sides:
the array that SQLite sent, and the column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import Cursor, DataError
from psycopg.errors import ProgramLimitExceeded

from migrations_ops.move.meaning import LARGE_BYTES, meaning_postgresql
from migrations_ops.move.spans import SPAN_BYTES, SPAN_ROWS, Chunk, Digests, SortKey, Span
from migrations_ops.move.spans_sqlite import may_be_large
from migrations_ops.move.tables import Column, ColumnKind, Table

#: Statements that run more often than this are planned once.
PREPARE_AFTER = 3
_KEY_TYPES = {ColumnKind.INTEGER: "bigint", ColumnKind.UUID: "uuid", ColumnKind.TEXT: "text"}
#: Above, up to, and sorting; by bytes for texts, which the index that Django adds to a text key serves.
_OPERATORS = {ColumnKind.TEXT: ("~>~", "~<=~", "USING ~<~")}


class PostgresqlSide:
    """PostgreSQL as one side; the connection is in a transaction and used by nothing else meanwhile."""

    vendor = "postgresql"

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        connection.ensure_connection()
        self._quote = connection.ops.quote_name
        self._raw: Any = connection.connection
        self._raw.prepare_threshold = PREPARE_AFTER
        for name, value in (("DateStyle", "ISO"), ("extra_float_digits", "1"), ("jit", "off")):
            self._raw.execute(f"SET LOCAL {name} = {value}")
        self._raw.execute("SET LOCAL max_parallel_workers_per_gather = 0")  # spans are small; their plan is fixed
        self._raw.execute("SAVEPOINT kb_json")

    def close(self) -> None:
        """Leave the connection as Django wants it; the transaction is the caller's."""
        self._raw.prepare_threshold = None

    def rows_count(self, table: Table) -> int:
        """Rows of the table."""
        return int(self._one(f"SELECT count(*) FROM {self._quote(table.name)}")[0])

    def chunks(self, table: Table) -> Iterator[Chunk]:
        """The table in spans of so many rows, for a move between two servers."""
        after: SortKey | None = None
        rows = self._span_rows(table, self.rows_count(table))
        while True:
            span = Span(after, self._until(table, after, rows))
            yield Chunk(span, self._digests(table, span, {}))
            if span.until is None:
                return
            after = span.until

    def digests(self, table: Table, chunk: Chunk) -> Digests:
        """Digests of the span that the other side read."""
        try:
            return self._digests(table, chunk.span, chunk.json)
        except (DataError, ProgramLimitExceeded):  # JSON that PostgreSQL refuses: those columns are compared by value
            self._raw.execute("ROLLBACK TO SAVEPOINT kb_json")
            return self._digests(table, chunk.span, dict.fromkeys(chunk.json, "[]"))

    def keys(self, table: Table, span: Span) -> list[SortKey]:
        """The keys of a span, in order."""
        return [row[0] for row in self._of_span(table, span, self._key_shown(table))]

    def meanings(self, table: Table, column: Column, span: Span) -> Iterator[tuple[SortKey, Any]]:
        """Key and meaning of one column."""
        for key, raw in self._of_span(table, span, f"{self._key_shown(table)}, {self._value(column)}"):
            yield key, meaning_postgresql(column, raw)

    def _digests(self, table: Table, span: Span, arrays: dict[int, str]) -> Digests:
        expressions, values = ["count(*)"], []
        for place, column in enumerate(table.columns):
            if place in arrays:
                expressions.append(self._json_beside(column))
                values.append(arrays[place])
            else:
                expressions.append(self._expression(column))
        rows, bounds = self._rows(table, span, ", ".join(self._quote(name) for name in table.names))
        found = self._one(f"SELECT {', '.join(expressions)} FROM ({rows}) AS span", [*values, *bounds])
        return Digests(int(found[0]), tuple(digest or "" for digest in found[1:]))

    def _of_span(self, table: Table, span: Span, selected: str) -> Iterator[tuple[Any, ...]]:
        sql, bounds = self._rows(table, span, selected)
        with self._cursor() as cursor:
            cursor.execute(sql, bounds)
            while rows := cursor.fetchmany(1_000):
                yield from rows

    def _rows(self, table: Table, span: Span, selected: str) -> tuple[str, list[Any]]:
        key = self._quote(table.key.name)
        above, up_to, sorting = _OPERATORS.get(table.key.kind, (">", "<=", ""))
        conditions, values = [], []
        for operator, bound in ((above, span.after), (up_to, span.until)):
            if bound is not None:
                conditions.append(f"{key} {operator} %s::{_KEY_TYPES[table.key.kind]}")
                values.append(bound)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {selected} FROM {self._quote(table.name)} {where} ORDER BY {key} {sorting}", values

    def _until(self, table: Table, after: SortKey | None, rows: int) -> SortKey | None:
        """The last key of the span that follows `after`; None where that is the last span."""
        sql, values = self._rows(table, Span(after, None), self._key_shown(table))
        found = self._one(f"{sql} OFFSET {rows - 1} LIMIT 1", values)
        return found[0] if found else None

    def _span_rows(self, table: Table, rows: int) -> int:
        """Rows of a span, by their mean size; counted, because statistics may be missing or old."""
        (size,) = self._one("SELECT pg_table_size(%s::regclass)", [self._quote(table.name)])
        return max(1, min(SPAN_ROWS, int(SPAN_BYTES * rows / max(size, 1))))

    def _key_shown(self, table: Table) -> str:
        name = str(self._quote(table.key.name))
        return f"encode(uuid_send({name}), 'hex')" if table.key.kind is ColumnKind.UUID else name

    def _value(self, column: Column) -> str:
        """A value as the text that migrations_ops.move.meaning reads."""
        name = self._quote(column.name)
        if column.kind is ColumnKind.TIMESTAMP:
            return f"({name} AT TIME ZONE 'UTC')::text"
        if column.kind is ColumnKind.DURATION:
            return f"{_microseconds(name)}::text"
        if column.kind is ColumnKind.BINARY:
            return f"encode({_large_blob(name)}, 'hex')"
        return _large_text(name) if may_be_large(column) else f"{name}::text"

    def _expression(self, column: Column) -> str:
        """SQL of a column's digest."""
        name = str(self._quote(column.name))
        if column.kind is ColumnKind.TEXT:
            text = _large_text(name) if may_be_large(column) else name
            return f"md5(coalesce(string_agg(coalesce({text}, E'\\x1e'), E'\\x1f'), '')) || '/' || count({name})"
        return _DIGESTS.get(column.kind, _as_text)(name)

    def _json_beside(self, column: Column) -> str:
        """How many values are not NULL, where all of them are those of the array; else nothing."""
        name = self._quote(column.name)
        ours = f"md5('[' || coalesce(string_agg(coalesce({name}::text, 'null'), ', '), '') || ']')"
        return f"CASE WHEN md5((%s::jsonb)::text) = {ours} THEN count({name})::text END"

    def _one(self, sql: str, values: list[Any] | None = None) -> Any:
        with self._cursor() as cursor:
            return cursor.execute(sql, values).fetchone()

    def _cursor(self) -> Cursor[Any]:
        """A cursor with parameters bound by the server, so that statements can be prepared."""
        return Cursor(self._raw)


_LEAST = "-9223372036854775808"


def _microseconds(name: str) -> str:
    return f"(extract(epoch FROM {name}) * 1000000)::bigint"


def _bytes(value: str, name: str) -> str:
    return f"md5(coalesce(string_agg({value}, ''::bytea), ''::bytea)) || '/' || count({name})"


def _texts(value: str) -> str:
    return f"md5(coalesce(string_agg(coalesce({value}, ''), ','), ''))"


def _large_text(name: str) -> str:
    return f"CASE WHEN octet_length({name}) > {LARGE_BYTES} THEN octet_length({name}) || ':' || md5({name}) ELSE {name} END"


def _large_blob(name: str) -> str:
    large = f"convert_to(octet_length({name}) || ':' || md5({name}), 'UTF8')"
    return f"CASE WHEN octet_length({name}) > {LARGE_BYTES} THEN {large} ELSE {name} END"


def _as_text(name: str) -> str:
    return _texts(f"{name}::text")


def _truths(name: str) -> str:
    truth = f"CASE WHEN {name} THEN '\\x01'::bytea WHEN NOT {name} THEN '\\x00'::bytea ELSE '\\x02'::bytea END"
    return f"md5(coalesce(string_agg({truth}, ''::bytea), ''::bytea))"


def _blobs(name: str) -> str:
    blob = _large_blob(name)
    lengths = f"string_agg(coalesce(octet_length({blob}), -1)::text, ',')"
    return f"md5(coalesce({lengths}, '')) || md5(coalesce(string_agg({blob}, ''::bytea), ''::bytea))"


_DIGESTS: dict[ColumnKind, Callable[[str], str]] = {
    ColumnKind.INTEGER: lambda name: _bytes(f"int8send(coalesce({name}, {_LEAST})::bigint)", name),
    ColumnKind.DURATION: lambda name: _bytes(f"int8send(coalesce({_microseconds(name)}, {_LEAST})::bigint)", name),
    ColumnKind.FLOAT: lambda name: _bytes(f"coalesce(float8send({name}), '\\xffffffffffffffff'::bytea)", name),
    ColumnKind.BOOLEAN: _truths,
    ColumnKind.BINARY: _blobs,
    ColumnKind.UUID: lambda name: _texts(f"encode(uuid_send({name}), 'hex')"),
    ColumnKind.TIMESTAMP: lambda name: _texts(f"({name} AT TIME ZONE 'UTC')::text"),
}
