"""What changes on the source comes over to the copy, row by row, whoever is killed when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.contrib.sessions.models import Session
from django.db import connections
from django.utils import timezone

from knowledge.models import Entry, EntryTag, SearchQuery, Tag
from migrations_ops.errors import CaptureLostError, DrainConflictError, LogGapError
from migrations_ops.move.capture import capture_install
from migrations_ops.move.drain import Drained, drain, drain_to_end
from migrations_ops.move.log import START, changes_left, log_head, log_trim
from migrations_ops.move.position import position_read
from migrations_ops.snapshot import snapshot_open
from tests.move.conftest import Pair, alias_close, alias_open
from tests.move.following import content, copied, entry_made, execute, tag_made
from tests.move.killing import killing, points_tried
from tests.postgres import PostgresServer, database_name

VENDORS = ["sqlite", "postgresql"]


def wrote_by_orm(database: Any, tag: Tag) -> Iterator[str]:
    """One kind of write after the other, through Django."""
    alias = database.alias
    entry = entry_made(database, tag)
    yield "insert"
    Entry.objects.using(alias).filter(pk=entry.pk).update(title="S0C4 in step 7", usage_count=3)
    yield "update"
    entry.tags.clear()
    entry.tags.add(tag_made(database, "abend"))
    yield "many-to-many"
    SearchQuery.objects.using(alias).bulk_create(
        [SearchQuery(query=f"q{number}", normalized="q", result_count=0, searcher="s") for number in range(50)]
    )
    yield "bulk_create"
    Tag.objects.using(alias).bulk_create(
        [Tag(name="abend"), Tag(name="vsam")],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["created_at"],
    )
    yield "on conflict"
    SearchQuery.objects.using(alias).filter(query="q1").delete()
    yield "delete"
    Session.objects.using(alias).create(session_key="k'%1", session_data="x" * 500, expire_date=timezone.now())
    yield "text key"
    Entry.objects.using(alias).get(pk=entry.pk).delete()
    yield "cascade"


def wrote_by_sql(database: Any, tag: Tag) -> Iterator[str]:
    """The same without Django."""
    execute(database, "UPDATE kb_tags SET id = 9000 WHERE id = %s", tag.pk)
    yield "key change"
    execute(database, "UPDATE kb_tags SET id = 9001, name = 'moved' WHERE id = 9000")
    execute(
        database, "INSERT INTO kb_tags (id, name, created_at) SELECT 9000, 'again', created_at FROM kb_tags LIMIT 1"
    )
    yield "key used again"
    execute(database, "UPDATE kb_tags SET id = 10000 - id WHERE id >= 9000")
    yield "every key"
    execute(database, "DELETE FROM kb_tags")
    yield "delete all"
    if database.vendor == "postgresql":
        entry_made(database, tag_made(database, "t"))
        yield "before"
        execute(database, "TRUNCATE kb_tags CASCADE")
        yield "truncate"


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("wrote", [wrote_by_orm, wrote_by_sql])
def test_every_kind_of_write_comes_over(vendor: str, wrote: Callable[[Any, Tag], Iterator[str]], pair: Pair) -> None:
    source, target = pair.of(vendor), pair.other(vendor)
    tag = tag_made(source, "jcl")
    tables = copied(source, target)
    for kind in wrote(source, tag):
        drained = drain(source, target, tables)
        assert drained.changes > 0, kind
        assert drained.left == 0, kind
        assert content(target, tables) == content(source, tables), kind
    assert drain(source, target, tables) == Drained(changes=0, last=drained.last, left=0)


@pytest.mark.parametrize("vendor", VENDORS)
def test_nothing_of_it_is_recorded_on_the_target(vendor: str, pair: Pair) -> None:
    """Its own recording stands already, for the time after the cut-over."""
    source, target = pair.of(vendor), pair.other(vendor)
    tables = copied(source, target)
    capture_install(target, tables)
    entry_made(source, tag_made(source, "jcl"))
    assert drain(source, target, tables).changes > 2
    assert changes_left(target, START) == 0
    Tag.objects.using(target.alias).create(id=700, name="own")
    assert changes_left(target, START) == 1


@pytest.mark.parametrize("vendor", VENDORS)
def test_unique_values_that_wander_between_rows_come_over_in_small_batches(vendor: str, pair: Pair) -> None:
    source, target = pair.of(vendor), pair.other(vendor)
    tags = [tag_made(source, f"t{number}") for number in range(6)]
    tables = copied(source, target)
    for name, tag in zip(("x", *(f"t{number}" for number in range(5))), tags, strict=True):
        Tag.objects.using(source.alias).filter(name=name).update(name=f"spare {name}")
        Tag.objects.using(source.alias).filter(pk=tag.pk).update(name=name)
    Tag.objects.using(source.alias).filter(pk=tags[0].pk).update(name="t5")
    rounds = 0
    while drain(source, target, tables, limit=1).left:
        rounds += 1
    assert content(target, tables) == content(source, tables)
    assert rounds < 12


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_child_whose_parent_comes_later_is_no_obstacle(vendor: str, pair: Pair) -> None:
    source, target = pair.of(vendor), pair.other(vendor)
    entry = entry_made(source, tag_made(source, "jcl"))
    tables = copied(source, target)
    link = EntryTag.objects.using(source.alias).get(entry=entry)
    EntryTag.objects.using(source.alias).filter(pk=link.pk).update(entry=entry)
    EntryTag.objects.using(source.alias).filter(pk=link.pk).update(tag=tag_made(source, "later"))
    assert drain(source, target, tables, limit=1).changes > 1
    assert content(target, tables) == content(source, tables)


@pytest.mark.parametrize("vendor", VENDORS)
def test_on_a_snapshot_the_target_ends_exactly_there(vendor: str, pair: Pair) -> None:
    source, target = pair.of(vendor), pair.other(vendor)
    tables = copied(source, target)
    for number in range(8):
        tag_made(source, f"before {number}")
    with snapshot_open(source.alias) as alias:
        snapshot = connections[alias]
        expected = content(snapshot, tables)
        tag_made(source, "after")
        Tag.objects.using(source.alias).filter(name="before 1").delete()
        assert drain_to_end(snapshot, target, tables, limit=3).changes == 8
        assert content(target, tables) == expected
    assert drain_to_end(source, target, tables).changes == 2
    assert content(target, tables) == content(source, tables)


def test_what_was_committed_behind_an_open_transaction_is_in_the_snapshot(pair: Pair) -> None:
    source, target = pair.postgresql, pair.sqlite
    tables = copied(source, target)
    add = "INSERT INTO kb_tags (name, created_at) VALUES (%s, now())"
    with psycopg.connect(pair.postgresql_url) as slow:
        slow.execute(add, ["slow"])
        tag_made(source, "quick")
        assert drain(source, target, tables).changes == 0
        drained = drain_to_end(source, target, tables)
        assert drained.changes == 1
        assert set(Tag.objects.using(target.alias).values_list("name", flat=True)) == {"quick"}
        slow.commit()
    assert drain(source, target, tables).changes == 2  # what was not settled comes twice, without harm
    assert content(target, tables) == content(source, tables)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_drain_killed_before_any_statement_is_done_again(vendor: str, pair: Pair) -> None:
    source, target = pair.of(vendor), pair.other(vendor)
    tag = tag_made(source, "jcl")
    tables = copied(source, target)
    expected = content(source, tables)
    entry_made(source, tag)
    with killing(None, source, target) as undisturbed:
        drain(source, target, tables)
    expected = content(source, tables)
    for point in points_tried(undisturbed):
        before = expected
        entry_made(source, tag)
        Tag.objects.using(source.alias).filter(pk=tag.pk).update(name=f"jcl {point}")
        expected = content(source, tables)
        with killing(point, source, target):
            drain(source, target, tables)
        found = content(target, tables)
        assert found in (before, expected), f"half done at {point}"
        drain_to_end(source, target, tables)  # a transaction of another database of the server may keep lines back
        assert content(target, tables) == expected, f"killed at {point}"


@pytest.mark.parametrize("vendor", VENDORS)
def test_applied_lines_are_taken_out_of_the_log(vendor: str, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrations_ops.move.drain.TRIM_LINES", 5)
    source, target = pair.of(vendor), pair.other(vendor)
    tables = copied(source, target)
    for number in range(9):
        tag_made(source, f"t{number}")
    drain(source, target, tables, limit=4)
    assert execute(source, "SELECT count(*) FROM ops_move_log") == [(9,)]
    drain(source, target, tables, limit=4)
    assert execute(source, "SELECT count(*) FROM ops_move_log") == [(1,)]
    tag_made(source, "more")
    assert drain(source, target, tables).left == 0
    assert content(target, tables) == content(source, tables)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_log_that_does_not_go_on_is_refused(vendor: str, pair: Pair) -> None:
    source, target = pair.of(vendor), pair.other(vendor)
    tables = copied(source, target)
    tag_made(source, "a")
    drain(source, target, tables)
    position, _at = position_read(target)
    tag_made(source, "b")
    log_trim(source, log_head(source))
    with pytest.raises(LogGapError, match="are gone"):
        drain(source, target, tables)
    execute(source, "UPDATE ops_move_capture SET trimmed_xid = 0, trimmed_seq = 0")
    with pytest.raises(LogGapError, match="ends before"):
        drain(source, target, tables)
    execute(source, "UPDATE ops_move_capture SET token = 'other'")
    with pytest.raises(LogGapError, match="anew"):
        drain(source, target, tables)
    assert position_read(target)[0] == position


def test_a_table_whose_triggers_are_gone_stops_the_drain(pair: Pair) -> None:
    tables = copied(pair.sqlite, pair.postgresql)
    execute(pair.sqlite, "DROP TRIGGER ops_move_update_kb_tags")
    with pytest.raises(CaptureLostError, match="kb_tags"):
        drain(pair.sqlite, pair.postgresql, tables)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_row_of_someone_else_on_the_target_is_named_as_the_obstacle(vendor: str, pair: Pair) -> None:
    source, target = pair.of(vendor), pair.other(vendor)
    tables = copied(source, target)
    Tag.objects.using(target.alias).create(id=5000, name="jcl")
    tag_made(source, "jcl")
    before = content(target, tables)
    with pytest.raises(DrainConflictError, match=r"(?i)unique"):
        drain(source, target, tables)
    assert content(target, tables) == before


def test_a_postgresql_database_follows_another_one(pair: Pair, postgres_server: PostgresServer) -> None:
    source = pair.postgresql
    source.close()
    url = postgres_server.create_database(template=database_name(pair.postgresql_url))
    target = alias_open("pair-second", url)
    try:
        tables = copied(source, target)
        entry_made(source, tag_made(source, "jcl"))
        assert drain(source, target, tables).left == 0
        assert content(target, tables) == content(source, tables)
    finally:
        alias_close("pair-second")
        postgres_server.drop_database(url)
