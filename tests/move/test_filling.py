"""An empty database is made ready, filled and finished; each part can be killed and done again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import (
    CopierError,
    RowRefusedError,
    SchemaDiffersError,
    TargetForeignError,
    TargetSchemaError,
)
from migrations_ops.move import target_schema
from migrations_ops.move.copiers import Control, Copiers
from migrations_ops.move.filling import keys_make, tables_copy, target_finish
from migrations_ops.move.later import Stage, later_left
from migrations_ops.move.ranges import progress_sum, ranges_left, ranges_plan, tables_progress
from migrations_ops.move.sequences import sequences_read
from migrations_ops.move.tables import Table, table_as_dict, table_from, tables_moved
from migrations_ops.move.target_schema import target_drop, target_left, target_live, target_mark, target_prepare
from migrations_ops.move.values import rows_fetch
from migrations_ops.steps.move.base import gone
from tests.engine.move_trouble_driver import FULL, ROOM
from tests.move.conftest import Pair, alias_close, alias_open
from tests.postgres import PostgresServer

SITE = "5" * 32
ENTRIES = 40


@pytest.fixture(params=["sqlite-to-postgresql", "postgresql-to-sqlite", "postgresql-to-postgresql"])
def way(
    request: pytest.FixtureRequest, pair: Pair, postgres_server: PostgresServer, tmp_path: Any
) -> Iterator[tuple[BaseDatabaseWrapper, BaseDatabaseWrapper]]:
    """A source with rows, and an empty target."""
    source, _to, target = request.param.split("-")
    url = postgres_server.create_database() if target == "postgresql" else f"sqlite://{tmp_path / 'target.sqlite3'}"
    rows_made(pair.of(source))
    yield pair.of(source), alias_open("pair-target", url)
    alias_close("pair-target")
    if target == "postgresql":
        postgres_server.drop_database(url)


def rows_made(source: BaseDatabaseWrapper) -> None:
    """Some rows with keys of every kind, and a search index over them."""
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    from knowledge.models import Entry, SearchDoc, SearchQuery, Tag

    using = source.alias
    entries = [
        Entry(
            id=uuid.uuid4(),
            title=f"Entry {number}",
            problem="The job ends with S0C7.",
            solution="Größe prüfen, then run it again.",
            category="JCL",
            severity="high",
        )
        for number in range(ENTRIES)
    ]
    Entry.objects.using(using).bulk_create(entries)
    Tag.objects.using(using).bulk_create([Tag(name=f"tag-{number}") for number in range(30)])
    Tag.objects.using(using).filter(name="tag-29").delete()
    SearchQuery.objects.using(using).bulk_create(
        [
            SearchQuery(query=f"q {number}", filters={"tag": [number]}, opened_entry=entries[number % 7])
            for number in range(300)
        ]
    )
    Session.objects.using(using).create(session_key="s" * 32, session_data="x", expire_date=timezone.now())
    SearchDoc.objects.using(using).bulk_create(
        [
            SearchDoc(
                rank=number, entry=entry, category="JCL", severity="high", status="published", version=1, codes=" s0c7 ",
                title=" entry ", tags=" ", problem=" job ", solution=" run ", labels=" /e ", merit=1.0,
            )
            for number, entry in enumerate(entries)
        ]
    )  # fmt: skip


def filled(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper) -> tuple[Table, ...]:
    tables = tables_moved(source)
    target_prepare(source, target, site=SITE)
    list(tables_copy(source, target, tables, range_rows=50))
    list(keys_make(source, target, tables))
    list(target_finish(source, target, tables))
    return tables


def everything(connection: BaseDatabaseWrapper, tables: tuple[Table, ...]) -> dict[str, Any]:
    """Every row of every table."""
    rows = {}
    for table in tables:
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT "{table.key.name}" FROM "{table.name}"')
            keys = [row[0] for row in cursor.fetchall()]
        rows[table.name] = sorted(rows_fetch(connection, table, keys), key=repr)
    return rows


def shape(connection: BaseDatabaseWrapper) -> set[Any]:
    """Indexes, constraints and triggers as the database describes them."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE tbl_name NOT LIKE 'ops!_move!_%%' ESCAPE '!'"
            )
            return {row for row in cursor.fetchall() if not row[1].startswith("sqlite_")}
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'ops_move_%%' "
            "UNION ALL SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'ops_move_%%' "
            "UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        )
        return set(cursor.fetchall())


def test_a_filled_target_has_the_rows_and_the_shape_of_a_migrated_site(way: Any, pair: Pair) -> None:
    source, target = way
    tables = filled(source, target)
    assert everything(target, tables) == everything(source, tables)
    assert shape(target) == shape(pair.of(target.vendor))
    assert progress_sum(tables_progress(target).values()).rows == sum(map(len, everything(source, tables).values()))
    assert target_mark(target) == (SITE, 1)
    (tags,) = [table for table in tables if table.name == "kb_tags"]
    assert sequences_read(target, [tags]) == sequences_read(source, [tags]) == {"kb_tags": 30}
    with target.cursor() as cursor:
        if target.vendor == "sqlite":
            cursor.execute("SELECT rowid FROM kb_search_words WHERE kb_search_words MATCH 's0c7'")
        else:
            cursor.execute("SELECT rank FROM kb_search_vectors WHERE words @@ 's0c7'::tsquery")
        assert len(cursor.fetchall()) == ENTRIES
    dropped_without_a_trace(target)


