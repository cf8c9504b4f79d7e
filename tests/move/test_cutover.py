"""The site's database becomes another one, in one moment, both ways, whoever is killed or writes meanwhile."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from knowledge.models import Tag
from migrations_ops.errors import (
    CutoverBusyError,
    CutoverLateError,
    DatabaseGoneError,
    LogGapError,
    SourceLeftError,
)
from migrations_ops.move import cutover as cutover_module
from migrations_ops.move.capture import capture_exists, capture_install, capture_remove
from migrations_ops.move.cutover import CutoverReport, cutover
from migrations_ops.move.fence import fence_is_up
from migrations_ops.move.return_path import return_close, return_drain, return_lag
from migrations_ops.move.sequences import sequences_read
from migrations_ops.move.tables import Table
from migrations_ops.place import turnstile
from migrations_ops.place.pointer import Place, place_read
from migrations_ops.place.record import Record, record_read
from migrations_ops.place.turnstile import Hold, Pass, writers_held
from tests.move.conftest import Pair, alias_close, alias_open
from tests.move.following import content, copied, entry_made, execute, tag_made
from tests.move.killing import Killer, killing, points_tried
from tests.move.network import Wire, wire

VENDORS = ["sqlite", "postgresql"]
SITE = "5" * 32
PATIENCE = timedelta(seconds=2)


@pytest.fixture(autouse=True)
def leisure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take longer than a try has on a site."""
    monkeypatch.setattr(cutover_module, "HOLD", PATIENCE)


@dataclass
class Moving:
    """Two databases and the pointer between them."""

    source: BaseDatabaseWrapper
    target: BaseDatabaseWrapper
    tables: tuple[Table, ...]
    data_dir: Path
    epoch: int = 1
    #: Names of tags whose writer was told that they are in.
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.first = self.source.alias

    @property
    def place(self) -> Place:
        return Place(epoch=self.epoch, url=f"test:{self.target.alias}", site=SITE)

    def go(self, patience: timedelta = PATIENCE, tries: int = cutover_module.TRIES) -> CutoverReport:
        return cutover(
            source=self.source,
            target=self.target,
            tables=self.tables,
            place_new=self.place,
            data_dir=self.data_dir,
            patience=patience,
            tries=tries,
        )

    def turn(self) -> None:
        """The way back."""
        self.source, self.target, self.epoch = self.target, self.source, self.epoch + 1

    @property
    def moved(self) -> bool:
        return place_read(self.data_dir) == self.place

    @property
    def live(self) -> BaseDatabaseWrapper:
        """Where the pointer says, as a connection of this thread."""
        place = place_read(self.data_dir)
        return connections[place.url.removeprefix("test:")] if place else connections[self.first]

    @property
    def left(self) -> BaseDatabaseWrapper:
        return self.source if self.moved else self.target

    def write(self, name: str) -> None:
        """As the site does: through the turnstile, then to where the pointer says."""
        through = Pass(self.data_dir)
        through.take()
        try:
            tag_made(self.live, name)
            self.told.append(name)
        finally:
            through.give_back()

    def names(self) -> list[str]:
        return sorted(Tag.objects.using(self.live.alias).values_list("name", flat=True))


@pytest.fixture(params=VENDORS)
def moving(request: pytest.FixtureRequest, pair: Pair, tmp_path: Path) -> Moving:
    """A database with some rows, and its copy."""
    source, target = pair.of(request.param), pair.other(request.param)
    entry_made(source, tag_made(source, "jcl"))
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    moving = Moving(source, target, copied(source, target), data_dir)
    moving.told.append("jcl")
    return moving


def expect_moved(moving: Moving) -> None:
    """One truth, with everything in it that anybody was told; the other database refuses writes."""
    assert moving.names() == sorted(moving.told)
    assert fence_is_up(moving.left)
    assert not fence_is_up(moving.live)
    with pytest.raises(DatabaseError, match=r"^KB_MOVED"):
        Tag.objects.using(moving.left.alias).create(id=1_000_000, name="stray")
    record = record_read(moving.live)
    assert record == Record(site=SITE, epoch=moving.epoch, live=True)
    assert record_read(moving.left) == Record(site=SITE, epoch=moving.epoch, live=False)


def test_there_and_back_and_there_again(moving: Moving) -> None:
    for number in range(3):
        moving.write(f"before {number}")
        entry_made(moving.source, tag_made(moving.source, f"tag {number}"))
        moving.told.append(f"tag {number}")
        report = moving.go()
        assert report.tries == 1
        assert timedelta(0) < report.held < PATIENCE
        expect_moved(moving)
        assert content(moving.target, moving.tables) == content(moving.source, moving.tables)
        moving.write(f"after {number}")
        entry_made(moving.target, Tag.objects.using(moving.target.alias).first())
        caught_up(moving)
        assert content(moving.target, moving.tables) == content(moving.source, moving.tables)
        moving.turn()


