"""The same Python values come out of both databases, and what one cannot mean is named."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import ValueUnfitError
from migrations_ops.move.values import key_parse, rows_delete, rows_fetch, rows_write
from tests.move.conftest import Pair
from tests.move.kinds import EDGES, EVERY_KIND, MISFITS, edge_rows, kinds_table, row_of

VENDORS = ["sqlite", "postgresql"]


@pytest.fixture(params=VENDORS)
def database(request: pytest.FixtureRequest, pair: Pair) -> Iterator[BaseDatabaseWrapper]:
    """One of the databases, with the table of every kind."""
    connection = pair.of(request.param)
    kinds_table(connection)
    return connection


def bits(value: Any) -> Any:
    """Tells -0.0 from 0.0, and True from 1."""
    return struct.pack("d", value) if isinstance(value, float) else (type(value), value)


def exact(rows: list[tuple[Any, ...]]) -> dict[int, list[Any]]:
    """Rows by key, for a comparison bit by bit."""
    return {row[0]: [bits(value) for value in row] for row in rows}


def test_every_value_comes_back_as_it_was(database: BaseDatabaseWrapper) -> None:
    rows = edge_rows()
    rows_write(database, EVERY_KIND, rows)
    found = rows_fetch(database, EVERY_KIND, range(1, len(rows) + 1))
    if database.vendor == "sqlite":  # keeps no -0.0
        rows = [tuple(0.0 if value == 0 and isinstance(value, float) else value for value in row) for row in rows]
    assert exact(found) == exact(rows)


def test_rows_go_by_their_keys_and_absent_keys_do_no_harm(database: BaseDatabaseWrapper) -> None:
    rows_write(database, EVERY_KIND, [row_of(number) for number in (1, 2, 3)])
    assert rows_delete(database, EVERY_KIND, [2, "3", 4]) == 2
    assert [row[0] for row in rows_fetch(database, EVERY_KIND, ["1", 2, 3])] == [1]


@pytest.mark.parametrize("spelled", [str, lambda key: key.hex])
def test_a_uuid_on_sqlite_is_found_in_either_spelling(pair: Pair, spelled: Any) -> None:
    (table,) = [table for table in pair_tables(pair) if table.name == "kb_entry_addresses"]
    key, entry = uuid.uuid4(), uuid.uuid4()
    with pair.sqlite.constraint_checks_disabled(), pair.sqlite.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kb_entry_addresses (old_id, entry_id, title, merged_at) VALUES (%s, %s, 'T', '2024-01-01 00:00:00')",
            [spelled(key), spelled(entry)],
        )
    for asked in (key, key.hex, str(key)):
        ((*found,),) = rows_fetch(pair.sqlite, table, [asked])
        assert {key, entry} <= set(found)


def pair_tables(pair: Pair) -> Any:
    from migrations_ops.move.tables import tables_moved

    return tables_moved(pair.sqlite)


def test_a_value_that_its_column_cannot_mean_is_named(pair: Pair) -> None:
    kinds_table(pair.sqlite)
    for key, (column, value) in enumerate(MISFITS):
        with pair.sqlite.cursor() as cursor:
            cursor.execute("PRAGMA ignore_check_constraints = ON")
            cursor.execute(f'INSERT INTO test_every_kind (id, "{column}") VALUES (%s, %s)', [key, value])
        with pytest.raises(ValueUnfitError, match=f"test_every_kind, key {key}: {column} holds"):
            rows_fetch(pair.sqlite, EVERY_KIND, [key])


@pytest.mark.parametrize(("column", "value"), [("real", float("nan")), ("share", Decimal("12.00000000000001"))])
def test_what_sqlite_cannot_keep_is_refused(column: str, value: Any, pair: Pair) -> None:
    kinds_table(pair.sqlite)
    with pytest.raises(ValueUnfitError, match=column):
        rows_write(pair.sqlite, EVERY_KIND, [row_of(1, **{column: value})])


@pytest.mark.parametrize("raw", ["x", 1.5, None, b"1", "1 "])
def test_a_key_of_another_kind_is_refused(raw: Any) -> None:
    with pytest.raises(ValueUnfitError):
        key_parse(EVERY_KIND, raw)


def test_edges_are_of_every_kind() -> None:
    assert {column for column, _ in EDGES} | {"id"} == set(EVERY_KIND.names)
