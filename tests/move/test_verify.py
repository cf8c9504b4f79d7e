"""A verification sees any single changed field, on either side, and nothing where the meaning is the same."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move import spans_postgresql, spans_sqlite
from migrations_ops.move import verify as verify_module
from migrations_ops.move.capture import capture_install
from migrations_ops.move.drain import drain_to_end
from migrations_ops.move.ledger import DifferenceKind, Ledger
from migrations_ops.move.parity import ParityQuery
from migrations_ops.move.tables import ColumnKind, Table, tables_moved
from migrations_ops.move.values import rows_delete, rows_write
from migrations_ops.move.verify import VerifyProgress, rows_recopy, verify
from tests.move.conftest import Pair, alias_close, alias_open
from tests.move.kinds import EVERY_KIND, edge_rows, kinds_table, row_of
from tests.postgres import PostgresServer, database_name

TABLES = (EVERY_KIND,)
SIDES = ["sqlite", "postgresql"]


@pytest.fixture
def kinds(pair: Pair) -> Pair:
    """Both databases with the table of every kind, and the same rows in it: every edge, then NULLs."""
    rows = [row for row in edge_rows() if not _negative_zero(row)]
    rows += [row_of(number) for number in range(900, 910)]
    for vendor in SIDES:
        kinds_table(pair.of(vendor))
        rows_write(pair.of(vendor), EVERY_KIND, rows)
        execute(pair.of(vendor), *sequence_set(vendor, 910))
    return pair


def _negative_zero(row: tuple[Any, ...]) -> bool:
    return any(isinstance(value, float) and str(value) == "-0.0" for value in row)


def sequence_set(vendor: str, following: int, table: str = "test_every_kind") -> tuple[str, list[Any]]:
    if vendor == "sqlite":
        return "UPDATE sqlite_sequence SET seq = %s WHERE name = %s", [following - 1, table]
    return "SELECT setval(pg_get_serial_sequence(%s, 'id'), %s, false)", [table, following]


def execute(connection: BaseDatabaseWrapper, sql: str, values: list[Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or [])


def verified(pair: Pair, source: str = "sqlite", tables: tuple[Table, ...] = TABLES, **options: Any) -> Ledger:
    return verify(pair.of(source), pair.other(source), tables, **options)


def set_field(connection: BaseDatabaseWrapper, key: int, column: str, value: Any, cast: str = "") -> None:
    if connection.vendor == "postgresql" and cast:
        execute(connection, f'UPDATE test_every_kind SET "{column}" = %s::{cast} WHERE id = %s', [value, key])
        return
    if connection.vendor == "sqlite":
        execute(connection, "PRAGMA ignore_check_constraints = ON")
    execute(connection, f'UPDATE test_every_kind SET "{column}" = %s WHERE id = %s', [value, key])


@pytest.mark.parametrize("source", SIDES)
def test_the_same_rows_are_sound_in_either_direction(source: str, kinds: Pair) -> None:
    ledger = verified(kinds, source)
    assert [str(difference) for difference in ledger.differences] == []
    assert ledger.sound
    assert ledger.rows == ledger.tables[0].rows_target > 100


UTC = dt.UTC
#: Column, a value, and another value that only just differs.
CHANGES: list[tuple[str, Any, Any]] = [
    ("small", 1, 2),
    ("small", 0, None),
    ("number", 7, -7),
    ("big", 2**53, 2**53 + 1),
    ("big", -(2**63), None),
    ("yes", True, False),
    ("yes", None, False),
    ("real", 0.1, 0.1 + 2**-56),
    ("real", 1e15, 1e15 + 0.125),
    ("real", 0.0, None),
    ("price", Decimal("1.50"), Decimal("1.51")),
    ("price", Decimal("0.00"), None),
    ("share", Decimal("0.12345678901234"), Decimal("0.12345678901235")),
    ("name", "trailing", "trailing "),
    ("name", "", None),
    ("name", "", " "),
    ("name", "Größe", "Gr\u006f\u0308ße"),
    ("name", "a", "A"),
    ("text", "line\n", "line\r\n"),
    ("text", "null", None),
    ("text", "\x1e", None),
    ("text", "a\x1fb", "a\x1f b"),
    ("text", "x" * 100_000, "x" * 99_999 + "y"),
    ("text", "0", "00"),
    ("uuid", uuid.UUID(int=1), uuid.UUID(int=2)),
    ("uuid", uuid.UUID(int=0), None),
    ("json", "null", None),
    ("json", "true", "1"),
    ("json", '{"a": 1}', '{"a": 2}'),
    ("json", '{"a": 1, "b": 2}', '{"a": 2, "b": 1}'),
    ("json", "[1, 2]", "[2, 1]"),
    ("json", '"1"', "1"),
    ("json", '{"a": null}', "{}"),
    ("json", "12345678901234567890.1", "12345678901234567890.2"),
    ("json", '["\\u00e9"]', '["e\\u0301"]'),
    (
        "at",
        dt.datetime(2024, 5, 5, 5, 5, 5, 100_000, tzinfo=UTC),
        dt.datetime(2024, 5, 5, 5, 5, 5, 100_001, tzinfo=UTC),
    ),
    ("at", dt.datetime(2024, 5, 5, 5, tzinfo=UTC), dt.datetime(2024, 5, 5, 6, tzinfo=UTC)),
    ("day", dt.date(2024, 2, 28), dt.date(2024, 2, 29)),
    ("time", dt.time(1, 2, 3, 120_000), dt.time(1, 2, 3, 12)),
    ("took", dt.timedelta(days=1), dt.timedelta(days=1, microseconds=1)),
    ("data", b"\x00", b"\x00\x00"),
    ("data", b"", None),
    ("data", b"\x00" * 100_000, b"\x00" * 99_999 + b"\x01"),
]
CHANGED_KEY = 905


def place_row(connection: BaseDatabaseWrapper, key: int, **values: Any) -> None:
    rows_delete(connection, EVERY_KIND, [key])
    rows_write(connection, EVERY_KIND, [row_of(key, **values)])


@pytest.mark.parametrize("changed", SIDES)
def test_one_changed_field_is_named_with_its_table_key_and_column(changed: str, kinds: Pair) -> None:
    for column, one, other in CHANGES:
        place_row(kinds.other(changed), CHANGED_KEY, **{column: one})
        place_row(kinds.of(changed), CHANGED_KEY, **{column: other})
        for source in SIDES:
            (found,) = verified(kinds, source).differences
            assert (found.kind, found.table) == (DifferenceKind.CHANGED, "test_every_kind"), (column, one, other)
            assert (found.key, found.column) == (CHANGED_KEY, column), (column, one, other)
            assert found.source != found.target


def test_values_that_two_rows_swapped_are_two_differences(kinds: Pair) -> None:
    for column, one, other in CHANGES:
        for vendor, values in (("sqlite", (one, other)), ("postgresql", (other, one))):
            for key, value in zip((903, 904), values, strict=True):
                place_row(kinds.of(vendor), key, **{column: value})
        found = verified(kinds).differences
        assert [(each.key, each.column) for each in found] == [(903, column), (904, column)], (column, one, other)


def test_the_sign_of_zero_which_sqlite_does_not_keep_is_no_difference_and_hides_none(kinds: Pair) -> None:
    place_row(kinds.sqlite, CHANGED_KEY, real=0.0)
    place_row(kinds.postgresql, CHANGED_KEY, real=-0.0)
    for source in SIDES:
        assert verified(kinds, source).differences == []
    place_row(kinds.sqlite, CHANGED_KEY, real=5e-324)
    (found,) = verified(kinds).differences
    assert (found.column, found.source, found.target) == ("real", "5e-324", "-0.0")


#: Column, what stands in SQLite, and what stands in PostgreSQL: other spellings of one meaning.
EQUAL: list[tuple[str, Any, str, str]] = [
    ("json", '{"a":1,"bb":[1.0,2e1]}', '{"bb": [1, 20], "a": 1.00}', "jsonb"),
    ("json", '{"b": 1, "aa": "\\u00e4", "a": {"y": 1, "x": 2}}', '{"a": {"x": 2, "y": 1}, "aa": "ä", "b": 1}', "jsonb"),
    ("json", " null ", "null", "jsonb"),
    ("json", "-0.0", "0", "jsonb"),
    ("price", 1.5, "1.5", "numeric"),
    ("price", 3, "3.00", "numeric"),
    ("price", -0.0, "0", "numeric"),
    ("uuid", "12345678-1234-5678-1234-56781234567A", "1234567812345678123456781234567a", "uuid"),
    ("at", "2024-01-01 00:00:00.000000", "2024-01-01 00:00:00+00", "timestamptz"),
    ("at", "2024-01-01T00:00:00.500+02:00", "2023-12-31 22:00:00.5+00", "timestamptz"),
    ("at", "2024-01-01 00:00:00.120000", "2024-01-01 01:00:00.12+01", "timestamptz"),
    ("time", "12:00:00.500000", "12:00:00.5", "time"),
    ("took", 90_000_000_000, "25:00:00", "interval"),
]


def test_values_that_mean_the_same_are_equal_however_they_are_spelled(kinds: Pair) -> None:
    for column, ours, theirs, cast in EQUAL:
        set_field(kinds.sqlite, CHANGED_KEY, column, ours)
        set_field(kinds.postgresql, CHANGED_KEY, column, theirs, cast)
        assert [str(each) for each in verified(kinds).differences] == [], (column, ours, theirs)


def test_a_value_of_a_wrong_type_is_never_equal(kinds: Pair) -> None:
    right = {"number": 7, "yes": 1, "price": "0.00", "text": "7", "uuid": str(uuid.UUID(int=7)), "took": "0"}
    casts = {"number": "int", "yes": "int::boolean", "price": "numeric", "uuid": "uuid", "took": "interval"}
    wrong = {
        "number": [b"7", "seven", 7.5],
        "yes": ["t", b"\x01", 2],
        "price": ["abc", b"0.00"],
        "text": [b"7"],
        "uuid": ["7", 7],
        "took": ["0s"],
    }
    for column, values in wrong.items():
        set_field(kinds.postgresql, CHANGED_KEY, column, right[column], casts.get(column, ""))
        for value in values:
            set_field(kinds.sqlite, CHANGED_KEY, column, value)
            assert [each.column for each in verified(kinds).differences] == [column], (column, value)
        set_field(kinds.sqlite, CHANGED_KEY, column, None)
        set_field(kinds.postgresql, CHANGED_KEY, column, None)


def test_json_that_only_sqlite_takes_is_a_difference_and_stops_nothing(kinds: Pair) -> None:
    for value in ('"\\u0000"', "{", "1, 2", '"\\ud800"'):
        set_field(kinds.sqlite, CHANGED_KEY, "json", value)
        set_field(kinds.postgresql, CHANGED_KEY, "json", "1", "jsonb")
        assert [(each.key, each.column) for each in verified(kinds).differences] == [(CHANGED_KEY, "json")], value


@pytest.mark.parametrize("source", SIDES)
def test_rows_that_only_one_side_has_are_named(source: str, kinds: Pair) -> None:
    rows_delete(kinds.of(source), EVERY_KIND, [902, 909])
    rows_delete(kinds.other(source), EVERY_KIND, [1, 903])
    ledger = verified(kinds, source)
    assert [(each.kind, each.key) for each in ledger.differences] == [
        (DifferenceKind.MISSING, 1),
        (DifferenceKind.MISSING, 903),
        (DifferenceKind.EXTRA, 902),
        (DifferenceKind.EXTRA, 909),
    ]
    assert ledger.differences_count == 4
    assert not ledger.sound


@pytest.mark.parametrize("source", SIDES)
def test_differing_rows_are_copied_again_and_then_sound(source: str, kinds: Pair) -> None:
    target = kinds.other(source)
    rows_delete(target, EVERY_KIND, [1, 903])
    place_row(target, 902, name="changed", json='{"a": 1}')
    rows_write(target, EVERY_KIND, [row_of(2_000)])
    found = verified(kinds, source).differences
    assert rows_recopy(kinds.of(source), target, TABLES, found) == 4
    assert verified(kinds, source).sound


def test_after_rows_were_copied_again_only_their_tables_are_read_again(kinds: Pair) -> None:
    both = (EVERY_KIND, *(table for table in tables_moved(kinds.sqlite) if table.name == "kb_tags"))
    place_row(kinds.postgresql, 902, name="changed")
    first = verified(kinds, tables=both)
    rows_recopy(kinds.sqlite, kinds.postgresql, both, first.differences)
    read: list[VerifyProgress] = []

    second = verified(kinds, tables=both, known=first.tables_equal, progress=read.append)

    assert [table.table for table in first.tables_equal] == ["kb_tags"]
    assert {each.table for each in read} == {"test_every_kind"}
    assert second.sound and second.rows == first.rows and len(second.tables) == 2


@pytest.mark.parametrize("source", SIDES)
def test_a_sequence_that_would_give_a_number_again_is_named(source: str, kinds: Pair) -> None:
    target = kinds.other(source)
    if target.vendor == "sqlite":  # goes by its largest row as well, so only numbers given and deleted count
        execute(kinds.of(source), *sequence_set(source, 1_000))
    else:
        execute(target, *sequence_set("postgresql", 909))
    (found,) = verified(kinds, source).differences
    assert (found.kind, found.table, found.column) == (DifferenceKind.SEQUENCE, "test_every_kind", "id")
    execute(target, *sequence_set(target.vendor, 1_000))
    assert verified(kinds, source).sound


def test_many_spans_leave_no_gap_and_differences_beyond_the_list_are_counted(
    kinds: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans_sqlite, "SPAN_ROWS", 7)
    monkeypatch.setattr(spans_sqlite, "FIRST_ROWS", 3)
    monkeypatch.setattr(verify_module, "LISTED_PER_TABLE", 5)
    seen: list[VerifyProgress] = []
    assert verified(kinds, progress=seen.append).tables[0].spans > 15
    assert seen[-1].rows_done == seen[-1].rows_total
    execute(kinds.postgresql, "UPDATE test_every_kind SET name = 'other' WHERE id > 3")
    ledger = verified(kinds)
    assert len(ledger.differences) == 5
    assert ledger.differences_count == ledger.rows - 3
    assert ledger.summary()["differences"] == ledger.rows - 3


def test_a_heartbeat_that_refuses_ends_it_and_the_connections_are_free_again(kinds: Pair) -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        verified(kinds, heartbeat=stop)
    assert verified(kinds).sound
    with kinds.sqlite.cursor() as cursor:
        cursor.execute("SELECT 'text'")
        assert cursor.fetchone() == ("text",)


def test_it_is_right_while_rows_are_written(kinds: Pair) -> None:
    """The source goes on after its snapshot; the target is brought to the snapshot and no further."""
    beside = alias_open("pair-beside", f"sqlite://{kinds.sqlite_path}")
    place_row(kinds.postgresql, CHANGED_KEY, name="not drained yet")

    def catch_up() -> None:
        execute(beside, "UPDATE test_every_kind SET name = 'later' WHERE id > 1")
        place_row(kinds.postgresql, CHANGED_KEY)
        execute(kinds.postgresql, *sequence_set("postgresql", 3))  # as after rows that came with their numbers

    try:
        assert [str(each) for each in verified(kinds, catch_up=catch_up).differences] == []
        assert verified(kinds).differences_count == verified(kinds).rows - 1
    finally:
        alias_close("pair-beside")


# Real tables ------------------------------------------------------------------------------------

MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
ENTRY = {
    "title": "S0C7 in step 2",
    "problem": "It abends with S0C7." * 3,
    "solution": "Initialise the field." * 5,
    "category": "JCL",
    "severity": "low",
    "status": "draft",
}
_SAMPLES: dict[ColumnKind, Any] = {
    ColumnKind.INTEGER: 1,
    ColumnKind.BOOLEAN: False,
    ColumnKind.FLOAT: 0.25,
    ColumnKind.TEXT: "t",
    ColumnKind.JSON: "{}",
    ColumnKind.TIMESTAMP: MOMENT,
    ColumnKind.UUID: uuid.UUID(int=1),
}


def filled(table: Table, **values: Any) -> tuple[Any, ...]:
    """A row with these values and plain ones elsewhere."""
    return tuple(values.get(column.name, None if column.null else _SAMPLES[column.kind]) for column in table.columns)


@contextmanager
def unchecked(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Nothing looks at foreign keys, as in a database that was mended by hand."""
    if connection.vendor == "sqlite":
        with connection.constraint_checks_disabled():
            yield
        return
    execute(connection, "SET session_replication_role = replica")
    yield
    execute(connection, "SET session_replication_role = origin")