def caught_up(moving: Moving) -> None:
    """Drain until nothing is left; a transaction of another database of the server keeps lines back for a while."""
    deadline = time.monotonic() + 10
    while return_drain(live=moving.target, old=moving.source, tables=moving.tables, data_dir=moving.data_dir).changes:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_called_again_it_changes_nothing(moving: Moving) -> None:
    moving.go()
    moving.write("after")
    assert moving.go() == CutoverReport(held=timedelta(0), drained=0, tries=0)
    expect_moved(moving)


def test_used_and_deleted_keys_are_not_used_again(moving: Moving) -> None:
    for number in range(5):
        tag_made(moving.source, f"gone {number}")
    last = Tag.objects.using(moving.source.alias).latest("pk").pk
    Tag.objects.using(moving.source.alias).filter(name__startswith="gone").delete()
    moving.go()
    assert sequences_read(moving.target, moving.tables)["kb_tags"] == last
    assert tag_made(moving.target, "next").pk == last + 1


def test_a_database_that_the_site_has_left_is_no_source(moving: Moving) -> None:
    moving.go()
    moving.turn()
    moving.turn()
    with pytest.raises(SourceLeftError):
        moving.go()


def test_what_others_wrote_to_the_target_before_is_undone(moving: Moving) -> None:
    """Its fence was down between its last commit and the rename, when the mover was killed there."""

    def die(*_: Any) -> None:
        raise OSError("no space left")

    with mock.patch.object(cutover_module, "place_write", die), pytest.raises(OSError, match="no space"):
        moving.go()
    assert not moving.moved
    execute(moving.target, "UPDATE kb_tags SET name = 'touched'")
    Tag.objects.using(moving.target.alias).create(id=4_000, name="stray")
    moving.write("jcl 2")
    moving.go()
    expect_moved(moving)
    assert content(moving.target, moving.tables) == content(moving.source, moving.tables)


def killed_at(moving: Moving, point: int | None) -> Killer:
    """A cut-over whose mover dies at a point."""
    write = cutover_module.place_write
    with (
        killing(point, moving.source, moving.target) as killer,
        mock.patch.object(cutover_module, "place_write", killer.around(write)),
    ):
        moving.go()
    return killer


def gone_back(moving: Moving) -> None:
    """The site is at the source again, to move once more in the same direction."""
    moving.turn()
    moving.go()
    moving.turn()


def test_a_killed_cutover_leaves_one_truth_and_goes_on(moving: Moving) -> None:
    """Before statements and around the rename; afterwards somebody writes, then the mover comes again."""
    moving.go()
    gone_back(moving)
    moving.write("first")
    undisturbed = killed_at(moving, None)
    dead_before = dead_after = 0
    for point in points_tried(undisturbed):
        gone_back(moving)
        moving.write(f"waiting {point}")
        if killed_at(moving, point).dead:
            dead_before += not moving.moved
            dead_after += moving.moved
        moving.write(f"between {point}")
        moving.go()
        expect_moved(moving)
        return_drain(live=moving.target, old=moving.source, tables=moving.tables, data_dir=moving.data_dir)
        assert content(moving.target, moving.tables) == content(moving.source, moving.tables), f"killed at {point}"
    assert dead_before > 10
    assert dead_after >= 2


def test_the_return_path_puts_up_the_fence_of_a_killed_mover(moving: Moving) -> None:
    with killing(1, moving.target) as killer:
        killer.at = None
        rename = cutover_module.place_write

        def rename_and_die(*arguments: Any) -> None:
            rename(*arguments)
            killer.at = killer.passed
            killer.point()

        with mock.patch.object(cutover_module, "place_write", rename_and_die):
            moving.go()
    moving.source.close()
    assert moving.moved
    assert not fence_is_up(moving.source)
    moving.write("after")
    outsider = tag_made(moving.source, "stray")  # a program that knows of no pointer
    execute(moving.source, "UPDATE kb_tags SET name = 'touched' WHERE name = 'jcl'")

    return_drain(live=moving.target, old=moving.source, tables=moving.tables, data_dir=moving.data_dir)

    expect_moved(moving)
    assert not Tag.objects.using(moving.source.alias).filter(pk=outsider.pk, name="stray").exists()
    assert content(moving.target, moving.tables) == content(moving.source, moving.tables)


