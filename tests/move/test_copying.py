"""A range arrives with every value as it was, once or not at all."""

from __future__ import annotations

import datetime as dt
import random
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import RowRefusedError, SchemaDiffersError, ValueUnfitError
from migrations_ops.move.copying import range_copy
from migrations_ops.move.ranges import progress_sum, ranges, ranges_left, ranges_plan, ranges_table, tables_progress
from migrations_ops.move.tables import Table
from migrations_ops.move.values import rows_fetch, rows_write
from tests.move.conftest import Pair, alias_close, alias_open
from tests.move.kinds import (
    EVERY_KIND,
    EVERY_KIND_FILLED,
    MISFITS,
    EveryKind,
    EveryKindFilled,
    edge_rows,
    filled_rows,
    kinds_table,
    row_of,
)
from tests.postgres import PostgresServer

KINDS = [(EveryKind, EVERY_KIND, edge_rows), (EveryKindFilled, EVERY_KIND_FILLED, filled_rows)]
DIRECTIONS = [("sqlite", "postgresql"), ("postgresql", "sqlite"), ("postgresql", "postgresql")]


@pytest.fixture
def other_postgresql(postgres_server: PostgresServer, unblocked: None) -> Iterator[BaseDatabaseWrapper]:
    """An empty database."""
    url = postgres_server.create_database()
    yield alias_open("pair-other", url)
    alias_close("pair-other")
    postgres_server.drop_database(url)


@pytest.fixture(params=DIRECTIONS, ids="-to-".join)
def way(
    request: pytest.FixtureRequest, pair: Pair, other_postgresql: BaseDatabaseWrapper
) -> tuple[BaseDatabaseWrapper, BaseDatabaseWrapper]:
    """Source and target of each direction, with the tables of every kind and a plan to be filled."""
    source, target = request.param
    opened = pair.of(source), other_postgresql if source == target else pair.of(target)
    for connection in opened:
        for model, _table, _rows in KINDS:
            kinds_table(connection, model)
    ranges_table(opened[1])
    return opened


def copied(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, table: Table, rows: int = 20) -> int:
    ranges_plan(source, target, (table,), rows=rows)
    return sum(range_copy(source, target, table, left).rows for left in ranges_left(target))


def exact(rows: list[tuple[Any, ...]]) -> dict[Any, list[Any]]:
    """Rows by key, floats as their bits."""
    return {
        row[0]: [struct.pack("d", value) if isinstance(value, float) else (type(value), value) for value in row]
        for row in rows
    }


@pytest.mark.parametrize(("model", "table", "rows"), KINDS, ids=["null", "filled"])
def test_every_value_arrives_as_it_was(way: Any, model: Any, table: Table, rows: Any) -> None:
    source, target = way
    rows_write(source, table, rows())
    keys = [row[0] for row in rows()]
    before = rows_fetch(source, table, keys)
    assert copied(source, target, table) == len(keys) == len(before)
    after = rows_fetch(target, table, keys)
    if target.vendor == "sqlite":  # keeps no -0.0
        before = [tuple(value + 0.0 if isinstance(value, float) else value for value in row) for row in before]
    assert exact(after) == exact(before)


def test_random_floats_and_times_arrive_bit_by_bit(way: Any) -> None:
    source, target = way
    generator = random.Random(4)
    floats = [struct.unpack("d", generator.randbytes(8))[0] for _ in range(1_500)]
    rows = [
        row_of(
            number,
            real=value if value - value == 0 else float(number),
            at=dt.datetime(1, 1, 1, tzinfo=dt.UTC)
            + dt.timedelta(microseconds=generator.randrange(315_537_897_600_000_000)),
            uuid=uuid.UUID(bytes=generator.randbytes(16)),
            took=dt.timedelta(microseconds=generator.randrange(-(10**15), 10**15)),
        )
        for number, value in enumerate(floats)
    ]
    rows_write(source, EVERY_KIND, rows)
    copied(source, target, EVERY_KIND, rows=700)
    assert exact(rows_fetch(target, EVERY_KIND, range(1_500))) == exact(rows)


