"""Every changed row is noted, whoever changes it and however."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg
import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError, transaction
from django.utils import timezone

from knowledge.models import EntryTag, Tag
from migrations_ops.errors import CaptureBusyError
from migrations_ops.move import capture
from migrations_ops.move.capture import capture_exists, capture_install, capture_missing, capture_remove
from migrations_ops.move.log import (
    START,
    capture_state,
    changes_left,
    changes_read,
    changes_visible,
    log_head,
    log_trim,
)
from migrations_ops.move.tables import tables_moved
from tests.move.conftest import Pair
from tests.move.following import entry_made, execute, noted, tag_made

VENDORS = ["sqlite", "postgresql"]


def installed(connection: Any) -> Any:
    tables = tables_moved(connection)
    capture_install(connection, tables)
    return tables


@pytest.mark.parametrize("vendor", VENDORS)
def test_lines_name_table_and_key_of_what_changed(vendor: str, pair: Pair) -> None:
    database = pair.of(vendor)
    tag = tag_made(database, "before")
    installed(database)
    entry = entry_made(database, tag)
    link = EntryTag.objects.using(database.alias).get(entry=entry)
    docs = {change for change in noted(database) if change[0].startswith("kb_search")}
    assert noted(database) - docs == {("kb_entries", entry.pk.hex), ("kb_entry_tags", str(link.pk))}


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_changed_key_notes_both(vendor: str, pair: Pair) -> None:
    database = pair.of(vendor)
    tag = tag_made(database, "jcl")
    installed(database)
    execute(database, "UPDATE kb_tags SET id = 700 WHERE id = %s", tag.pk)
    assert noted(database) == {("kb_tags", str(tag.pk)), ("kb_tags", "700")}


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_is_rolled_back_is_not_noted(vendor: str, pair: Pair) -> None:
    database = pair.of(vendor)
    installed(database)
    with transaction.atomic(using=database.alias):
        tag_made(database, "gone")
        transaction.set_rollback(True, using=database.alias)
    assert noted(database) == set()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_text_key_is_noted_as_it_is(vendor: str, pair: Pair) -> None:
    database = pair.of(vendor)
    installed(database)
    Session.objects.using(database.alias).create(session_key="12'\"%", session_data="", expire_date=timezone.now())
    assert noted(database) == {("django_session", "12'\"%")}


def test_outsiders_are_noted_too(pair: Pair) -> None:
    installed(pair.sqlite)
    installed(pair.postgresql)
    with sqlite3.connect(pair.sqlite_path) as other:
        other.execute("INSERT INTO kb_tags (id, name, created_at) VALUES (900, 'shell', '2024-01-01 00:00:00')")
    other.close()
    with psycopg.connect(pair.postgresql_url) as outsider:
        outsider.execute("SET search_path = pg_catalog")
        outsider.execute("INSERT INTO public.kb_tags (id, name, created_at) VALUES (900, 'psql', now())")
        with outsider.cursor().copy("COPY public.kb_tags (id, name, created_at) FROM STDIN") as copy:
            copy.write_row((901, "copied", timezone.now()))
    assert noted(pair.sqlite) == {("kb_tags", "900")}
    assert noted(pair.postgresql) == {("kb_tags", "900"), ("kb_tags", "901")}


def test_a_truncated_table_notes_every_row(pair: Pair) -> None:
    tags = [tag_made(pair.postgresql, name) for name in ("a", "b")]
    installed(pair.postgresql)
    execute(pair.postgresql, "TRUNCATE kb_tags CASCADE")
    assert noted(pair.postgresql) >= {("kb_tags", str(tag.pk)) for tag in tags}


def test_replace_on_sqlite_notes_the_row_that_it_throws_out_only_with_recursive_triggers(pair: Pair) -> None:
    """No code of ours says REPLACE: Django writes ON CONFLICT (see the next test)."""
    tag = tag_made(pair.sqlite, "jcl")
    installed(pair.sqlite)
    replace = "INSERT OR REPLACE INTO kb_tags (id, name, created_at) VALUES (%s, 'jcl', '2024-01-01 00:00:00')"
    execute(pair.sqlite, replace, 800)
    assert noted(pair.sqlite) == {("kb_tags", "800")}  # the other row is gone and nobody noted it
    execute(pair.sqlite, "PRAGMA recursive_triggers = ON")
    execute(pair.sqlite, replace, 801)
    assert noted(pair.sqlite) == {("kb_tags", "800"), ("kb_tags", "801")}
    assert ("kb_tags", str(tag.pk)) not in noted(pair.sqlite)


@pytest.mark.parametrize("vendor", VENDORS)
def test_upserts_note_what_they_insert_and_what_they_change(vendor: str, pair: Pair) -> None:
    database = pair.of(vendor)
    old = tag_made(database, "old")
    installed(database)
    tags = Tag.objects.using(database.alias)
    now = timezone.now()
    tags.bulk_create(
        [Tag(name="old", created_at=now), Tag(name="new", created_at=now)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["created_at"],
    )
    tags.bulk_create([Tag(name="old"), Tag(name="newer")], ignore_conflicts=True)
    keys = {str(key) for key in tags.filter(name__in=["old", "new", "newer"]).values_list("pk", flat=True)}
    assert str(old.pk) in keys
    assert noted(database) == {("kb_tags", key) for key in keys}


def test_the_number_of_a_line_is_never_used_twice(pair: Pair) -> None:
    installed(pair.sqlite)
    tag_made(pair.sqlite, "a")
    head = log_head(pair.sqlite)
    log_trim(pair.sqlite, head)
    assert log_head(pair.sqlite) == head
    tag_made(pair.sqlite, "b")
    assert log_head(pair.sqlite) > head


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_log_is_read_in_parts_and_trimmed(vendor: str, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrations_ops.move.log.TRIM_LINES", 2)
    database = pair.of(vendor)
    installed(database)
    for number in range(7):
        tag_made(database, f"t{number}")
    first = changes_read(database, START, 3)
    second = changes_read(database, first.last, 10)
    assert [len(first.changes), first.more] == [3, True]
    assert [len(second.changes), second.more] == [4, False]
    assert changes_left(database, first.last) == 4
    assert changes_read(database, second.last, 10).last == second.last == log_head(database)
    log_trim(database, first.last)
    assert changes_visible(database, START).changes == second.changes
    assert capture_state(database).trimmed == first.last
    log_trim(database, START)
    assert capture_state(database).trimmed == first.last


def test_numbers_taken_early_and_committed_late_are_not_passed_over(pair: Pair) -> None:
    """Sequence order is not commit order on PostgreSQL."""
    database = pair.postgresql
    installed(database)
    add = "INSERT INTO kb_tags (name, created_at) VALUES (%s, now())"
    with psycopg.connect(pair.postgresql_url) as slow, psycopg.connect(pair.postgresql_url) as quick:
        slow.execute(add, ["slow"])
        quick.execute(add, ["quick"])
        quick.commit()
        assert changes_read(database, START, 10).changes == []
        assert [change.position.seq for change in changes_visible(database, START).changes] == [2]
        assert changes_visible(database, START).last == START
        assert changes_left(database, START) == 1
        slow.execute(add, ["slow again"])
        slow.commit()
        read = changes_read(database, START, 10)
        assert [change.position.seq for change in read.changes] == [1, 3, 2]
        slow.execute("SELECT 1")
        quick.execute(add, ["after"])
        quick.commit()
    assert [change.position.seq for change in changes_read(database, read.last, 10).changes] == [4]


def test_a_transaction_that_began_early_and_writes_late_is_read_after_it_ended(pair: Pair) -> None:
    database = pair.postgresql
    installed(database)
    with psycopg.connect(pair.postgresql_url) as early, psycopg.connect(pair.postgresql_url) as later:
        early.execute("SELECT pg_current_xact_id()")
        later.execute("INSERT INTO kb_tags (name, created_at) VALUES ('a', now())")
        later.commit()
        first = changes_read(database, START, 10)
        early.execute("INSERT INTO kb_tags (name, created_at) VALUES ('b', now())")
        early.commit()
    assert first.last == START
    assert len(changes_read(database, first.last, 10).changes) == 2


def test_a_rebuilt_table_is_missed(pair: Pair) -> None:
    tables = installed(pair.sqlite)
    token = capture_state(pair.sqlite).token
    assert capture_missing(pair.sqlite, tables) == []
    with pair.sqlite.constraint_checks_disabled(), pair.sqlite.schema_editor() as editor:
        editor._remake_table(Tag)
    assert capture_missing(pair.sqlite, tables) == ["kb_tags"]
    capture_install(pair.sqlite, tables)
    assert capture_missing(pair.sqlite, tables) == []
    assert capture_state(pair.sqlite).token != token, "nobody may think that nothing was missed"


def test_a_trigger_that_was_switched_off_is_missed(pair: Pair) -> None:
    tables = installed(pair.postgresql)
    execute(pair.postgresql, "ALTER TABLE kb_tags DISABLE TRIGGER ops_move_note")
    assert capture_missing(pair.postgresql, tables) == ["kb_tags"]
    capture_install(pair.postgresql, tables)
    assert capture_missing(pair.postgresql, tables) == []


def catalog(database: Any) -> Any:
    """Every object of the database, by kind and name."""
    if database.vendor == "sqlite":
        return set(execute(database, "SELECT type, name, sql FROM sqlite_master"))
    return {
        *execute(database, "SELECT 'relation', relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
        *execute(database, "SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"),
        *execute(database, "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal"),
    }


@pytest.mark.parametrize("vendor", VENDORS)
def test_it_leaves_no_trace_and_may_be_made_and_removed_twice(vendor: str, pair: Pair) -> None:
    database = pair.of(vendor)
    before = catalog(database)
    capture_remove(database)
    tables = installed(database)
    token = capture_state(database).token
    capture_install(database, tables)
    assert capture_state(database).token == token
    assert capture_exists(database)
    capture_remove(database)
    capture_remove(database)
    assert catalog(database) == before
    assert not capture_exists(database)
    assert capture_missing(database, tables) == [table.name for table in tables]


def test_a_table_with_an_open_writer_is_left_to_it(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triggers wait for writers on PostgreSQL, and everybody else would wait behind them: not for long."""
    monkeypatch.setattr(capture, "LOCK_TIMEOUT_MS", 20)
    monkeypatch.setattr(capture, "LOCK_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(capture, "LOCK_TRIES", 2)
    with psycopg.connect(pair.postgresql_url) as writer:
        writer.execute("INSERT INTO kb_tags (name, created_at) VALUES ('open', now())")
        with pytest.raises(CaptureBusyError, match="kb_tags"):
            installed(pair.postgresql)
        writer.commit()
    tables = installed(pair.postgresql)
    assert capture_missing(pair.postgresql, tables) == []


def test_another_error_than_a_lock_is_not_waited_for(pair: Pair) -> None:
    tables = installed(pair.postgresql)
    execute(pair.postgresql, "DROP TRIGGER ops_move_note ON kb_tags")

    def refuse(run: Any, sql: str, *rest: Any) -> Any:
        if "CREATE OR REPLACE TRIGGER" in sql:
            raise OperationalError("out of memory")
        return run(sql, *rest)

    with pair.postgresql.execute_wrapper(refuse), pytest.raises(OperationalError, match="out of memory"):
        capture_install(pair.postgresql, tables)
