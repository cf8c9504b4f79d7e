"""An assessment finds every value that the target would refuse or change, and its repairs mend them."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import ValueUnfitError
from migrations_ops.move import target
from migrations_ops.move.assess import values_assess
from migrations_ops.move.assessment import Assessment, ValueFinding
from migrations_ops.move.problems import EMPTIED, Problem
from migrations_ops.move.repairs import repair_apply
from migrations_ops.move.tables import Table, tables_moved
from migrations_ops.move.values import rows_delete, rows_fetch, rows_write
from tests.move.conftest import Pair
from tests.move.kinds import EVERY_KIND, MISFITS, edge_rows, kinds_table, row_of

TABLES = (EVERY_KIND,)


@pytest.fixture
def kinds(pair: Pair) -> Pair:
    """Both databases with the table of every kind and all values that are as they should be."""
    for connection in (pair.sqlite, pair.postgresql):
        kinds_table(connection)
        rows_write(connection, EVERY_KIND, edge_rows())
    return pair


def execute(connection: BaseDatabaseWrapper, sql: str, values: list[Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or [])


@contextmanager
def unchecked(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Neither CHECKs nor foreign keys are looked at, as in a file that another program wrote."""
    if connection.vendor == "sqlite":
        execute(connection, "PRAGMA ignore_check_constraints = ON")
        with connection.constraint_checks_disabled():
            yield
        execute(connection, "PRAGMA ignore_check_constraints = OFF")
    else:
        execute(connection, "SET session_replication_role = replica")
        yield
        execute(connection, "SET session_replication_role = origin")


def put(connection: BaseDatabaseWrapper, column: str, value: Any, key: int = 500, how: str = "%s") -> None:
    rows_delete(connection, EVERY_KIND, [key])
    with unchecked(connection):
        execute(connection, f'INSERT INTO test_every_kind (id, "{column}") VALUES (%s, {how})', [key, value])


def found(assessment: Assessment) -> list[tuple[str, str, int]]:
    return [(finding.column, finding.problem.code, finding.count) for finding in assessment.findings]


def test_good_values_have_no_findings_and_every_column_its_figures(kinds: Pair) -> None:
    assessment = values_assess(kinds.sqlite, TABLES)
    # Infinite numbers go over as they are; a share of 15 digits is at the edge of what SQLite keeps.
    assert {(column, code) for column, code, _ in found(assessment)} <= {
        ("real", "infinite"),
        ("share", "decimal_digits"),
    }
    assert not assessment.blocks
    assert assessment.rows == len(edge_rows())
    (figures,) = assessment.tables
    text = next(column for column in figures.columns if column.name == "text")
    assert text.bytes > 100_000
    assert figures.bytes > text.bytes
    assert json.loads(json.dumps(assessment.as_json()))["rows"] == assessment.rows


def test_whatever_the_copy_would_refuse_blocks_the_move_until_it_is_mended(pair: Pair) -> None:
    kinds_table(pair.sqlite)
    for column, value in MISFITS:
        put(pair.sqlite, column, value)
        with pytest.raises(ValueUnfitError):
            rows_fetch(pair.sqlite, EVERY_KIND, [500])
        (finding,) = values_assess(pair.sqlite, TABLES).blocking
        # Every column of the table may be empty, so there is always a repair.
        assert (finding.column, finding.count, finding.repairable) == (column, 1, 1), (column, value)
        assert repair_apply(pair.sqlite, TABLES, table=finding.table, column=column, code=finding.problem.code) == 1
        assert values_assess(pair.sqlite, TABLES).blocking == [], (column, value)
        rows_fetch(pair.sqlite, EVERY_KIND, [500])


