"""values_assess: every value that the target of a move would refuse or change, before anything is changed.

Read only. SQLite's values are looked at one by one (migrations_ops.move.problems), because SQLite keeps
anything in any column; PostgreSQL's are asked for by conditions (migrations_ops.move.problems_postgresql).
Then foreign keys, sequences, and how fast this target takes a sample of these very rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.fields import integer_range
from migrations_ops.move.meaning import ascii_kept, is_secret
from migrations_ops.move.problems import EMPTIED, NO_REPAIR, Limits, Problem, all_well, problem_of, repaired
from migrations_ops.move.problems_postgresql import conditions_of
from migrations_ops.move.rates import Rates, rates_measured
from migrations_ops.move.soundness import broken_condition, foreign_keys, sequence_next
from migrations_ops.move.spans_sqlite import FIRST_ROWS, rows_next, texts_raw
from migrations_ops.move.tables import Column, ColumnKind, Table

EXAMPLES = 3
EXAMPLE_CHARACTERS = 40
#: Messages of SQLite's own check that are counted.
RULES_COUNTED = 1_000


@dataclass(kw_only=True)
class ValueFinding:
    """One problem of one column: how often, examples, what would mend it."""

    table: str
    column: str
    problem: Problem
    count: int = 0
    #: "key: value", cut; values of secret columns are not shown.
    examples: list[str] = field(default_factory=list)
    #: How many of them the repair mends; the others need a person.
    repairable: int = 0
    repair: str = ""

    @property
    def blocks(self) -> bool:
        """Whether the move cannot go on."""
        return self.problem.blocks

    def as_json(self) -> dict[str, Any]:
        """The finding as it is kept with a move."""
        return {
            "table": self.table,
            "column": self.column,
            "code": self.problem.code,
            "title": self.problem.title,
            "count": self.count,
            "examples": self.examples,
            "repair": self.repair,
            "repairable": self.repairable,
            "blocks": self.blocks,
        }

    def __str__(self) -> str:
        place = ".".join(part for part in (self.table, self.column) if part)
        examples = f" ({'; '.join(self.examples)})" if self.examples else ""
        return f"{place}: {self.problem.title}, {self.count} row(s){examples}"


@dataclass(kw_only=True)
class ColumnFigures:
    """What a column holds."""

    name: str
    kind: str
    nulls: int = 0
    bytes: int = 0


@dataclass(kw_only=True)
class TableFigures:
    """What a table holds."""

    name: str
    rows: int = 0
    bytes: int = 0
    columns: list[ColumnFigures] = field(default_factory=list)


@dataclass(kw_only=True)
class Assessment:
    """What a move would carry and what stands in its way."""

    tables: list[TableFigures] = field(default_factory=list)
    findings: list[ValueFinding] = field(default_factory=list)
    rates: Rates | None = None
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def bytes(self) -> int:
        """Bytes of all values."""
        return sum(table.bytes for table in self.tables)

    @property
    def blocking(self) -> list[ValueFinding]:
        """What has to be mended first."""
        return [finding for finding in self.findings if finding.blocks]

    @property
    def blocks(self) -> bool:
        """Whether the move cannot go on."""
        return bool(self.blocking)

    @property
    def rows_per_second(self) -> float | None:
        """Rows a second that one process brings into the target, by the sample."""
        return self.rates.rows_per_second if self.rates else None

    @property
    def copy_seconds(self) -> float | None:
        """How long one process would copy, each table at the rate of its own rows."""
        return self.rates.seconds({table.name: table.rows for table in self.tables}) if self.rates else None

    def as_json(self) -> dict[str, Any]:
        """Everything, for the row of the move and its page."""
        return {
            "rows": self.rows,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "rows_per_second": self.rows_per_second and round(self.rows_per_second),
            "copy_seconds": self.copy_seconds and round(self.copy_seconds, 3),
            "sample_rows": self.rates.rows if self.rates else 0,
            "tables": [asdict(table) for table in self.tables],
            "findings": [finding.as_json() for finding in self.findings],
        }


def values_assess(
    source: BaseDatabaseWrapper,
    tables: tuple[Table, ...],
    target: BaseDatabaseWrapper | None = None,
    *,
    heartbeat: Callable[[], None] = lambda: None,
) -> Assessment:
    """The assessment of these tables for this target (without one: for the other vendor, without rates).

    The connections may be used by nothing else meanwhile. What is made in the target to measure is rolled back.
    """
    began = time.perf_counter()
    to = target.vendor if target else _OTHER[source.vendor]
    assessment = Assessment()
    for table in tables:
        heartbeat()
        reader = _sqlite_read if source.vendor == "sqlite" else _postgresql_read
        figures, findings = reader(source, table, to, heartbeat)
        assessment.tables.append(figures)
        assessment.findings += findings
    assessment.findings += _references(source, tables, heartbeat)
    assessment.findings += [found for table in tables if (found := _sequence(source, table))]
    if target is not None:
        heartbeat()
        sizes = {table.name: table.rows for table in assessment.tables}
        assessment.rates = rates_measured(source, target, tables, sizes)
    assessment.findings.sort(key=lambda finding: not finding.blocks)
    assessment.seconds = time.perf_counter() - began
    return assessment


_OTHER = {"sqlite": "postgresql", "postgresql": "sqlite"}


def shown_example(column: Column, key: Any, raw: Any) -> str:
    """A key and its value for a report, both short."""
    spelled_key = bytes(key).decode("utf-8", "replace") if isinstance(key, (bytes, bytearray)) else str(key)
    if is_secret(column.name):
        return f"{spelled_key[:6]}…: (not shown)"
    if isinstance(raw, bytearray):
        text = ascii_kept(bytes(raw[: EXAMPLE_CHARACTERS * 4]).decode("utf-8", "backslashreplace"))
    else:
        text = str(raw)
    cut = text if len(text) <= EXAMPLE_CHARACTERS else f"{text[: EXAMPLE_CHARACTERS - 1]}…"
    return f"{spelled_key}: {cut}"


# SQLite -----------------------------------------------------------------------------------------


def _sqlite_read(
    source: BaseDatabaseWrapper, table: Table, to: str, heartbeat: Callable[[], None]
) -> tuple[TableFigures, list[ValueFinding]]:
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


# PostgreSQL -------------------------------------------------------------------------------------


def _postgresql_read(
    source: BaseDatabaseWrapper, table: Table, to: str, heartbeat: Callable[[], None]
) -> tuple[TableFigures, list[ValueFinding]]:
    quote = source.ops.quote_name
    asked = [(column, *each) for column in table.columns for each in conditions_of(column, quote(column.name), to)]
    sizes = [f"coalesce(sum(pg_column_size({quote(column.name)})), 0)" for column in table.columns]
    nulls = [f"count(*) - count({quote(column.name)})" for column in table.columns]
    counts = [f"count(*) FILTER (WHERE {condition})" for _, _, condition, _ in asked]
    with source.cursor() as cursor:
        cursor.execute(f"SELECT count(*), {', '.join([*sizes, *nulls, *counts])} FROM {quote(table.name)}")
        rows, *found = cursor.fetchone()
    width = len(table.columns)
    columns = [
        ColumnFigures(name=column.name, kind=column.kind.value, bytes=int(size), nulls=int(empty))
        for column, size, empty in zip(table.columns, found[:width], found[width : 2 * width], strict=True)
    ]
    figures = TableFigures(name=table.name, rows=rows, bytes=sum(column.bytes for column in columns), columns=columns)
    findings = [
        _postgresql_finding(source, table, column, problem, condition, repair, int(count))
        for (column, problem, condition, repair), count in zip(asked, found[2 * width :], strict=True)
        if count
    ]
    return figures, findings


def _postgresql_finding(
    source: BaseDatabaseWrapper,
    table: Table,
    column: Column,
    problem: Problem,
    condition: str,
    repair: str | None,
    count: int,
) -> ValueFinding:
    quote = source.ops.quote_name
    with source.cursor() as cursor:
        cursor.execute(
            f"SELECT {quote(table.key.name)}::text, {quote(column.name)}::text FROM {quote(table.name)} "
            f"WHERE {condition} LIMIT {EXAMPLES}"
        )
        examples = [shown_example(column, key, value) for key, value in cursor.fetchall()]
    words = problem.repair if repair else EMPTIED if column.null else ""
    return ValueFinding(
        table=table.name,
        column=column.name,
        problem=problem,
        count=count,
        examples=examples,
        repair=words,
        repairable=count if words else 0,
    )


# Both -------------------------------------------------------------------------------------------


def _references(
    source: BaseDatabaseWrapper, tables: tuple[Table, ...], heartbeat: Callable[[], None]
) -> Iterator[ValueFinding]:
    quote = source.ops.quote_name
    for table, column, parent, parent_column in foreign_keys(tables):
        heartbeat()
        condition = broken_condition(source, column, parent, parent_column)
        rows = f"FROM {quote(table.name)} AS child WHERE {condition}"
        with source.cursor() as cursor:
            cursor.execute(f"SELECT count(*) {rows}")
            count = int(cursor.fetchone()[0])
            if not count:
                continue
            cursor.execute(f"SELECT child.{quote(table.key.name)}, child.{quote(column.name)} {rows} LIMIT {EXAMPLES}")
            examples = [f"{key}: {value} is not in {parent}" for key, value in cursor.fetchall()]
        yield ValueFinding(
            table=table.name,
            column=column.name,
            problem=Problem.BROKEN_REFERENCE,
            count=count,
            examples=examples,
            repairable=count,
            repair=EMPTIED if column.null else "Delete these rows",
        )


def _sequence(source: BaseDatabaseWrapper, table: Table) -> ValueFinding | None:
    following = sequence_next(source, table)
    if following is None:
        return None
    with source.cursor() as cursor:
        cursor.execute(f"SELECT max({source.ops.quote_name(table.key.name)}) FROM {source.ops.quote_name(table.name)}")
        largest = cursor.fetchone()[0] or 0
    if following > largest:
        return None
    return ValueFinding(
        table=table.name,
        column=table.key.name,
        problem=Problem.SEQUENCE_BEHIND,
        count=1,
        examples=[f"next {following}, last row {largest}"],
        repairable=1,
        repair=Problem.SEQUENCE_BEHIND.repair,
    )
