"""Connections of a process whose database is moved."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, OperationalError, close_old_connections, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from knowledge.models import Tag
from migrations_ops.errors import DatabaseMovedError, PlaceMismatchError, WritersBusyError
from migrations_ops.place import following
from migrations_ops.place.addresses import database_settings
from migrations_ops.place.follow import place_follow
from migrations_ops.place.pointer import KNOWN, Place, place_write
from migrations_ops.place.record import Record, record_table_create, record_write
from migrations_ops.place.turnstile import Pass, writers_held
from migrations_ops.rehearsal import Scratch
from migrations_ops.snapshot import connection_beside
from tests.place.conftest import House

HASTY = timedelta(milliseconds=20)


def tag(name: str) -> Tag:
    return Tag.objects.create(name=name)


class LatePass(Pass):
    """A turnstile before which the site is moved away from everyone who looked too early."""

    def __init__(self, folder: str, move: Callable[[], None]) -> None:
        super().__init__(folder)
        self.move: Callable[[], None] | None = move

    def take(self) -> None:
        if self.move:
            move, self.move = self.move, None
            move()
        super().take()


@contextmanager
def moved_at_the_turnstile(house: House, vendor: str) -> Iterator[None]:
    late = LatePass(str(house.data_dir), lambda: house.move(house.other(vendor)))
    connections["default"].turn = late
    yield
    assert late.move is None
    assert late.depth == 0


def moved(house: House, vendor: str) -> None:
    """The site moves, and a new request begins."""
    house.move(vendor)
    place_follow()


def test_a_look_up_after_a_rest_follows_and_the_object_stays_the_same(
    house: House, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = connections["default"]
    assert (connection.vendor, Tag.objects.count()) == (vendor, 0)
    house.move(house.other(vendor))
    assert connection.vendor == vendor  # between two statements nobody is surprised
    monkeypatch.setattr(following, "IDLE_SECONDS", 0.0)
    assert connection.vendor == house.other(vendor)
    assert connections["default"] is held
    assert held.settings_dict[KNOWN].epoch == 1
    tag("new")
    assert (house.names(vendor), house.names(house.other(vendor))) == ([], ["new"])


def test_it_follows_there_and_back(house: House, vendor: str) -> None:
    for epoch, name in enumerate("abcd", 1):
        house.move(house.other(connection.vendor))
        tag(name)
        assert connection.settings_dict[KNOWN].epoch == epoch
    assert (house.names(vendor), house.names(house.other(vendor))) == (["b", "d"], ["a", "c"])


def test_a_transaction_begins_where_the_database_is_then(house: House, vendor: str) -> None:
    Tag.objects.count()
    with moved_at_the_turnstile(house, vendor), transaction.atomic(durable=True):
        assert connection.vendor == house.other(vendor)
        tag("new")
    assert (house.names(vendor), house.names(house.other(vendor))) == ([], ["new"])


def test_a_transaction_ends_where_it_began(house: House, vendor: str) -> None:
    with transaction.atomic():
        tag("one")
        house.move(house.other(vendor))
        with transaction.atomic():
            tag("two")
        place_follow()
        assert connection.vendor == vendor
    assert house.names(vendor) == ["one", "two"]
    close_old_connections()
    assert connection.vendor == house.other(vendor)


def move_possible(house: House) -> bool:
    try:
        with writers_held(house.data_dir, HASTY):
            return True
    except WritersBusyError:
        return False


def test_a_transaction_keeps_the_database_from_being_moved_until_its_end(house: House, vendor: str) -> None:
    for end in (lambda: None, lambda: transaction.set_rollback(True), connection.close):
        with transaction.atomic():
            tag("one")
            assert not move_possible(house)
            end()
        assert move_possible(house)
        Tag.objects.all().delete()


def test_a_transaction_that_fails_holds_nobody_up(house: House, vendor: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Tag.objects.bulk_create([Tag(name="twice"), Tag(name="twice")])
    with pytest.raises(IntegrityError):
        Tag.objects.bulk_create([Tag(name="twice"), Tag(name="twice")])
    assert move_possible(house)


@pytest.mark.parametrize("kind", ["insert", "update", "delete", "many", "get or create"])
def test_a_single_write_is_done_where_the_database_is_then(house: House, vendor: str, kind: str) -> None:
    there = house.other(vendor)
    tag("old")
    with house.beside[there].cursor() as cursor:
        cursor.execute("INSERT INTO kb_tags (id, name, created_at) VALUES (7, 'old', '2020-01-01')")
    with moved_at_the_turnstile(house, vendor):
        if kind == "insert":
            tag("new")
        elif kind == "update":
            assert Tag.objects.filter(name="old").update(name="new") == 1
        elif kind == "delete":
            Tag.objects.filter(name="old")._raw_delete("default")
        elif kind == "many":
            Tag.objects.bulk_create([Tag(name=name) for name in ("x", "y", "z")])
        else:
            assert Tag.objects.get_or_create(name="new")[1]
    assert house.names(vendor) == ["old"]
    expected = {"update": ["new"], "delete": [], "many": ["old", "x", "y", "z"]}
    assert house.names(there) == expected.get(kind, ["new", "old"])


def test_a_raw_write_for_the_old_place_is_refused_and_not_done(house: House, vendor: str) -> None:
    with moved_at_the_turnstile(house, vendor), connection.cursor() as cursor, pytest.raises(DatabaseMovedError):
        cursor.execute("INSERT INTO kb_tags (name) VALUES (%s)", ["raw"])
    assert house.names("sqlite") == house.names("postgresql") == []


def test_a_cursor_of_the_old_place_does_nothing_in_a_transaction_of_the_new_one(house: House, vendor: str) -> None:
    with connection.cursor() as cursor:
        house.move(house.other(vendor))
        with pytest.raises(DatabaseMovedError), transaction.atomic():
            cursor.execute("INSERT INTO kb_tags (name) VALUES ('raw')")
        with pytest.raises(DatabaseMovedError):
            cursor.execute("SELECT 1")
    assert house.names("sqlite") == house.names("postgresql") == []


def test_reading_row_by_row_goes_on_to_its_end(house: House, vendor: str) -> None:
    Tag.objects.bulk_create([Tag(name=f"{number:03}") for number in range(300)])
    names = []
    for number, row in enumerate(Tag.objects.order_by("name").iterator(chunk_size=10)):
        if number == 50:
            moved(house, house.other(vendor))
        names.append(row.name)
        if number > 50:
            assert Tag.objects.count() == 0
            assert len(connection.left) == 1
    assert names == [f"{number:03}" for number in range(300)]
    close_old_connections()
    assert connection.left == []


def test_nothing_stays_open_at_the_place_that_was_left(house: House, vendor: str) -> None:
    Tag.objects.count()
    moved(house, house.other(vendor))
    Tag.objects.count()
    assert connection.left == []


def test_every_hook_runs_when_the_site_is_moved_after_the_commit(house: House, vendor: str) -> None:
    ran = []
    with transaction.atomic():
        tag("one")
        transaction.on_commit(lambda: ran.append(house.move(house.other(vendor))))
        transaction.on_commit(lambda: ran.append(tag("two")))
        transaction.on_commit(lambda: ran.append(connection.vendor))
    assert (len(ran), ran[-1]) == (3, house.other(vendor))
    assert (house.names(vendor), house.names(house.other(vendor))) == (["one"], ["two"])


def test_a_rolled_back_savepoint_stays_in_its_transaction(house: House, vendor: str) -> None:
    with transaction.atomic():
        tag("one")
        with transaction.atomic():
            house.move(house.other(vendor))
            tag("two")
            transaction.set_rollback(True)
    assert (house.names(vendor), house.names(house.other(vendor))) == (["one"], [])


def test_a_transaction_by_hand_ends_where_it_began(house: House, vendor: str) -> None:
    transaction.set_autocommit(False)
    try:
        tag("one")
        house.move(house.other(vendor))
        tag("two")
        assert not move_possible(house)
        transaction.commit()
    finally:
        transaction.set_autocommit(True)
    assert move_possible(house)
    assert house.names(vendor) == ["one", "two"]
    close_old_connections()
    assert connection.vendor == house.other(vendor)


def test_what_is_switched_off_for_a_schema_change_holds_to_its_end(house: House, vendor: str) -> None:
    with connection.constraint_checks_disabled(), transaction.atomic(durable=True):
        house.move(house.other(vendor))
        tag("one")
    assert house.names(vendor) == ["one"]
    close_old_connections()
    assert connection.vendor == house.other(vendor)


def test_a_reader_does_not_wait_for_a_mover(house: House, vendor: str) -> None:
    with writers_held(house.data_dir, HASTY):
        thread = Reader()
        thread.start()
        thread.join(10)
    assert thread.seen == 0


class Reader(threading.Thread):
    """Counts the tags on a connection of its own."""

    seen: int | None = None

    def run(self) -> None:
        try:
            self.seen = Tag.objects.count()
        finally:
            connections["default"].close()


def test_every_thread_follows(house: House, vendor: str) -> None:
    go, done = threading.Barrier(2, timeout=10), []

    def work() -> None:
        done.append(connection.vendor)
        go.wait()
        go.wait()
        tag("new")
        done.append(connection.vendor)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    go.wait()
    moved(house, house.other(vendor))
    go.wait()
    thread.join(10)
    assert done == [vendor, house.other(vendor)]
    assert house.names(house.other(vendor)) == ["new"]


def test_whoever_watches_a_connection_goes_on_watching(house: House, vendor: str) -> None:
    seen = []

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        seen.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(watch), CaptureQueriesContext(connection) as captured:
        Tag.objects.count()
        moved(house, house.other(vendor))
        Tag.objects.count()
    assert len(seen) == len(captured) == 2
    assert connection.execute_wrappers == []


def test_a_connection_beside_is_one_to_the_new_place(house: House, vendor: str) -> None:
    moved(house, house.other(vendor))
    with connection_beside() as beside:
        assert beside.vendor == house.other(vendor)
        moved(house, vendor)
        assert beside.vendor == house.other(vendor)
        assert not beside.follows


def test_content_types_are_looked_up_again(house: House, vendor: str) -> None:
    ContentType.objects.get_for_model(Tag)
    moved(house, house.other(vendor))
    with CaptureQueriesContext(connection) as captured:
        ContentType.objects.get_for_model(Tag)
    assert len(captured) == 1


FENCES = {
    "sqlite": [
        "CREATE TRIGGER fence BEFORE INSERT ON kb_tags BEGIN SELECT RAISE(ABORT, 'KB_MOVED to move 1'); END",
    ],
    "postgresql": [
        "CREATE FUNCTION fence() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'KB_MOVED to 1'; END$$",
        "CREATE TRIGGER fence BEFORE INSERT ON kb_tags FOR EACH STATEMENT EXECUTE FUNCTION fence()",
    ],
}


def test_a_fence_says_that_the_database_was_moved(house: House, vendor: str) -> None:
    with house.beside[vendor].cursor() as cursor:
        for statement in FENCES[vendor]:
            cursor.execute(statement)
    with pytest.raises(DatabaseMovedError):
        tag("late")
    with pytest.raises(DatabaseMovedError), transaction.atomic():
        tag("late")
    assert connection.turn.depth == 0


def test_a_begin_that_fails_holds_nobody_up(house: House, vendor: str) -> None:
    connection.close()
    house.move(house.other(vendor))
    place_write(house.data_dir, Place(epoch=2, url="postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(OperationalError), transaction.atomic():
        pass
    with pytest.raises(OperationalError):
        tag("nowhere")
    assert connection.turn.depth == 0
    house.move(vendor)
    tag("again")
    assert house.names(vendor) == ["again"]


def test_a_lost_or_damaged_pointer_leaves_the_site_where_it_is(
    house: House, vendor: str, caplog: pytest.LogCaptureFixture
) -> None:
    moved(house, house.other(vendor))
    pointer = house.data_dir / "database.json"
    good = pointer.read_bytes()
    pointer.write_text("{")
    tag("one")
    pointer.unlink()
    tag("two")
    tag("three")
    assert [record.levelname for record in caplog.records].count("ERROR") == 2
    pointer.write_bytes(good)
    tag("four")
    assert house.names(house.other(vendor)) == ["four", "one", "three", "two"]
    moved(house, vendor)
    assert connection.vendor == vendor


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "bears no sign of move 1"),
        (Record(site="f" * 32, epoch=1, live=True), "another site"),
        (Record(site="", epoch=0, live=True), "move 0 was its last"),
        (Record(site="", epoch=1, live=False), "move 1 was its last"),
    ],
)
def test_a_database_that_is_not_the_one_is_not_used(
    house: House, vendor: str, record: Record | None, reason: str
) -> None:
    there = house.other(vendor)
    house.move(there)
    beside = house.beside[there]
    with beside.cursor() as cursor:
        cursor.execute("DELETE FROM ops_move_place")
    if record:
        record_write(beside, Record(record.site or house.place(there, 1).site, record.epoch, record.live))
    place_follow()
    with pytest.raises(PlaceMismatchError, match=reason) as caught:
        Tag.objects.count()
    assert "kb:" not in str(caught.value)
    with pytest.raises(PlaceMismatchError):
        tag("wrong")
    assert connection.turn.depth == 0


def left_just_now(house: House, vendor: str, monkeypatch: pytest.MonkeyPatch, *, site: str) -> None:
    """The site has left its database for the other one, which is noted there for this site, and nobody has looked yet."""
    connection.close()
    monkeypatch.setattr("migrations_ops.place.following._checked", set())
    house.move(house.other(vendor))
    record_table_create(house.beside[vendor])
    record_write(house.beside[vendor], Record(site, epoch=1, live=False))


def test_a_connection_that_is_made_when_the_site_has_just_left_reads_on_and_follows_before_it_writes(
    house: House, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_just_now(house, vendor, monkeypatch, site=house.place(vendor, 1).site)
    connection.ensure_connection()
    assert connection.vendor == vendor
    tag("one")
    assert (house.names(vendor), house.names(house.other(vendor))) == ([], ["one"])


def test_a_database_of_another_move_is_not_used_because_the_site_has_moved_since(
    house: House, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_just_now(house, vendor, monkeypatch, site="f" * 32)
    with pytest.raises(PlaceMismatchError):
        connection.ensure_connection()


def test_a_rehearsal_works_beside_the_place_where_the_site_is_now(
    house: House, vendor: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = house.data_dir
    settings.OPS_REHEARSAL_DIR = house.data_dir / "rehearsals"
    monkeypatch.setenv("KB_DATABASE_URL", "postgresql://left@127.0.0.1:1/left")
    moved(house, house.other(vendor))
    scratch = Scratch("1_test")
    environment = scratch.environment()
    assert environment["KB_DATA_DIR"] == str(scratch.folder)
    child = database_settings(environment.get("KB_DATABASE_URL"), scratch.folder)
    if connection.vendor == "postgresql":
        assert child["OPTIONS"].pop("options").endswith(f"-csearch_path={scratch.schema}")
        here = connection.settings_dict
        assert {name: child[name] for name in ("NAME", "HOST", "PORT", "USER", "PASSWORD", "OPTIONS")} == {
            name: here[name] for name in ("NAME", "HOST", "PORT", "USER", "PASSWORD", "OPTIONS")
        }
    else:
        assert child["NAME"] == scratch.folder / "kb.sqlite3"