@pytest.mark.parametrize("knows", ["of the move", "nothing"])
def test_an_older_copy_in_the_place_of_the_old_file_is_told_and_left_alone(
    pair: Pair, tmp_path: Path, knows: str
) -> None:
    tables = copied(pair.sqlite, pair.postgresql)
    if knows == "nothing":
        capture_remove(pair.sqlite)
    older = tmp_path / "older.sqlite3"
    execute(pair.sqlite, f"VACUUM INTO '{older}'")
    capture_install(pair.sqlite, tables)
    moving = Moving(pair.sqlite, pair.postgresql, tables, tmp_path)
    moving.write("after the copy")
    moving.go()
    pair.sqlite.close()
    for name in (pair.sqlite_path, *pair.sqlite_path.parent.glob(f"{pair.sqlite_path.name}-*")):
        name.unlink()
    shutil.copy(older, pair.sqlite_path)

    with pytest.raises(LogGapError, match="restored or changed by hand"):
        return_drain(live=moving.target, old=moving.source, tables=tables, data_dir=tmp_path)

    assert capture_exists(pair.sqlite) == (knows == "of the move")
    assert Tag.objects.using(moving.source.alias).count() == 0


def test_the_return_path_never_fences_where_the_site_lives(moving: Moving) -> None:
    with pytest.raises(SourceLeftError):
        return_drain(live=moving.target, old=moving.source, tables=moving.tables, data_dir=moving.data_dir)
    assert not fence_is_up(moving.source)
    moving.go()
    with pytest.raises(SourceLeftError):
        return_drain(live=moving.source, old=moving.target, tables=moving.tables, data_dir=moving.data_dir)
    with pytest.raises(SourceLeftError):
        return_close(live=moving.source)
    expect_moved(moving)


def test_the_way_back_says_how_far_it_is_behind_and_can_be_closed(moving: Moving) -> None:
    moving.go()
    moving.write("one")
    moving.write("two")
    assert return_lag(live=moving.target, old=moving.source).changes == 2
    caught_up(moving)
    assert return_lag(live=moving.target, old=moving.source).changes == 0
    return_close(live=moving.target)
    return_close(live=moving.target)
    moving.write("three")
    expect_moved(moving)


def test_a_writer_that_stays_inside_holds_nobody_for_longer_than_the_patience(moving: Moving) -> None:
    inside = Pass(moving.data_dir)
    inside.take()
    began = time.monotonic()
    with pytest.raises(CutoverBusyError, match="2 tries"):
        moving.go(patience=timedelta(milliseconds=50), tries=2)
    assert time.monotonic() - began < 2
    moving.write("meanwhile")
    inside.give_back()
    moving.go()
    expect_moved(moving)


@pytest.fixture
def outsider(moving: Moving, pair: Pair) -> Iterator[Any]:
    """A program that writes to the source without the turnstile."""
    if moving.source.vendor == "sqlite":
        connection: Any = sqlite3.connect(pair.sqlite_path, isolation_level="IMMEDIATE")
    else:
        connection = psycopg.connect(pair.postgresql_url)
    yield connection
    connection.close()


ADD = "INSERT INTO kb_tags (id, name, created_at) VALUES ({}, '{}', '2024-01-01 00:00:00')"


def test_an_outsider_with_an_open_transaction_is_waited_for_and_then_moved_with(moving: Moving, outsider: Any) -> None:
    outsider.execute(ADD.format(600, "outside"))
    with pytest.raises((CutoverBusyError, CutoverLateError)):  # late where this machine is
        moving.go(patience=timedelta(milliseconds=50), tries=2)
    assert not moving.moved
    outsider.commit()
    moving.told.append("outside")
    moving.go()
    expect_moved(moving)


def test_an_outsider_who_writes_at_the_cutover_waits_and_is_refused(moving: Moving, outsider: Any) -> None:
    refused = []
    rename = cutover_module.place_write

    def write() -> None:
        try:
            outsider.execute(ADD.format(600, "late"))
            outsider.commit()
        except (sqlite3.Error, psycopg.Error) as error:
            refused.append(str(error))

    thread = threading.Thread(target=write)

    def rename_while_writing(*arguments: Any) -> None:
        thread.start()
        time.sleep(0.1)  # the outsider waits for the lock now
        rename(*arguments)

    if moving.source.vendor == "sqlite":
        outsider.close()
        path = moving.source.settings_dict["NAME"]
        outsider = sqlite3.connect(path, isolation_level="IMMEDIATE", check_same_thread=False)
    with mock.patch.object(cutover_module, "place_write", rename_while_writing):
        moving.go()
    thread.join(10)
    outsider.close()
    assert refused
    assert refused[0].startswith("KB_MOVED")
    expect_moved(moving)


def test_more_changes_than_fit_into_the_moment_are_brought_over_before(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutover_module, "LAST_CHANGES_MAX", 3)
    near = cutover_module._near
    busy = [True, False]

    def near_and_more(move: Any) -> None:
        near(move)
        if busy.pop(0):
            for number in range(4):
                moving.write(f"more {number}")

    monkeypatch.setattr(cutover_module, "_near", near_and_more)
    assert moving.go().tries == 2
    expect_moved(moving)