def dropped_without_a_trace(target: BaseDatabaseWrapper) -> None:
    target_drop(target, site=SITE)
    target_drop(target, site=SITE)
    with target.cursor() as cursor:
        if target.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite!_%%' ESCAPE '!'")
        else:
            cursor.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                "UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            )
        assert cursor.fetchall() == []


# In the tests below the target is the pair's other database, emptied, which saves the migrations.


@pytest.fixture
def bare(pair: Pair) -> Pair:
    """SQLite with rows; PostgreSQL prepared."""
    rows_made(pair.sqlite)
    target_schema._mark(pair.postgresql, SITE)
    target_schema._rows_delete(pair.postgresql)
    target_schema._bare(pair.postgresql)
    return pair


def finished(pair: Pair) -> None:
    """The rest of the work, and a look at all rows."""
    tables = tables_moved(pair.sqlite)
    list(tables_copy(pair.sqlite, pair.postgresql, tables, range_rows=50))
    list(keys_make(pair.sqlite, pair.postgresql, tables))
    list(target_finish(pair.sqlite, pair.postgresql, tables))
    assert everything(pair.postgresql, tables) == everything(pair.sqlite, tables)
    assert later_left(pair.postgresql, Stage) == []


def test_a_copier_that_is_killed_has_done_nothing_by_halves(bare: Pair) -> None:
    tables = tables_moved(bare.sqlite)
    ranges_plan(bare.sqlite, bare.postgresql, tables, rows=50)
    with Copiers(bare.sqlite, bare.postgresql, tables, 1) as copiers:
        working = copiers.work(ranges_left(bare.postgresql), Control())
        next(working)
        os.kill(copiers.pids[0], signal.SIGKILL)
        with pytest.raises(CopierError):
            list(working)
    assert ranges_left(bare.postgresql)
    finished(bare)


def test_a_target_without_room_is_waited_for_also_in_the_middle_of_a_copy(bare: Pair) -> None:
    tables = tables_moved(bare.sqlite)
    with psycopg.connect(bare.postgresql_url, autocommit=True) as there:
        there.execute(FULL)
        with pytest.raises(CopierError) as caught:
            list(tables_copy(bare.sqlite, bare.postgresql, tables, range_rows=50))
        assert gone(caught.value).endswith("could not extend file: No space left on device")
        there.execute(ROOM)
    finished(bare)


def test_copiers_end_with_the_process_that_became_them(bare: Pair) -> None:
    tables = tables_moved(bare.sqlite)
    with Copiers(bare.sqlite, bare.postgresql, tables, 2) as copiers:
        copiers.start()
        pids = copiers.pids
        (first,) = {int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in pids}
        ranges_plan(bare.sqlite, bare.postgresql, tables, rows=50)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(CopierError, match="it ended with -9"):
            list(copiers.work(ranges_left(bare.postgresql), Control()))
    deadline = time.monotonic() + 5
    while any(map(is_running, pids)):  # they have let go of their databases; the rest is up to the kernel
        assert time.monotonic() < deadline
    finished(bare)


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended, whoever has to take note of it."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def test_a_copy_that_is_left_goes_on_where_it_was(bare: Pair) -> None:
    tables = tables_moved(bare.sqlite)
    copying = tables_copy(bare.sqlite, bare.postgresql, tables, range_rows=50)
    done = [next(copying).key_range for _ in range(3)]
    copying.close()
    left = {(each.table, each.number) for each in ranges_left(bare.postgresql)}
    assert left
    assert not left & {(each.table, each.number) for each in done}
    making = keys_make(bare.sqlite, bare.postgresql, tables)
    list(tables_copy(bare.sqlite, bare.postgresql, tables))
    next(making)
    making.close()
    finished(bare)


def test_a_stop_lets_what_was_begun_end(bare: Pair) -> None:
    tables = tables_moved(bare.sqlite)
    asked: list[bool] = []
    given: list[object] = []
    control = Control(stop=lambda: bool(asked), given=given.append)
    copying = tables_copy(bare.sqlite, bare.postgresql, tables, range_rows=50, control=control)
    first = next(copying)
    assert first.key_range in given
    asked.append(True)
    list(copying)
    progress = progress_sum(tables_progress(bare.postgresql).values())
    assert len(given) == progress.ranges
    assert 0 < progress.ranges < progress.ranges_total
    assert progress.rows < progress.rows_total


def test_a_speed_is_kept(bare: Pair) -> None:
    tables = tuple(table for table in tables_moved(bare.sqlite) if table.name == "search_history")
    began = time.monotonic()
    copied = list(
        tables_copy(bare.sqlite, bare.postgresql, tables, range_rows=50, workers=1, control=Control(speed=lambda: 300))
    )
    assert sum(each.rows for each in copied) == 300
    assert time.monotonic() - began >= 0.5


