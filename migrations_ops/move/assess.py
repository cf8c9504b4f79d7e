"""values_assess: every value that the target of a move would refuse or change, before anything is changed.

Read only. SQLite's values are looked at one by one (migrations_ops.move.problems), because SQLite keeps
anything in any column; PostgreSQL's are asked for by conditions (migrations_ops.move.problems_postgresql).
Then foreign keys, sequences, and how fast this target takes a sample of these very rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.assess_sqlite import sqlite_read
from migrations_ops.move.assessment import (
    EXAMPLES,
    Assessment,
    ColumnFigures,
    TableFigures,
    ValueFinding,
    shown_example,
)
from migrations_ops.move.pages import pages_unmapped
from migrations_ops.move.problems import EMPTIED, Problem
from migrations_ops.move.problems_postgresql import conditions_of
from migrations_ops.move.rates import rates_measured
from migrations_ops.move.soundness import broken_condition, foreign_keys, sequence_next
from migrations_ops.move.tables import Column, Table


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
    with pages_unmapped(source):
        for table in tables:
            heartbeat()
            if source.vendor == "sqlite":
                figures, findings = sqlite_read(source, table, heartbeat)
            else:
                figures, findings = _postgresql_read(source, table, to)
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


# PostgreSQL -------------------------------------------------------------------------------------


def _postgresql_read(source: BaseDatabaseWrapper, table: Table, to: str) -> tuple[TableFigures, list[ValueFinding]]:
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