@pytest.fixture
def moved(pair: Pair) -> tuple[Pair, dict[str, Table]]:
    """Rows of real tables on both sides, with keys of every kind and nothing that only one side has."""
    tables = {table.name: table for table in tables_moved(pair.sqlite)}
    for vendor in SIDES:
        connection = pair.of(vendor)
        for name in ("auth_permission", "django_content_type", "django_migrations"):
            execute(connection, f"DELETE FROM {name}")
            execute(connection, *sequence_set(vendor, 10_000, name))
        entries = [filled(tables["kb_entries"], id=uuid.UUID(int=number << 70), **ENTRY) for number in range(1, 9)]
        rows_write(connection, tables["kb_entries"], entries)
        sessions = [filled(tables["django_session"], session_key=key) for key in ("b", "B", "ä", "Z", "_", "a b", "z1")]
        rows_write(connection, tables["django_session"], sessions)
        execute(connection, "UPDATE ops_site_state SET changed_at = %s", [MOMENT])
    return pair, tables


@pytest.mark.parametrize("source", SIDES)
def test_the_site_s_own_tables_are_sound_with_keys_of_every_kind(
    source: str, moved: tuple[Pair, dict[str, Table]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, tables = moved
    monkeypatch.setattr(spans_sqlite, "SPAN_ROWS", 2)
    monkeypatch.setattr(spans_sqlite, "FIRST_ROWS", 2)
    ledger = verified(pair, source, tuple(tables.values()))
    assert [str(difference) for difference in ledger.differences] == []
    assert {one.table: one.rows_target for one in ledger.tables}["django_session"] == 7
    assert ledger.foreign_keys_checked > 20
    assert {one.table for one in ledger.sequences} >= {"kb_tags", "auth_permission"}
    execute(pair.postgresql, "UPDATE django_session SET session_data = 'u' WHERE session_key = 'Z'")
    execute(pair.postgresql, "DELETE FROM kb_entries WHERE id = %s", [uuid.UUID(int=3 << 70)])
    found = verified(pair, source, tuple(tables.values())).differences
    assert {(each.table, each.key, each.column) for each in found} == {
        ("django_session", "Z", "session_data"),
        ("kb_entries", uuid.UUID(int=3 << 70).hex, ""),
    }
    assert all("(not shown)" in each.source for each in found if each.table == "django_session")


def test_a_key_that_another_program_spelled_with_dashes_is_the_same_key(moved: tuple[Pair, dict[str, Table]]) -> None:
    pair, tables = moved
    for number in (2, 5):
        key = uuid.UUID(int=number << 70)
        execute(pair.sqlite, "UPDATE kb_entries SET id = %s WHERE id = %s", [str(key).upper(), key.hex])
    assert [str(each) for each in verified(pair, tables=(tables["kb_entries"],)).differences] == []


@pytest.mark.parametrize("source", SIDES)
def test_a_broken_foreign_key_is_named(source: str, moved: tuple[Pair, dict[str, Table]]) -> None:
    pair, tables = moved
    for vendor in SIDES:
        with unchecked(pair.of(vendor)):
            rows_write(pair.of(vendor), tables["kb_entry_tags"], [(1, uuid.UUID(int=1 << 70), 77)])
    execute(pair.postgresql, *sequence_set("postgresql", 2, "kb_entry_tags"))
    (found,) = verified(pair, source, tuple(tables.values())).differences
    assert (found.kind, found.table, found.key, found.column) == (
        DifferenceKind.FOREIGN_KEY,
        "kb_entry_tags",
        1,
        "tag_id",
    )


def test_a_table_that_one_side_lacks_is_named(moved: tuple[Pair, dict[str, Table]]) -> None:
    pair, tables = moved
    execute(pair.postgresql, "DROP TABLE search_analytics")
    (found,) = verified(pair, tables=tuple(tables.values())).differences
    assert (found.kind, found.table, found.target) == (DifferenceKind.TABLE, "search_analytics", "not there")


def test_two_postgresql_servers_are_compared_too(
    moved: tuple[Pair, dict[str, Table]], postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, tables = moved
    monkeypatch.setattr(spans_postgresql, "SPAN_ROWS", 3)
    kinds_table(pair.postgresql)
    rows_write(pair.postgresql, EVERY_KIND, edge_rows())
    execute(pair.postgresql, *sequence_set("postgresql", 910))
    every = (*tables.values(), EVERY_KIND)
    pair.postgresql.close()
    url = postgres_server.create_database(template=database_name(pair.postgresql_url))
    other = alias_open("pair-other", url)
    try:
        assert [str(each) for each in verify(pair.postgresql, other, every).differences] == []
        execute(other, "UPDATE django_session SET session_data = 'u' WHERE session_key = 'Z'")
        execute(other, "UPDATE test_every_kind SET json = '1' WHERE id = 12")
        execute(other, "DELETE FROM kb_entries WHERE id = %s", [uuid.UUID(int=8 << 70)])
        execute(other, "UPDATE test_every_kind SET real = -0.0::float8 WHERE id = 13")
        execute(pair.postgresql, "UPDATE test_every_kind SET real = 0.0 WHERE id = 13")
        found = verify(pair.postgresql, other, every).differences
        assert {(each.table, each.key) for each in found} == {
            ("django_session", "Z"),
            ("test_every_kind", 12),
            ("test_every_kind", 13),
            ("kb_entries", uuid.UUID(int=8 << 70).hex),
        }
    finally:
        alias_close("pair-other")
        postgres_server.drop_database(url)


@pytest.mark.parametrize("source", SIDES)
def test_a_copy_that_is_drained_to_the_snapshot_is_sound(source: str, moved: tuple[Pair, dict[str, Table]]) -> None:
    pair, by_name = moved
    ours, theirs, tables = pair.of(source), pair.other(source), tuple(by_name.values())
    capture_install(ours, tables)
    execute(ours, "UPDATE kb_entries SET title = 'Another title', usage_count = 7")
    execute(ours, "DELETE FROM django_session WHERE session_key = 'Z'")
    for name in ("one", "two"):
        execute(ours, "INSERT INTO kb_tags (name, created_at) VALUES (%s, %s)", [name, MOMENT])
    ledger = verified(pair, source, tables, catch_up=lambda: drain_to_end(ours, theirs, tables))
    assert [str(each) for each in ledger.differences] == []
    assert {one.table: one.target_next for one in ledger.sequences}["kb_tags"] == 3
    assert not ours.in_atomic_block


# The report -------------------------------------------------------------------------------------


def test_the_report_says_what_differs_and_shows_no_secret(moved: tuple[Pair, dict[str, Table]]) -> None:
    pair, tables = moved
    long = "0123456789" * 20
    for vendor, end in (("sqlite", "e\u0301 "), ("postgresql", "é")):
        rows_write(pair.of(vendor), tables["kb_tags"], [filled(tables["kb_tags"], id=1, name="=1+1" + end)])
        execute(pair.of(vendor), "UPDATE kb_entries SET problem = %s", [long + end])
    execute(pair.sqlite, "UPDATE django_session SET session_key = 'secret-key-of-a-session' WHERE session_key = 'b'")
    execute(pair.postgresql, *sequence_set("postgresql", 2, "kb_tags"))
    ledger = verified(pair, tables=tuple(tables.values()))
    report = json.loads(json.dumps(ledger.as_json()))
    assert report["differences"] == len(report["by_difference"]) == 11
    assert not report["sound"]
    by_table = {found["table"]: found for found in report["by_difference"]}
    assert by_table["kb_tags"]["source"] == '"=1+1e\\u0301 "'
    assert by_table["kb_tags"]["target"] == '"=1+1\u00e9"'
    assert by_table["kb_entries"]["source"].startswith("[from byte 180] ")
    text = ledger.as_csv()
    assert "secret-key-of-a-session" not in text + json.dumps(report)
    lines = list(csv.reader(io.StringIO(text)))
    assert lines[0][:4] == ["table", "rows of source", "rows of target", "differences"]
    assert ["changed", "kb_tags", "1", "name"] in [line[:4] for line in lines]
    assert "password" not in report["target"]
    assert report["target"].startswith("postgresql://")
    assert ":" not in report["target"].split("@")[0].removeprefix("postgresql://")


def test_questions_are_put_to_both_databases(moved: tuple[Pair, dict[str, Table]]) -> None:
    pair, tables = moved
    pair_aliases: list[str] = []

    def answer(alias: str) -> list[str]:
        pair_aliases.append(alias)
        return ["one", "two" if alias == "pair-sqlite" else "three"]

    queries = [
        ParityQuery(kind="search", name="S0C7", answer=lambda alias: ["one"]),
        ParityQuery(kind="search", name="soc7", answer=answer),
    ]
    ledger = verified(pair, tables=tuple(tables.values()), queries=queries)
    assert pair_aliases == ["pair-sqlite", "pair-postgresql"]
    assert ledger.queries_compared == 2
    (found,) = ledger.differences
    assert str(found) == (
        "search.soc7: other answer, source 2 results; from result 2: two, target 2 results; from result 2: three"
    )


def test_equal_rows_are_told_by_their_digests_alone(kinds: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the speed would be that of the values. Looked at are the least integer and JSON null where NULLs stand beside them."""
    looked_at: list[str] = []
    monkeypatch.setattr(
        verify_module, "differences_of", lambda *args: looked_at.extend(column.name for column in args[-1]) or ()
    )
    assert verified(kinds).sound
    assert looked_at == ["big", "json"]


def test_a_comparison_does_not_map_the_file_which_other_readers_still_do(pair: Pair) -> None:
    mapped: list[int] = []

    def look() -> None:
        pair.sqlite.ensure_connection()
        mapped.append(pair.sqlite.connection.execute("PRAGMA mmap_size").fetchone()[0])

    look()
    verify(pair.sqlite, pair.postgresql, tables_moved(pair.sqlite), catch_up=look)
    look()
    assert mapped[0] == mapped[2] > 0
    assert mapped[1] == 0