def test_a_decimal_is_the_one_that_django_reads(pair: Pair) -> None:
    generator = random.Random(5)
    cents = [generator.randrange(-(10 ** generator.randrange(1, 15)), 10**15 - 1) for _ in range(2_000)]
    sqlite_to_postgresql(pair, [row_of(number) for number in range(2_000)], {"price": [cent / 100 for cent in cents]})
    with pair.postgresql.cursor() as cursor:
        cursor.execute("SELECT (price * 100)::bigint, scale(price) FROM test_every_kind ORDER BY id")
        assert cursor.fetchall() == [(cent, 2) for cent in cents]


def sqlite_to_postgresql(pair: Pair, rows: list[tuple[Any, ...]], raw: dict[str, list[Any]]) -> None:
    """Copies rows in whose columns SQLite has these raw values."""
    for connection in (pair.sqlite, pair.postgresql):
        kinds_table(connection)
    ranges_table(pair.postgresql)
    rows_write(pair.sqlite, EVERY_KIND, rows)
    with pair.sqlite.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        for column, values in raw.items():
            pairs = [(value, row[0]) for value, row in zip(values, rows, strict=True)]
            cursor.executemany(f'UPDATE test_every_kind SET "{column}" = %s WHERE id = %s', pairs)
    copied(pair.sqlite, pair.postgresql, EVERY_KIND, rows=1_000)