def test_always_more_changes_than_fit_are_an_error(moving: Moving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutover_module, "LAST_CHANGES_MAX", -1)
    with pytest.raises(CutoverBusyError, match="0 changes wait"):
        moving.go(tries=1)
    assert not moving.moved
    moving.write("goes on")


@pytest.fixture
def distant(pair: Pair, tmp_path: Path) -> Iterator[tuple[Moving, Wire]]:
    """A target at the end of a wire."""
    tag_made(pair.sqlite, "jcl")
    with wire(pair.postgresql_url) as line:
        target = alias_open("pair-distant", line.url)
        moving = Moving(pair.sqlite, target, copied(pair.sqlite, target), tmp_path)
        moving.told.append("jcl")
        yield moving, line
        line.thaw()
        alias_close("pair-distant")


@pytest.mark.parametrize("how", ["freeze", "cut"])
def test_a_target_that_goes_away_at_the_last_drain_changes_nothing(
    distant: tuple[Moving, Wire], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    moving, line = distant
    patience = timedelta(milliseconds=300)
    apply, holds = cutover_module.batch_apply, list[Hold]()

    def go_away(*arguments: Any) -> None:
        assert turnstile._held.folders  # the site's writers are held just now
        getattr(line, how)()
        apply(*arguments)

    def held(data_dir: Path, patience: timedelta, **options: Any) -> Hold:
        holds.append(writers_held(data_dir, patience, **options))
        return holds[-1]

    monkeypatch.setattr(cutover_module, "batch_apply", go_away)
    monkeypatch.setattr(cutover_module, "writers_held", held)
    with pytest.raises(CutoverLateError if how == "freeze" else DatabaseGoneError):
        moving.go(patience=patience, tries=1)
    assert holds[0].lasted < patience + timedelta(milliseconds=200)
    assert not moving.moved
    moving.write("goes on")
    line.thaw()
    monkeypatch.undo()
    moving.target.close()
    moving.go()
    expect_moved(moving)


def test_a_try_that_takes_long_lets_the_writers_go_and_counts_for_nothing(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They pass the turnstile before what takes so long has ended."""
    monkeypatch.setattr(cutover_module, "HOLD", timedelta(milliseconds=60))
    read, passed = cutover_module.changes_visible, list[int]()

    def slow(connection: BaseDatabaseWrapper, *position: Any) -> Any:
        if not passed and getattr(turnstile._held, "folders", ()):
            through = Pass(str(moving.data_dir))
            writer = threading.Thread(target=through.take)
            writer.start()
            writer.join(10)
            passed.append(through.depth)
            through.close()
        return read(connection, *position)

    monkeypatch.setattr(cutover_module, "changes_visible", slow)
    report = moving.go()
    assert passed == [1]
    assert report.tries > 1
    assert report.held < timedelta(milliseconds=500)
    expect_moved(moving)


def test_a_writer_that_is_inside_is_waited_for_without_anybody_waiting(moving: Moving) -> None:
    inside = Pass(str(moving.data_dir))
    inside.take()
    leaves = threading.Timer(0.1, inside.give_back)
    leaves.start()
    report = moving.go()
    leaves.join()
    assert report.tries == 1
    assert report.held < timedelta(milliseconds=90)
    expect_moved(moving)


def test_a_source_that_dies_after_the_rename_is_fenced_later(moving: Moving, caplog: pytest.LogCaptureFixture) -> None:
    rename = cutover_module.place_write

    def rename_and_lose(*arguments: Any) -> None:
        rename(*arguments)
        raise OSError("the folder could not be synchronised")

    with mock.patch.object(cutover_module, "place_write", rename_and_lose):
        report = moving.go()
    assert report.fenced
    assert "could not be fenced at once" in caplog.text
    expect_moved(moving)


def write_until(stop: threading.Event, moving: Moving, writer: int, errors: list[str]) -> None:
    """Write one tag after the other."""
    number = 0
    try:
        while not stop.is_set():
            moving.write(f"{writer}-{number}")
            number += 1
    except Exception as error:  # noqa: BLE001 - told by the test
        errors.append(repr(error))
    finally:
        for connection in (moving.source, moving.target):
            connections[connection.alias].close()


def test_writers_lose_nothing_while_the_site_moves_there_and_back(moving: Moving) -> None:
    """What they were told is in the database at the end, once."""
    stop, errors = threading.Event(), list[str]()
    threads = [threading.Thread(target=write_until, args=(stop, moving, number, errors)) for number in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        count = len(moving.told)
        while len(moving.told) < count + 5 and not errors:
            time.sleep(0.01)
        moving.go(tries=20)
        moving.turn()
    stop.set()
    for thread in threads:
        thread.join(10)
    assert errors == []
    assert moving.names() == sorted(moving.told)
