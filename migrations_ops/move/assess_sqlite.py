"""Looks at every value of a SQLite table, which keeps anything in any column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.assessment import EXAMPLES, ColumnFigures, TableFigures, ValueFinding, shown_example
from migrations_ops.move.fields import integer_range
from migrations_ops.move.problems import EMPTIED, NO_REPAIR, Limits, Problem, all_well, problem_of, repaired
from migrations_ops.move.spans_sqlite import FIRST_ROWS, rows_next, texts_raw
from migrations_ops.move.tables import Column, ColumnKind, Table

#: Messages of SQLite's own check that are counted.
RULES_COUNTED = 1_000


def sqlite_read(
    source: BaseDatabaseWrapper, table: Table, heartbeat: Callable[[], None]
) -> tuple[TableFigures, list[ValueFinding]]:
    """Figures of a table and what is wrong in it."""
    findings: dict[tuple[str, Problem], ValueFinding] = {}
    columns = [ColumnFigures(name=column.name, kind=column.kind.value) for column in table.columns]
    figures = TableFigures(name=table.name, columns=columns)
    limits = [limits_of(table, column) for column in table.columns]
    for rows in sqlite_rows(source, table):
        heartbeat()
        figures.rows += len(rows)
        keys, *values_by_column = zip(*rows, strict=True)
        for column, limit, found, values in zip(table.columns, limits, columns, values_by_column, strict=True):
            found.nulls += values.count(None)
            found.bytes += _size(column, values)
            if not all_well(column, values, limit):
                _look(table, column, limit, keys, values, findings)
    figures.bytes = sum(column.bytes for column in columns)
    return figures, [*findings.values(), *_not_unique(source, table, findings), *_rules(source, table, findings)]


def sqlite_rows(source: BaseDatabaseWrapper, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """Key and raw values of all rows, some at a time."""
    quote = source.ops.quote_name
    columns = ", ".join(_selected(quote(column.name), column) for column in table.columns)
    with texts_raw(source) as raw:
        cursor = raw.execute(f"SELECT {quote(table.key.name)}, {columns} FROM {quote(table.name)}")
        rows = cursor.fetchmany(FIRST_ROWS)
        while rows:
            yield rows
            rows = cursor.fetchmany(rows_next(table, rows))


def _selected(name: str, column: Column) -> str:
    if column.kind is ColumnKind.JSON:  # what is no JSON comes as a blob
        return f"CASE WHEN typeof({name}) = 'text' AND json_valid({name}) THEN {name} ELSE CAST({name} AS BLOB) END"
    return f"+{name}"


def limits_of(table: Table, column: Column) -> Limits:
    """What PostgreSQL's type of a whole number holds, by the field of the model."""
    if column.kind is not ColumnKind.INTEGER:
        return Limits()
    return Limits(*integer_range(table.name, column.name))


def _size(column: Column, values: tuple[Any, ...]) -> int:
    if column.kind in {
        ColumnKind.INTEGER,
        ColumnKind.FLOAT,
        ColumnKind.BOOLEAN,
        ColumnKind.DURATION,
        ColumnKind.DECIMAL,
    }:
        return 8 * len(values)
    return sum(len(value) for value in values if isinstance(value, (bytes, bytearray)))


def _look(
    table: Table,
    column: Column,
    limits: Limits,
    keys: tuple[Any, ...],
    values: tuple[Any, ...],
    findings: dict[tuple[str, Problem], ValueFinding],
) -> None:
    """Look at each value of a column in which something may be wrong."""
    for key, raw in zip(keys, values, strict=True):
        problem = problem_of(column, raw, limits)
        if problem is None:
            continue
        place = (column.name, problem)
        found = findings.setdefault(place, ValueFinding(table=table.name, column=column.name, problem=problem))
        found.count += 1
        if len(found.examples) < EXAMPLES:
            found.examples.append(shown_example(column, key, raw))
        mended = repaired(column, problem, raw)
        if mended is not NO_REPAIR:
            found.repairable += 1
            found.repair = found.repair or problem.repair if mended is not None else EMPTIED


def _not_unique(
    source: BaseDatabaseWrapper, table: Table, findings: dict[tuple[str, Problem], ValueFinding]
) -> Iterator[ValueFinding]:
    """UUIDs that are unique as texts only: asked where one is spelled in another way."""
    quote = source.ops.quote_name
    for column in table.columns:
        if not column.unique or (column.name, Problem.UUID_SPELLING) not in findings:
            continue
        same = f"lower(replace({quote(column.name)}, '-', ''))"
        with source.cursor() as cursor:
            cursor.execute(
                f"SELECT {same}, count(*) FROM {quote(table.name)} WHERE {same} IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
            )
            found = cursor.fetchall()
        if found:
            yield ValueFinding(
                table=table.name,
                column=column.name,
                problem=Problem.NOT_UNIQUE,
                count=sum(times for _, times in found),
                examples=[f"{value}: {times} rows" for value, times in found[:EXAMPLES]],
            )


def _rules(
    source: BaseDatabaseWrapper, table: Table, findings: dict[tuple[str, Problem], ValueFinding]
) -> Iterator[ValueFinding]:
    """Rows that were written past a CHECK; not told where a finding names the values anyway."""
    with source.cursor() as cursor:
        cursor.execute(f"PRAGMA quick_check({source.ops.quote_name(table.name)})")
        told = [row[0] for row in cursor.fetchmany(RULES_COUNTED) if row[0].startswith("CHECK")]
    if told and not findings:
        yield ValueFinding(
            table=table.name, column="", problem=Problem.BROKEN_RULE, count=len(told), examples=told[:EXAMPLES]
        )