#: Column, what stands there, the SQL that puts it there, the problem, and what the repair makes of it.
BAD: list[tuple[str, Any, str, Problem, Any]] = [
    ("text", "6100620063", "CAST(x'610062' AS TEXT) || %s", Problem.NUL_CHARACTER, "ab6100620063"),
    ("text", "ff", "CAST(x'61ff62' AS TEXT) || %s", Problem.INVALID_UTF8, "a\ufffdbff"),
    ("text", b"a\xc3\xa4", "%s", Problem.WRONG_TYPE, "aä"),
    ("name", "ä" * 41, "%s", Problem.TOO_LONG, "ä" * 40),
    ("name", "x" * 39 + "😀y", "%s", Problem.TOO_LONG, "x" * 39 + "😀"),
    ("number", 2**31, "%s", Problem.OUT_OF_RANGE, None),
    ("small", -40_000, "%s", Problem.OUT_OF_RANGE, None),
    ("number", "seven", "%s", Problem.WRONG_TYPE, None),
    ("number", b"12", "%s", Problem.WRONG_TYPE, 12),
    ("yes", 2, "%s", Problem.WRONG_TYPE, True),
    ("yes", "no", "%s", Problem.WRONG_TYPE, False),
    ("json", '{"a": NaN}', "%s", Problem.INVALID_JSON, None),
    ("json", "1, 2", "%s", Problem.INVALID_JSON, None),
    ("json", '["a\\u0000b", 1.50, "\\\\u0000"]', "%s", Problem.JSON_CHARACTER, '["ab", 1.50, "\\\\u0000"]'),
    ("json", '["\\ud83d", "\\ud83d\\ude00"]', "%s", Problem.JSON_CHARACTER, '["", "\\ud83d\\ude00"]'),
    ("json", "1e200000", "%s", Problem.JSON_NUMBER, None),
    ("price", 1.005, "%s", Problem.DECIMAL_PLACES, Decimal("1.00")),
    ("price", "abc", "%s", Problem.WRONG_TYPE, None),
    ("price", 9e20, "%s", Problem.OUT_OF_RANGE, None),
    ("at", "2024-01-01 10:00:00+02:00", "%s", Problem.MOMENT_ZONE, dt.datetime(2024, 1, 1, 8, tzinfo=dt.UTC)),
    ("at", "2024-01-01T10:00:00Z", "%s", Problem.MOMENT_SPELLING, dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC)),
    ("at", "2024-13-01 10:00:00", "%s", Problem.BAD_MOMENT, None),
    ("at", "10000-01-01 10:00:00", "%s", Problem.BAD_MOMENT, None),
    ("day", "2024-1-9", "%s", Problem.MOMENT_ZONE, dt.date(2024, 1, 9)),
    ("day", "0000-00-00", "%s", Problem.BAD_MOMENT, None),
    ("time", "25:00", "%s", Problem.BAD_MOMENT, None),
    ("uuid", str(uuid.UUID(int=10**30)).upper(), "%s", Problem.UUID_SPELLING, uuid.UUID(int=10**30)),
    ("data", "text", "%s", Problem.WRONG_TYPE, b"text"),
]


def test_each_kind_of_bad_value_is_found_with_an_example_and_its_repair(pair: Pair) -> None:
    kinds_table(pair.sqlite)
    rows_write(pair.sqlite, EVERY_KIND, [row_of(number) for number in range(1, 200)])
    for column, value, how, problem, mended in BAD:
        put(pair.sqlite, column, value, how=how)
        (finding,) = values_assess(pair.sqlite, TABLES).findings
        assert (finding.column, finding.problem, finding.count) == (column, problem, 1), (column, value)
        assert finding.examples[0].startswith("500: ")
        assert finding.repair == (EMPTIED if mended is None else problem.repair), (column, value)
        assert repair_apply(pair.sqlite, TABLES, table=finding.table, column=column, code=problem.code) == 1
        assert found(values_assess(pair.sqlite, TABLES)) == [], (column, value)
        (row,) = rows_fetch(pair.sqlite, EVERY_KIND, [500])
        assert row[EVERY_KIND.names.index(column)] == mended, (column, value)


def test_what_nothing_mends_is_found_all_the_same(kinds: Pair) -> None:
    put(kinds.sqlite, "share", 0.123456789012345)
    (places,) = [one for one in values_assess(kinds.sqlite, TABLES).findings if one.problem is Problem.DECIMAL_PLACES]
    assert not places.blocks
    with unchecked(kinds.sqlite):
        execute(kinds.sqlite, "INSERT INTO ops_site_state (id, level, changed_at) VALUES (2, 1, '2024-01-01 00:00:00')")
    tables = tuple(table for table in tables_moved(kinds.sqlite) if table.name == "ops_site_state")
    (rule,) = values_assess(kinds.sqlite, tables).findings
    assert rule.problem is Problem.BROKEN_RULE
    assert "ops_site_state" in rule.examples[0]


#: Column, what stands in PostgreSQL, the problem, and what the repair makes of it.
BAD_IN_POSTGRESQL: list[tuple[str, str, str, Problem, Any]] = [
    ("real", "NaN", "%s::float8", Problem.NOT_A_NUMBER, None),
    ("real", "-0.0", "%s::float8", Problem.NEGATIVE_ZERO, 0.0),
    ("price", "NaN", "%s::numeric", Problem.NOT_A_NUMBER, None),
    ("share", "123.12345678901234", "%s::numeric", Problem.DECIMAL_LOST, "kept"),
    ("at", "infinity", "%s::timestamptz", Problem.BAD_MOMENT, None),
    ("at", "12024-01-01 00:00:00+00", "%s::timestamptz", Problem.BAD_MOMENT, None),
    ("day", "0044-03-15 BC", "%s::date", Problem.BAD_MOMENT, None),
    ("time", "24:00:00", "%s::time", Problem.BAD_MOMENT, None),
]