SPELLINGS = [
    ("uuid", ["12345678123456781234567812345678", "12345678-1234-5678-1234-567812345678"], uuid.UUID(int=0x12345678123456781234567812345678)),
    ("at", ["2024-01-02 03:04:05.100000", "2024-01-02 03:04:05.1", "2024-01-02T03:04:05.1Z"], dt.datetime(2024, 1, 2, 3, 4, 5, 100_000, tzinfo=dt.UTC)),
    ("at", ["2024-01-02 03:04:05", "2024-01-02 03:04:05.000", "2024-01-02T03:04:05+00:00"], dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
    ("time", ["03:04:05", "03:04:05.000000", "03:04:05.0"], dt.time(3, 4, 5)),
]  # fmt: skip


def test_other_spellings_of_sqlite_arrive_as_what_they_mean(pair: Pair) -> None:
    spelled = [(column, text, meant) for column, texts, meant in SPELLINGS for text in texts]
    columns = {column for column, _, _ in spelled}
    raw = {column: [text if column == each else None for each, text, _ in spelled] for column in columns}
    sqlite_to_postgresql(pair, [row_of(number) for number in range(len(spelled))], raw)
    found = rows_fetch(pair.postgresql, EVERY_KIND, range(len(spelled)))
    assert sorted(found) == [row_of(number, **{column: meant}) for number, (column, _, meant) in enumerate(spelled)]


def test_a_value_of_the_wrong_type_is_named_and_nothing_of_its_range_arrives(pair: Pair) -> None:
    beyond = [("small", 2**15), ("number", 2**31), ("big", 2.0**63), ("at", "2024-W01-1 00:00:00.000000")]
    with refusing(pair):
        for column, value in [*MISFITS, *beyond]:
            with pytest.raises(ValueUnfitError, match=f"test_every_kind, key 3: {column} holds"):
                bad_copied(pair, column, value)


def test_a_value_that_the_target_refuses_is_named(pair: Pair) -> None:
    refused = [("text", "a\x00b"), ("name", "x" * 41), ("json", "{"), ("json", "NaN"), ("json", '"\\u0000"')]
    with refusing(pair):
        for column, value in refused:
            with pytest.raises(RowRefusedError, match=f"test_every_kind, key 3, {column}: "):
                bad_copied(pair, column, value)


@contextmanager
def refusing(pair: Pair) -> Iterator[None]:
    """Five planned rows, of which nothing is to arrive."""
    for connection in (pair.sqlite, pair.postgresql):
        kinds_table(connection)
    ranges_table(pair.postgresql)
    rows_write(pair.sqlite, EVERY_KIND, [row_of(number) for number in range(5)])
    with pair.sqlite.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
    yield
    with pair.postgresql.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM test_every_kind")
        assert cursor.fetchone() == (0,)
    assert progress_sum(tables_progress(pair.postgresql).values()).ranges == 0


def bad_copied(pair: Pair, column: str, value: Any) -> None:
    """Copies with this value in row 3."""
    with pair.sqlite.cursor() as cursor:
        cursor.execute(f'UPDATE test_every_kind SET "{column}" = %s WHERE id = 3', [value])
    try:
        copied(pair.sqlite, pair.postgresql, EVERY_KIND)
    finally:
        with pair.sqlite.cursor() as cursor:
            cursor.execute(f'UPDATE test_every_kind SET "{column}" = NULL WHERE id = 3')


def test_text_that_is_no_utf8_is_named(pair: Pair) -> None:
    kinds_table(pair.sqlite)
    kinds_table(pair.postgresql)
    ranges_table(pair.postgresql)
    with pair.sqlite.cursor() as cursor:
        cursor.execute("INSERT INTO test_every_kind (id, text) VALUES (1, 'x'), (2, CAST(x'53E9' AS TEXT))")
    with pytest.raises(RowRefusedError, match="test_every_kind, key 2, text: invalid byte sequence"):
        copied(pair.sqlite, pair.postgresql, EVERY_KIND)
    with pair.sqlite.cursor() as cursor:
        cursor.execute("UPDATE test_every_kind SET text = NULL, at = CAST(x'53E9' AS TEXT) WHERE id = 2")
    with pytest.raises(ValueUnfitError, match="test_every_kind, key 2: at holds b'S"):
        copied(pair.sqlite, pair.postgresql, EVERY_KIND)
    with pair.sqlite.cursor() as cursor:
        cursor.execute("SELECT text FROM test_every_kind WHERE id = 1")
        assert cursor.fetchone() == ("x",)


def test_a_range_that_was_brought_is_not_brought_again(way: Any) -> None:
    source, target = way
    rows_write(source, EVERY_KIND, [row_of(number) for number in range(100)])
    ranges_plan(source, target, (EVERY_KIND,), rows=30)
    planned = ranges_left(target)
    assert sum(range_copy(source, target, EVERY_KIND, each).rows for each in planned) == 100
    assert [range_copy(source, target, EVERY_KIND, each).rows for each in planned] == [0] * len(planned)
    assert ranges_left(target) == []
    progress = progress_sum(tables_progress(target).values())
    assert (progress.rows, progress.rows_total, progress.ranges) == (100, 100, len(planned))
    assert progress.bytes > 0


def test_a_plan_stays_when_the_source_grows(pair: Pair) -> None:
    kinds_table(pair.sqlite)
    ranges_table(pair.postgresql)
    rows_write(pair.sqlite, EVERY_KIND, [row_of(number) for number in range(10)])
    ranges_plan(pair.sqlite, pair.postgresql, (EVERY_KIND,), rows=4)
    planned = ranges_left(pair.postgresql)
    rows_write(pair.sqlite, EVERY_KIND, [row_of(number) for number in range(10, 20)])
    ranges_plan(pair.sqlite, pair.postgresql, (EVERY_KIND,), rows=4)
    assert ranges_left(pair.postgresql) == planned
    assert [(each.low, each.high, each.rows) for each in planned] == [(0, 3, 4), (4, 7, 4), (8, 9, 2)]


def test_ranges_of_scattered_keys_have_as_many_rows_as_wanted(pair: Pair) -> None:
    kinds_table(pair.sqlite)
    keys = [3**number for number in range(30)]
    rows_write(pair.sqlite, EVERY_KIND, [row_of(key) for key in keys])
    found = ranges(pair.sqlite, EVERY_KIND, 7)
    assert [sum(each.low <= key <= each.high for key in keys) for each in found] == [7, 7, 7, 7, 2]


def test_an_empty_table_has_no_ranges(pair: Pair) -> None:
    for vendor in ("sqlite", "postgresql"):
        kinds_table(pair.of(vendor))
        assert ranges(pair.of(vendor), EVERY_KIND) == []


def test_a_target_without_a_column_is_refused(pair: Pair) -> None:
    kinds_table(pair.sqlite)
    kinds_table(pair.postgresql)
    ranges_table(pair.postgresql)
    rows_write(pair.sqlite, EVERY_KIND, [row_of(1)])
    with pair.postgresql.cursor() as cursor:
        cursor.execute("ALTER TABLE test_every_kind DROP COLUMN took")
    with pytest.raises(SchemaDiffersError, match="test_every_kind has no took"):
        copied(pair.sqlite, pair.postgresql, EVERY_KIND)