def test_what_a_copier_fails_with_is_raised_as_it_is(bare: Pair) -> None:
    with bare.sqlite.cursor() as cursor:
        cursor.execute("UPDATE kb_tags SET name = 'a' || char(0) || 'b' WHERE name = 'tag-7'")
    with pytest.raises(RowRefusedError, match="kb_tags, key 8, name: invalid byte sequence"):
        list(tables_copy(bare.sqlite, bare.postgresql, tables_moved(bare.sqlite)))
    with bare.sqlite.cursor() as cursor:
        cursor.execute("UPDATE kb_tags SET name = 'b' WHERE id = 8")
    list(tables_copy(bare.sqlite, bare.postgresql, tables_moved(bare.sqlite)))
    assert ranges_left(bare.postgresql) == []


def test_rows_that_contradict_each_other_stop_the_unique_index_until_they_are_drained(bare: Pair) -> None:
    tables = tables_moved(bare.sqlite)
    list(tables_copy(bare.sqlite, bare.postgresql, tables))
    list(keys_make(bare.sqlite, bare.postgresql, tables))
    with bare.postgresql.cursor() as cursor:
        cursor.execute("UPDATE kb_tags SET name = 'tag-2' WHERE name = 'tag-1'")
    with pytest.raises(CopierError, match=r"IntegrityError.*\n.*tag-2"):
        list(target_finish(bare.sqlite, bare.postgresql, tables))
    with bare.postgresql.cursor() as cursor:
        cursor.execute("UPDATE kb_tags SET name = 'tag-1' WHERE id = 2")
    list(target_finish(bare.sqlite, bare.postgresql, tables))
    assert later_left(bare.postgresql, Stage) == []


def test_only_an_empty_database_becomes_a_target(bare: Pair) -> None:
    with pytest.raises(TargetForeignError, match="another site"):
        target_prepare(bare.sqlite, bare.postgresql, site="6" * 32)
    with pytest.raises(TargetForeignError, match="another site"):
        target_drop(bare.postgresql, site="6" * 32)
    with pytest.raises(TargetForeignError, match="tables already"):
        target_prepare(bare.postgresql, bare.sqlite, site=SITE)
    target_drop(bare.sqlite, site=SITE)  # it is not ours, so nothing happens
    assert tables_moved(bare.sqlite)
    target_live(bare.postgresql)
    for refused in (lambda: target_drop(bare.postgresql, site=SITE), lambda: prepared(bare)):
        with pytest.raises(TargetForeignError, match="has moved there"):
            refused()
    target_left(bare.postgresql)
    target_drop(bare.postgresql, site=SITE)
    assert target_mark(bare.postgresql) is None


def test_what_a_dead_process_commits_while_its_tables_are_dropped_is_dropped_too(bare: Pair) -> None:
    """A server that is slow ends a migration's transaction after the next mover has come."""
    with psycopg.connect(bare.postgresql_url) as dying:
        dying.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('late', '0001', now())")
        dying.execute("CREATE TABLE late (id integer)")
        with psycopg.connect(bare.postgresql_url, autocommit=True) as watching:
            ending = threading.Thread(target=commit_once_waited_for, args=(dying, watching))
            ending.start()
            target_drop(bare.postgresql, site=SITE)
            ending.join()
    assert bare.postgresql.introspection.table_names() == []


def commit_once_waited_for(dying: psycopg.Connection[Any], watching: psycopg.Connection[Any]) -> None:
    """Commit as soon as somebody waits for a lock."""
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 20
    while not watching.execute(query).fetchone() and time.monotonic() < deadline:
        time.sleep(0.01)
    dying.commit()


def prepared(bare: Pair) -> None:
    target_prepare(bare.sqlite, bare.postgresql, site=SITE)


def test_a_source_with_other_tables_or_migrations_is_refused(pair: Pair) -> None:
    with pair.sqlite.cursor() as cursor:
        cursor.execute("DROP TABLE usage_patterns")
    with pytest.raises(SchemaDiffersError, match="usage_patterns"):
        target_schema._compare(pair.sqlite, pair.postgresql)
    with pair.sqlite.cursor() as cursor:
        cursor.execute("CREATE TABLE usage_patterns (id integer)")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'knowledge' AND name = '0001_initial'")
    with pytest.raises(SchemaDiffersError, match=r"knowledge\.0001_initial"):
        target_schema._compare(pair.sqlite, pair.postgresql)


def test_migrations_that_fail_say_why(pair: Pair) -> None:
    settings = {**pair.postgresql.settings_dict, "PASSWORD": "wrong"}
    connections.settings["pair-wrong"] = settings
    try:
        with pytest.raises(TargetSchemaError, match="password authentication failed"):
            target_schema._migrated(connections["pair-wrong"], level=1, heartbeat=lambda: None)
    finally:
        alias_close("pair-wrong")


def test_tables_survive_json(pair: Pair) -> None:
    for table in tables_moved(pair.sqlite):
        assert table_from(json.loads(json.dumps(table_as_dict(table)))) == table