def test_what_sqlite_would_not_keep_is_found_on_the_way_there(pair: Pair) -> None:
    kinds_table(pair.postgresql)
    rows_write(pair.postgresql, EVERY_KIND, [row_of(1)])
    execute(pair.postgresql, "ALTER TABLE test_every_kind ALTER share TYPE numeric(20, 14)")
    for column, value, how, problem, mended in BAD_IN_POSTGRESQL:
        put(pair.postgresql, column, value, how=how)
        (finding,) = of_problem(pair.postgresql, problem)
        found_there = (finding.column, finding.problem, finding.count, finding.blocks)
        assert found_there == (column, problem, 1, problem is not Problem.NEGATIVE_ZERO), value
        assert finding.examples[0].startswith("500: ")
        assert repair_apply(pair.postgresql, TABLES, table=finding.table, column=column, code=problem.code) == 1
        assert of_problem(pair.postgresql, problem) == [], value
        (row,) = rows_fetch(pair.postgresql, EVERY_KIND, [500])
        assert row[EVERY_KIND.names.index(column)] == (None if mended == "kept" else mended), value


def of_problem(connection: BaseDatabaseWrapper, problem: Problem) -> list[ValueFinding]:
    return [one for one in values_assess(connection, TABLES).findings if one.problem is problem]


def test_values_that_are_one_in_postgresql_are_not_unique(pair: Pair) -> None:
    tables = tuple(table for table in tables_moved(pair.sqlite) if table.name == "kb_entry_addresses")
    key = uuid.UUID(int=10**30)
    with unchecked(pair.sqlite):
        for spelled in (key.hex, str(key)):
            sql = "INSERT INTO kb_entry_addresses (old_id, entry_id, title, merged_at) VALUES (%s, %s, 'T', '2024-01-01 00:00:00')"
            execute(pair.sqlite, sql, [spelled, key.hex])
    codes = {finding.problem: finding for finding in values_assess(pair.sqlite, tables).findings}
    assert codes[Problem.NOT_UNIQUE].blocks
    assert codes[Problem.NOT_UNIQUE].count == 2
    assert codes[Problem.UUID_SPELLING].count == 1


def every(connection: BaseDatabaseWrapper) -> tuple[Table, ...]:
    return tables_moved(connection)


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_broken_references_are_found_and_emptied_or_deleted(vendor: str, pair: Pair) -> None:
    connection = pair.of(vendor)
    tables = {table.name: table for table in every(connection)}
    with unchecked(connection):
        rows_write(connection, tables["kb_entry_tags"], [(1, uuid.UUID(int=5), 77)])
        execute(
            connection,
            "INSERT INTO kb_settings (key, value, description, updated_at, updated_by_id) VALUES ('a', '1', '', '2024-01-01 00:00:00', 12)",
        )
    assessment = values_assess(connection, every(connection))
    broken = {(one.table, one.column): one for one in assessment.findings if one.problem is Problem.BROKEN_REFERENCE}
    assert set(broken) == {("kb_entry_tags", "entry_id"), ("kb_entry_tags", "tag_id"), ("kb_settings", "updated_by_id")}
    assert broken["kb_entry_tags", "tag_id"].examples == ["1: 77 is not in kb_tags"]
    assert broken["kb_entry_tags", "tag_id"].repair == "Delete these rows"
    assert broken["kb_settings", "updated_by_id"].repair == EMPTIED
    for table, column in (("kb_entry_tags", "entry_id"), ("kb_settings", "updated_by_id")):
        assert repair_apply(connection, every(connection), table=table, column=column, code="broken_reference") == 1
    again = values_assess(connection, every(connection))
    assert [one for one in again.findings if one.problem is Problem.BROKEN_REFERENCE] == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kb_settings WHERE key = 'a'")
        assert cursor.fetchone() == (1,)


