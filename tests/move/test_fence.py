"""A fenced database refuses every write but the mover's, and reads go on."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, transaction

from knowledge.models import Tag
from migrations_ops.move.capture import capture_install, capture_missing
from migrations_ops.move.fence import fence_is_up, fence_lower, fence_raise, fence_up, mover_transaction
from migrations_ops.move.tables import tables_moved
from tests.move.conftest import Pair
from tests.move.following import entry_made, execute, noted, tag_made

VENDORS = ["sqlite", "postgresql"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_kind_of_write_passes(vendor: str, pair: Pair) -> None:
    database = pair.of(vendor)
    tag = tag_made(database, "jcl")
    entry = entry_made(database, tag)
    fence_up(database, tables_moved(database), "postgresql://elsewhere/kb")
    writes = [
        lambda: tag_made(database, "new"),
        lambda: Tag.objects.using(database.alias).update(name="x"),
        lambda: Tag.objects.using(database.alias).bulk_create([Tag(name="new")], ignore_conflicts=True),
        entry.delete,
        lambda: execute(database, "DELETE FROM kb_tags"),
        lambda: execute(database, "UPDATE kb_tags SET id = 5"),
    ]
    for write in writes:
        with pytest.raises(DatabaseError, match=r"^KB_MOVED"):
            write()
    assert list(Tag.objects.using(database.alias).values_list("name", flat=True)) == ["jcl"]
    fence_lower(database)
    tag_made(database, "after")
    assert not fence_is_up(database)


def test_outsiders_are_refused_too(pair: Pair) -> None:
    for database in (pair.sqlite, pair.postgresql):
        tag_made(database, "jcl")
        fence_up(database, tables_moved(database))
    other = sqlite3.connect(pair.sqlite_path)
    with pytest.raises(sqlite3.IntegrityError, match="KB_MOVED"):
        other.execute("DELETE FROM kb_tags")
    other.close()
    with psycopg.connect(pair.postgresql_url, autocommit=True) as outsider:
        for statement in ("TRUNCATE kb_tags CASCADE", "DELETE FROM kb_tags", "UPDATE kb_tags SET id = 1"):
            with pytest.raises(psycopg.Error, match="KB_MOVED"):
                outsider.execute(statement)
    assert Tag.objects.using(pair.sqlite.alias).count() == Tag.objects.using(pair.postgresql.alias).count() == 1


def test_a_transaction_with_an_older_snapshot_does_not_slip_through(pair: Pair) -> None:
    """It saw the flag before it was set; only a lock on the row tells it."""
    database = pair.postgresql
    capture_install(database, tables_moved(database))
    with psycopg.connect(pair.postgresql_url) as outsider:
        outsider.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        outsider.execute("SELECT count(*) FROM kb_tags")
        fence_up(database, tables_moved(database))
        with pytest.raises(psycopg.Error, match="could not serialize"):
            outsider.execute("INSERT INTO kb_tags (name, created_at) VALUES ('old', now())")


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_mover_writes_into_a_fenced_database_without_a_note(vendor: str, pair: Pair) -> None:
    database = pair.of(vendor)
    fence_up(database, tables_moved(database))
    with mover_transaction(database):
        tag_made(database, "moved")
    assert noted(database) == set()
    assert fence_is_up(database)
    with pytest.raises(DatabaseError, match=r"^KB_MOVED"):
        tag_made(database, "other")


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_mover_that_fails_leaves_the_fence_up(vendor: str, pair: Pair) -> None:
    database = pair.of(vendor)
    fence_up(database, tables_moved(database))

    def fail() -> None:
        with mover_transaction(database):
            tag_made(database, "moved")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert fence_is_up(database)
    with pytest.raises(DatabaseError, match=r"^KB_MOVED"):
        tag_made(database, "other")
    assert Tag.objects.using(database.alias).count() == 0


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_fence_that_is_not_committed_is_none(vendor: str, pair: Pair) -> None:
    database = pair.of(vendor)
    capture_install(database, tables_moved(database))
    with transaction.atomic(using=database.alias):
        fence_raise(database, "elsewhere")
        transaction.set_rollback(True, using=database.alias)
    tag_made(database, "still here")


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_fence_needs_every_trigger_and_makes_those_that_are_missing(vendor: str, pair: Pair) -> None:
    database: Any = pair.of(vendor)
    tables = tables_moved(database)
    assert not fence_is_up(database)
    capture_install(database, tables)
    on = "" if vendor == "sqlite" else " ON kb_tags"
    execute(database, f"DROP TRIGGER ops_move_{'insert_kb_tags' if vendor == 'sqlite' else 'note'}{on}")
    fence_up(database, tables)
    assert capture_missing(database, tables) == []
    with pytest.raises(DatabaseError, match=r"^KB_MOVED"):
        tag_made(database, "new")
