"""How the rows of a table are cut into pieces, and which of them the target has.

A range is of rowids on SQLite and of pages on PostgreSQL: rows lie there in this order, so a range reads
what is side by side on the disk, whatever the key is. A row that moves to another place while the copy
runs was changed after change capture began, and is brought by it.

The ranges are planned once and kept in the target. The transaction that writes the rows of a range marks
it as done, so that a range is in the target once or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import atomic

from migrations_ops.move.pages import pages_unmapped
from migrations_ops.move.tables import Table

#: Rows of a range: some tenths of a second of work.
ROWS = 20_000
TABLE = "ops_move_ranges"


@dataclass(frozen=True)
class KeyRange:
    """Rows of a table from `low` to `high`, both included."""

    table: str
    number: int
    low: int
    high: int
    #: How many rows there are about.
    rows: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON; KeyRange(**that) is the same again."""
        return asdict(self)


@dataclass(frozen=True)
class CopyProgress:
    """How far the copy is."""

    rows: int
    rows_total: int
    bytes: int
    ranges: int
    ranges_total: int


def ranges_table(target: BaseDatabaseWrapper) -> None:
    """Make the table of ranges."""
    with target.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {TABLE} (tbl varchar(200) NOT NULL, number bigint NOT NULL, low bigint NOT NULL, "
            "high bigint NOT NULL, rows_planned bigint NOT NULL, done integer NOT NULL DEFAULT 0, "
            "rows_done bigint NOT NULL DEFAULT 0, bytes_done bigint NOT NULL DEFAULT 0, PRIMARY KEY (tbl, number))"
        )


def ranges_plan(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: tuple[Table, ...], *, rows: int = ROWS
) -> None:
    """Cut every table into ranges of so many rows and keep them in the target; once only, whole or not at all."""
    with pages_unmapped(source), atomic(using=target.alias), target.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {TABLE})")
        if not cursor.fetchone()[0]:
            planned = [key_range for table in tables for key_range in ranges(source, table, rows)]
            cursor.executemany(
                f"INSERT INTO {TABLE} (tbl, number, low, high, rows_planned) VALUES (%s, %s, %s, %s, %s)",
                [(each.table, each.number, each.low, each.high, each.rows) for each in planned],
            )


def ranges(source: BaseDatabaseWrapper, table: Table, rows: int = ROWS) -> list[KeyRange]:
    """The table's rows of this moment in ranges of about so many."""
    cut = _cut_pages if source.vendor == "postgresql" else _cut_rowids
    return [
        KeyRange(table=table.name, number=number, low=low, high=high, rows=count)
        for number, (low, high, count) in enumerate(cut(source, table, rows))
    ]


def _cut_rowids(source: BaseDatabaseWrapper, table: Table, rows: int) -> Iterator[tuple[int, int, int]]:
    name = source.ops.quote_name(table.name)
    with source.cursor() as cursor:
        # One by one each of them is a look into an index; together they would read the table.
        cursor.execute(
            f"SELECT (SELECT min(rowid) FROM {name}), (SELECT max(rowid) FROM {name}), (SELECT count(*) FROM {name})"
        )
        low, last, count = cursor.fetchone()
        if not count:
            return
        if last - low < 4 * count:  # few gaps, as where keys were given out one by one
            for start in range(low, last + 1, rows):
                yield start, min(start + rows - 1, last), min(rows, last - start + 1, count)
            return
        left = count
        while low is not None:
            cursor.execute(f"SELECT rowid FROM {name} WHERE rowid >= %s ORDER BY rowid LIMIT 1 OFFSET %s", [low, rows])
            following = cursor.fetchone()
            yield low, following[0] - 1 if following else last, min(rows, left)
            left -= rows
            low = following[0] if following else None


def _cut_pages(source: BaseDatabaseWrapper, table: Table, rows: int) -> Iterator[tuple[int, int, int]]:
    name = source.ops.quote_name(table.name)
    with source.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {name}")
        count = cursor.fetchone()[0]
        cursor.execute("SELECT pg_relation_size(%s::regclass) / current_setting('block_size')::bigint", [name])
        pages = cursor.fetchone()[0]
    step = max(1, pages * rows // max(1, count))
    for low in range(0, pages, step):
        high = min(low + step, pages) - 1
        yield low, high, count * (high - low + 1) // pages


def ranges_left(target: BaseDatabaseWrapper) -> list[KeyRange]:
    """The ranges that are not in the target yet, those of the largest tables first."""
    with target.cursor() as cursor:
        cursor.execute(
            f"SELECT tbl, number, low, high, rows_planned FROM {TABLE} WHERE done = 0 "
            "ORDER BY sum(rows_planned) OVER (PARTITION BY tbl) DESC, tbl, number"
        )
        return [KeyRange(*row) for row in cursor.fetchall()]


def tables_progress(target: BaseDatabaseWrapper) -> dict[str, CopyProgress]:
    """How much of what was planned the target has, by table; tables without rows are not there."""
    with target.cursor() as cursor:
        cursor.execute(
            "SELECT tbl, sum(rows_done), sum(CASE WHEN done = 1 THEN rows_done ELSE rows_planned END), "
            f"sum(bytes_done), sum(done), count(*) FROM {TABLE} GROUP BY tbl ORDER BY tbl"
        )
        return {name: CopyProgress(*map(int, figures)) for name, *figures in cursor.fetchall()}


def progress_sum(each: Iterable[CopyProgress]) -> CopyProgress:
    """All tables together."""
    return CopyProgress(*map(sum, zip((0,) * 5, *map(astuple, each), strict=True)))


def range_take(target: BaseDatabaseWrapper, key_range: KeyRange) -> bool:
    """Mark a range as done, inside the transaction that writes its rows; False where another one has done that."""
    with target.cursor() as cursor:
        cursor.execute(
            f"UPDATE {TABLE} SET done = 1 WHERE tbl = %s AND number = %s AND done = 0",
            [key_range.table, key_range.number],
        )
        return bool(cursor.rowcount == 1)


def range_count(target: BaseDatabaseWrapper, key_range: KeyRange, rows: int, size: int) -> None:
    """Note what a range had."""
    with target.cursor() as cursor:
        cursor.execute(
            f"UPDATE {TABLE} SET rows_done = %s, bytes_done = %s WHERE tbl = %s AND number = %s",
            [rows, size, key_range.table, key_range.number],
        )