def test_a_key_that_is_spelled_anew_is_followed_by_what_points_at_it(pair: Pair) -> None:
    tables = {table.name: table for table in every(pair.sqlite)}
    key = uuid.UUID(int=10**30)
    with unchecked(pair.sqlite):
        execute(
            pair.sqlite,
            "INSERT INTO kb_search_docs (rank, entry_id, category, severity, status, version, codes, title, tags, problem, solution, labels, merit, code_names) VALUES (1, %s, '', '', '', 1, '', '', '', '', '', '', 0.0, '')",
            [str(key)],
        )
        values = {
            "id": str(key),
            "title": "S0C7 here",
            "category": "JCL",
            "severity": "low",
            "status": "draft",
            "origin": "manual",
            "problem": "p" * 20,
            "solution": "s" * 20,
        }
        empty = {
            "problem_html": "",
            "solution_html": "",
            "usage_count": 0,
            "success_count": 0,
            "failure_count": 0,
            "version": 1,
            "created_at": "2024-01-01 00:00:00",
            "updated_at": "2024-01-01 00:00:00",
        }
        row = {**values, **empty}
        execute(
            pair.sqlite,
            f"INSERT INTO kb_entries ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})",
            [*row.values()],
        )
    assert repair_apply(pair.sqlite, tuple(tables.values()), table="kb_entries", column="id", code="uuid_spelling") == 1
    assert [
        one for one in values_assess(pair.sqlite, tuple(tables.values())).findings if one.table.startswith("kb_")
    ] == []


def test_a_sequence_behind_its_rows_is_found_and_set(pair: Pair) -> None:
    tables = tuple(table for table in every(pair.postgresql) if table.name == "kb_tags")
    rows_write(pair.postgresql, tables[0], [(7, "a tag", dt.datetime(2024, 1, 1, tzinfo=dt.UTC))])
    (finding,) = values_assess(pair.postgresql, tables).findings
    assert (finding.problem, finding.examples) == (Problem.SEQUENCE_BEHIND, ["next 1, last row 7"])
    assert not finding.blocks
    assert repair_apply(pair.postgresql, tables, table="kb_tags", column="id", code="sequence_behind") == 1
    assert values_assess(pair.postgresql, tables).findings == []


def test_secrets_are_in_no_example(pair: Pair) -> None:
    tables = tuple(table for table in every(pair.sqlite) if table.name == "django_session")
    execute(
        pair.sqlite,
        "INSERT INTO django_session VALUES ('key-of-a-session', 'sess' || CAST(x'00' AS TEXT), '2024-01-01 00:00:00')",
    )
    (finding,) = values_assess(pair.sqlite, tables).findings
    assert finding.problem is Problem.NUL_CHARACTER
    assert finding.examples == ["key-of…: (not shown)"]


@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
def test_rates_come_from_these_rows_on_this_target_and_leave_nothing_there(source: str, pair: Pair) -> None:
    connection, other = pair.of(source), pair.other(source)
    tables = every(connection)
    rows_write(
        connection,
        next(one for one in tables if one.name == "kb_tags"),
        [(number, f"tag {number}", dt.datetime(2024, 1, 1, tzinfo=dt.UTC)) for number in range(1, 3_000)],
    )
    for table in ("kb_search_grams", "kb_tags"):
        execute(other, f"DROP TABLE {table} CASCADE" if other.vendor == "postgresql" else f"DROP TABLE {table}")
    before = sorted(other.introspection.table_names())
    beats: list[int] = []
    assessment = values_assess(connection, tables, other, heartbeat=lambda: beats.append(1))
    assert assessment.rates is not None
    assert assessment.rates.by_table["kb_tags"][0] == 2_999
    assert assessment.rows_per_second > 1_000
    assert 0 < assessment.copy_seconds < 60
    assert len(beats) > len(tables)
    assert sorted(other.introspection.table_names()) == before
    assert not other.in_atomic_block


def test_every_problem_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    assert [problem.code for problem in Problem if f"`{problem.code}`" not in text] == []


def test_every_check_of_a_target_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    codes = {code for code, *_ in [*target._POSTGRESQL, *target._SQLITE]} | {"target_reachable"}
    assert [code for code in sorted(codes) if f"`{code}`" not in text] == []


def test_an_assessment_with_its_sample_does_not_map_the_file(pair: Pair) -> None:
    mapped: set[int] = set()

    def look(execute: Any, *arguments: Any) -> Any:
        mapped.add(pair.sqlite.connection.execute("PRAGMA mmap_size").fetchone()[0])
        return execute(*arguments)

    with pair.postgresql.execute_wrapper(look):
        found = values_assess(pair.sqlite, tables_moved(pair.sqlite), pair.postgresql)

    assert found.rates is not None and found.rates.rows
    assert mapped == {0}
