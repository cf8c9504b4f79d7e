"""A small site whose database moves, in processes that may die at any point of it.

The driver that imports this opens no connection itself: it forks a process for everything that works on
the site, so that a dead one leaves what a dead one leaves, and the next begins as a new one does.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import shutil
import signal
import sqlite3
import struct
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.postgres import database_name

#: Exit status of a process that was to die.
DEAD = 9
CHILD_SECONDS = 240
WRITER_PAUSE_SECONDS = 0.02
#: Until somebody has written after a death; a mover that dies while it holds the writers lets them go at once.
WRITER_PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    status: int
    #: What it returned, or how it failed.
    said: Any


class Child:
    """A process of its own that runs `work` and says what that returned."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._hearing, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._hearing)
            status, said = 1, None
            try:
                said, status = work(), 0
            except BaseException:  # noqa: BLE001 - told by the parent
                said = traceback.format_exc()
            tell(writing, said)
            os._exit(status)
        os.close(writing)

    def ended(self) -> Ended:
        """Wait for its end."""
        said = _heard(self._hearing, self._pid)
        _pid, status = os.waitpid(self._pid, 0)
        return Ended(os.waitstatus_to_exitcode(status), said)


def forked(work: Callable[[], Any]) -> Ended:
    """Run `work` in a process of its own and wait for its end."""
    return Child(work).ended()


def done(ended: Ended) -> Any:
    """What a process returned that must not fail."""
    if ended.status:
        raise SystemExit(str(ended.said))
    return ended.said


def tell(descriptor: int, said: Any) -> None:
    """Write the last words of a process."""
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(json.dumps(said, default=str).encode())


def _heard(descriptor: int, pid: int) -> Any:
    """Everything that a process says until it ends; one that hangs is killed."""
    blocks, deadline = [], time.monotonic() + CHILD_SECONDS
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            block = pipe.read(65_536)
            if not block:
                return json.loads(b"".join(blocks)) if blocks else None
            blocks.append(block)
    os.kill(pid, signal.SIGKILL)
    return f"hung for {CHILD_SECONDS} s"


