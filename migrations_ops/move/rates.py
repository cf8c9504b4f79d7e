"""How fast this target takes these rows: a sample is copied as the move would copy it, and rolled back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg
from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import OpsError
from migrations_ops.move.copying import range_copy
from migrations_ops.move.fields import column_type
from migrations_ops.move.pages import pages_unmapped
from migrations_ops.move.ranges import KeyRange, ranges, ranges_table
from migrations_ops.move.tables import Table

#: Rows of a table that are tried, and the tables that are: those with most rows.
SAMPLE_ROWS = 5_000
TABLES_SAMPLED = 6


@dataclass(kw_only=True)
class Rates:
    """What was measured: rows and seconds by table."""

    by_table: dict[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of the sample."""
        return sum(rows for rows, _ in self.by_table.values())

    @property
    def rows_per_second(self) -> float | None:
        """Rows a second over the whole sample; None without one."""
        seconds = sum(seconds for _, seconds in self.by_table.values())
        return self.rows / seconds if seconds else None

    def seconds(self, sizes: dict[str, int]) -> float | None:
        """How long these tables would take, each at its own rate and the others at the rate of all."""
        mean = self.rows_per_second
        if not mean:
            return None
        own = {name: rows / seconds for name, (rows, seconds) in self.by_table.items() if rows and seconds}
        return sum(rows / own.get(name, mean) for name, rows in sizes.items())


def rates_measured(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: tuple[Table, ...], sizes: dict[str, int]
) -> Rates:
    """The rates of the largest tables; tables whose sample the target refuses are left out."""
    with pages_unmapped(source):  # for the ranges, all rows of a table are counted
        return _measured(source, target, tables, sizes)


def _measured(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: tuple[Table, ...], sizes: dict[str, int]
) -> Rates:
    largest = sorted((table for table in tables if sizes.get(table.name)), key=lambda table: -sizes[table.name])
    rates = Rates()
    for table in largest[:TABLES_SAMPLED]:
        key_range = ranges(source, table, SAMPLE_ROWS)[0]
        try:
            with _scratch(target, table, key_range):
                began = time.perf_counter()
                rows = range_copy(source, target, table, key_range).rows
                rates.by_table[table.name] = (rows, time.perf_counter() - began)
        except (OpsError, DatabaseError, psycopg.Error):
            continue  # a value that the assessment names
    return rates


@contextmanager
def _scratch(target: BaseDatabaseWrapper, table: Table, key_range: KeyRange) -> Iterator[None]:
    """The bare table in a place of its own inside a transaction that is rolled back."""
    quote = target.ops.quote_name
    with transaction.atomic(using=target.alias):
        try:
            with target.cursor() as cursor:
                if target.vendor == "postgresql":
                    name = quote(f"kb_probe_{uuid4().hex}")
                    cursor.execute(f"CREATE SCHEMA {name}")
                    cursor.execute(f"SET LOCAL search_path TO {name}")
                    ranges_table(target)
                else:
                    cursor.execute(
                        "CREATE TEMP TABLE ops_move_ranges (tbl, number, low, high, rows_planned, done, rows_done, bytes_done)"
                    )
                temporary = "TEMP " if target.vendor == "sqlite" else ""
                cursor.execute(f"CREATE {temporary}TABLE {quote(table.name)} ({_columns(target, table)})")
                cursor.execute(
                    "INSERT INTO ops_move_ranges (tbl, number, low, high, rows_planned, done, rows_done, bytes_done) "
                    "VALUES (%s, %s, %s, %s, %s, 0, 0, 0)",
                    [key_range.table, key_range.number, key_range.low, key_range.high, key_range.rows],
                )
            yield
        finally:
            transaction.set_rollback(True, using=target.alias)


def _columns(target: BaseDatabaseWrapper, table: Table) -> str:
    """The columns with the target's types, by the model."""
    return ", ".join(f"{target.ops.quote_name(name)} {column_type(table.name, name, target)}" for name in table.names)