class Ground:
    """The data folder, and the source and the target of a move, as they are and as they were kept.

    A database on SQLite lies in the data folder.
    """

    def __init__(self, data_dir: Path, target_url: str, source_url: str = "") -> None:
        self.data_dir = data_dir
        self.target_url = target_url
        self.source_url = source_url or f"sqlite://{data_dir}/kb.sqlite3"
        self._kept = data_dir.with_name(f"{data_dir.name}-kept")
        self._on_servers = [url for url in (self.source_url, target_url) if url.startswith("postgresql")]
        self._labels: set[str] = set()

    def keep(self, label: str) -> None:
        """Keep all as they are; nobody works on them."""
        self._labels.add(label)
        _folder_copy(self.data_dir, self._kept / label)
        for url in self._on_servers:
            self._database_copy(url, database_name(url), _label(url, label))

    def use(self, label: str) -> None:
        """Go back to what was kept."""
        _folder_copy(self._kept / label, self.data_dir)
        for url in self._on_servers:
            self._database_copy(url, _label(url, label), database_name(url))

    def drop(self) -> None:
        """Forget everything that was kept."""
        for label in self._labels:
            for url in self._on_servers:
                _admin(url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", _label(url, label))

    def _database_copy(self, url: str, source: str, target: str) -> None:
        for _ in range(50):
            try:
                _admin(url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", target)
                _admin(url, "CREATE DATABASE {} TEMPLATE {}", target, source)
            except psycopg.errors.ObjectInUse:  # the server has not noticed yet that its client is dead
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"somebody stays connected to {source}")

    def source_schema(self) -> list[str]:
        """Everything that the source holds beside rows."""
        return _schema(self.source_url)

    def target_schema(self) -> list[str]:
        """Everything that the target holds beside rows."""
        return _schema(self.target_url)


def _label(url: str, label: str) -> str:
    return f"{database_name(url)}_{label.replace('/', '_')}"


def _admin(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(f"{url.rpartition('/')[0]}/postgres", autocommit=True) as server:
        server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _schema(url: str) -> list[str]:
    """Tables, sequences and functions of a database, and whatever else a SQLite file names."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite://"))) as file:
            query = "SELECT type || ' ' || name FROM sqlite_master WHERE name NOT LIKE 'sqlite_s%'"
            return sorted(name for (name,) in file.execute(query))
    query = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    with psycopg.connect(url) as there:
        return sorted(name for (name,) in there.execute(query))


def _folder_copy(source: Path, target: Path) -> None:
    """Make one folder the other; a process that is just dying may still have a hand in either."""
    for attempt in range(10):
        try:
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*-shm"))
        except OSError:
            if attempt == 9:
                raise
            time.sleep(0.1)
        else:
            return


# The writer -------------------------------------------------------------------------------------


class Writer:
    """A process of the site that writes without a pause and keeps what it was told."""

    def __init__(self) -> None:
        self._count = mmap.mmap(-1, 8)
        reading, self._stopping = os.pipe()
        self._child = Child(lambda: self._write(reading))
        os.close(reading)

    def _write(self, stopping: int) -> dict[str, Any]:
        os.close(self._stopping)
        return _write_until(stopping, self._count)

    @property
    def written(self) -> int:
        """How often it was told that something is written."""
        return int(struct.unpack("q", self._count[:8])[0])

    def goes_on(self) -> bool:
        """Whether it is told so again, soon."""
        before, deadline = self.written, time.monotonic() + WRITER_PATIENCE_SECONDS
        while self.written < before + 2:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def stop(self) -> dict[str, Any]:
        """What it was told."""
        os.close(self._stopping)
        ended = self._child.ended()
        return ended.said if ended.status == 0 else {"failure": str(ended.said)}


def _write_until(stopping: int, count: mmap.mmap) -> dict[str, Any]:
    """Write until the pipe is closed. A name is of one row of a table, told when it is in, unsure when nobody knows."""
    from django.db import Error, connection

    from migrations_ops.place.follow import place_follow

    place_follow()
    told: dict[str, Any] = {"tags": [], "searches": [], "gone": [], "unsure": [], "errors": []}
    number = 0
    while not select.select([stopping], [], [], WRITER_PAUSE_SECONDS)[0]:
        number += 1
        name = f"told {number}"
        try:
            _WRITES[number % len(_WRITES)](told, name, number)
        except Error as error:
            told["unsure"].append(name)
            told["errors"].append(f"{name}: {error!r}")
            connection.close()
        else:
            count[:8] = struct.pack("q", number - len(told["unsure"]))
    connection.close()
    return told


def _tag_write(told: dict[str, Any], name: str, number: int) -> None:
    from knowledge.models import Tag

    Tag.objects.create(name=name)
    told["tags"].append(name)


def _both_write(told: dict[str, Any], name: str, number: int) -> None:
    """A search, and one more use of the entry: both or neither."""
    from django.db import transaction
    from django.db.models import F

    from knowledge.models import Entry, SearchQuery

    with transaction.atomic():
        SearchQuery.objects.create(query=name, normalized=name, result_count=1, searcher="session:w")
        Entry.objects.filter(title="Counted").update(usage_count=F("usage_count") + 1)
    told["searches"].append(name)


def _tag_delete(told: dict[str, Any], name: str, number: int) -> None:
    from knowledge.models import Tag

    if told["tags"]:
        gone = told["tags"].pop()
        try:
            Tag.objects.filter(name=gone).delete()
        except Exception:
            told["unsure"].append(gone)
            raise
        told["gone"].append(gone)


_WRITES: tuple[Callable[[dict[str, Any], str, int], None], ...] = (_tag_write, _both_write, _tag_write, _tag_delete)


def told_is_there(told: dict[str, Any]) -> list[str]:
    """What is not in the site's database as the writer was told, and what lies beside it; in a process of the site."""
    from django.conf import settings

    from knowledge.models import Entry, SearchQuery, Tag

    if "failure" in told:
        return [told["failure"]]
    tags = list(Tag.objects.filter(name__startswith="told").values_list("name", flat=True))
    searches = list(SearchQuery.objects.filter(query__startswith="told").values_list("query", flat=True))
    uses = Entry.objects.get(title="Counted").usage_count
    unsure = set(told["unsure"])
    wrong = [f"lost tags {sorted(lost)}" for lost in [set(told["tags"]) - set(tags)] if lost]
    wrong += [f"lost searches {sorted(lost)}" for lost in [set(told["searches"]) - set(searches)] if lost]
    wrong += [f"tags nobody was told of {sorted(more)}" for more in [set(tags) - set(told["tags"]) - unsure] if more]
    wrong += [f"searches twice {sorted(searches)}" for _ in range(1) if len(searches) != len(set(searches))]
    wrong += [f"{len(searches)} searches, {uses} uses" for _ in range(1) if len(searches) != uses]
    wrong += [f"left beside the pointer: {each.name}" for each in Path(settings.DATA_DIR).glob("database.json.*")]
    return wrong


# The site ---------------------------------------------------------------------------------------


def rows_build() -> None:
    """A few rows of several tables; in a process of the site."""
    from tests.engine.builders import entry_made, searches_made

    entry_made(title="Counted")
    for number in range(3):
        entry_made(title=f"S0C7 in step {number}", usage_count=number)
    searches_made(20)


def move_enqueue(target_url: str, **options: Any) -> int:
    """The number of a queued run that moves the site by itself; in a process of the site."""
    from migrations_ops.models import GoMode
    from migrations_ops.moves import MoveOptions, move_plan_create
    from migrations_ops.runs import confirmation_expected, run_enqueue

    chosen = MoveOptions(**{"go_mode": GoMode.AUTO, "workers": 1, **options})
    plan = move_plan_create(target_url=target_url, options=chosen, actor="ada", inline=True)
    return int(run_enqueue(plan=plan, actor="ada", confirmation=confirmation_expected(plan)).pk)


def roll_back_ask(run_id: int) -> None:
    """Ask for the rollback, unless somebody has; in a process of the site."""
    from migrations_ops.models import Direction, Run
    from migrations_ops.runs import rollback_confirmation_expected, run_rollback

    lease_expire(run_id)
    run = Run.objects.get(pk=run_id)
    if run.direction == Direction.FORWARD:
        run_rollback(run=run, actor="ada", confirmation=rollback_confirmation_expected(run))


def lease_expire(run_id: int) -> None:
    """Let the lease of a dead worker run out."""
    from django.db import transaction
    from django.utils import timezone

    from migrations_ops.models import Run

    with transaction.atomic():  # where a process goes to the place that the pointer names
        past = timezone.now() - timedelta(hours=1)
        Run.objects.filter(pk=run_id).exclude(lease_token=None).update(lease_until=past)


def run_finish(run_id: int) -> str:
    """Let a new worker move the run to its end; its state and error; in a process of the site."""
    from migrations_ops.runner import run_inline

    lease_expire(run_id)
    run = run_inline(run_id)
    return f"{run.state} {run.error}".strip()


def impatient() -> None:
    """Leave out pauses that only spare people and machines; before anything is forked."""
    from migrations_ops import runner
    from migrations_ops.move import copiers
    from migrations_ops.steps.move import tables

    runner.RETRY_SECONDS = 0.05
    copiers.BEAT_SECONDS = 0.05  # kills strike at heartbeats, too
    tables.READERS = timedelta(0)


def moved_wrong(told: dict[str, Any]) -> list[str]:
    """What is not as it should be once the site has moved; in a process of the site."""
    from django.db import connection

    from migrations_ops.models import Move, MoveState
    from migrations_ops.move.ends import data_dir, ends_open, place_of_target
    from migrations_ops.move.ledger import DifferenceKind
    from migrations_ops.move.return_path import return_drain
    from migrations_ops.move.target_schema import LIVE, target_mark
    from migrations_ops.move.verify import verify
    from migrations_ops.place.follow import place_follow
    from migrations_ops.place.pointer import place_read

    place_follow()
    move = Move.objects.get()
    wrong = [
        f"the site is on {connection.vendor}" for _ in range(1) if not move.target_url.startswith(connection.vendor)
    ]
    wrong += told_is_there(told)
    wrong += [f"the move is {move.state}" for _ in range(1) if move.state != MoveState.MOVED or not move.is_open]
    wrong += ["the pointer names another place" for _ in range(1) if place_read(data_dir()) != place_of_target(move)]
    with ends_open(move) as ends:
        return_drain(live=ends.target, old=ends.source, tables=ends.tables, data_dir=data_dir())
        mark = target_mark(ends.target)
        wrong += [f"the mark is {mark}" for _ in range(1) if mark is None or mark[1] != LIVE]
        wrong += _fences_wrong(ends.target, ends.source, epoch=move.epoch + 1)
        # Sequences follow at the next cut-over.
        differences = verify(ends.target, ends.source, ends.tables).differences
        wrong += [str(each) for each in differences if each.kind is not DifferenceKind.SEQUENCE]
    return wrong


def _fences_wrong(live: Any, old: Any, epoch: int) -> list[str]:
    from migrations_ops.move.fence import fence_is_up
    from migrations_ops.place.record import record_read

    wrong = [
        f"{each.vendor}: fence {not up}" for each, up in ((live, False), (old, True)) if fence_is_up(each) is not up
    ]
    for each, is_live in ((live, True), (old, False)):
        record = record_read(each)
        if record is None or (record.epoch, record.live) != (epoch, is_live):
            wrong.append(f"{each.vendor}: {record}")
    return wrong


def returned_wrong(told: dict[str, Any], ground: Ground, schema: list[str]) -> list[str]:
    """What is not as it was before a move that was rolled back; in a process of the site."""
    from django.db import connection

    from migrations_ops.models import Move
    from migrations_ops.place.follow import place_follow
    from migrations_ops.place.pointer import place_read

    place_follow()
    pointer = place_read(ground.data_dir)
    wrong = [
        f"the site is on {connection.vendor}" for _ in range(1) if not ground.source_url.startswith(connection.vendor)
    ]
    wrong += [f"the pointer names {url}" for url in [pointer and pointer.url] if url == Move.objects.get().target_url]
    wrong += told_is_there(told)
    wrong += [f"the move is open: {move.state}" for move in Move.objects.exclude(is_open=None)]
    more = sorted(name for name in set(ground.source_schema()) ^ set(schema) if "ops_move_place" not in name)
    wrong += [f"the source has or lacks {more}" for _ in range(1) if more]
    left = ground.target_schema()
    wrong += [f"the target has {left[:9]}" for _ in range(1) if left]
    return wrong


def note(text: str) -> None:
    """Tell the person who watches."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
