"""Moves a site there and back while its target dies, the network goes, or a disk is full, in every step.

A process of its own, started by test_move_kill.py with the environment of a migrated site on SQLite:

    python -m tests.engine.move_trouble_driver mixed
    python -m tests.engine.move_trouble_driver mixed --source postgresql --target sqlite

It has a PostgreSQL server of its own, at the end of a wire that can be cut. A source on PostgreSQL is there, too:
then the site itself is away in trouble. Kinds of trouble:

* server: killed at once, and started again
* cut: every connection is closed
* slow: every block of bytes is late
* freeze: nothing comes through for a while, and nobody is told
* full-there: the server says that its disk is full
* full-here: the mover's process can make no file longer
* mixed: one after the other

In each step one strikes. It ends when the mover has said what it waits for, or after a while. A writer of
the site works all the time. At the end it is compared what the writer was told with what is there. Prints a
JSON object: what was waited for by step, and what is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import django
import psycopg

from tests import postgres
from tests.engine.move_ground import (
    Child,
    Ended,
    Ground,
    Writer,
    done,
    forked,
    impatient,
    lease_expire,
    move_enqueue,
    moved_wrong,
    note,
    returned_wrong,
    roll_back_ask,
    rows_build,
)

KINDS = ("server", "cut", "full-there", "freeze", "full-here", "slow")
#: Which thing that the mover does in a step is the one before which the trouble begins.
STRIKES_AT = 6
#: How long a trouble lasts at least, and at most when nobody waits for its end.
LEAST_SECONDS, MOST_SECONDS = 0.3, 1.5
TRIES = 60
#: Steps that fail and say so instead of waiting, so that a person decides: that of the checks, before anything is
#: done; that of the checkpoint; and on the way back the last thing to do, where the site does not need the target.
ASK = ("move/assess", "move/checkpoint", "move/target")
ASKED = ("does not answer", "Is the disk full?", "failed for lack of disk space")
FULL = """
CREATE FUNCTION test_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'could not extend file: No space left on device';
END $$;
CREATE TRIGGER test_full BEFORE INSERT ON kb_tags FOR EACH STATEMENT EXECUTE FUNCTION test_full();
CREATE TRIGGER test_full BEFORE INSERT ON search_history FOR EACH STATEMENT EXECUTE FUNCTION test_full();
"""
ROOM = "DROP FUNCTION IF EXISTS test_full() CASCADE"


class Server:
    """A PostgreSQL server that may die."""

    def __init__(self) -> None:
        self._programs = postgres.binaries()
        self._account = postgres._account()
        self._folder = Path(tempfile.mkdtemp(prefix=postgres.FOLDER_PREFIX))
        if self._account:
            os.chown(self._folder, self._account.pw_uid, self._account.pw_gid)
            self._programs = postgres._readable(self._programs, self._folder)
        postgres._initialise(self._programs, self._folder, "secret", self._account)
        self._port = postgres._free_port()
        self.url = f"postgresql://kb:secret@127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        with mock.patch.dict(postgres.SERVER_OPTIONS, synchronous_commit="on"):  # what it confirms survives its death
            self._process = postgres._launch(self._programs, self._folder, self._port, self._account)
        postgres._wait(self._process, self.url, self._folder)

    def die(self) -> None:
        """Stop it at once, as a power failure does."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def close(self) -> None:
        """Stop it for good."""
        if self._process.poll() is None:
            self.die()
        shutil.rmtree(self._folder, ignore_errors=True)


class Line:
    """A wire in a process of its own, which obeys: a name of a method of Wire, or a delay in seconds."""

    def __init__(self, url: str) -> None:
        hearing, self._telling = os.pipe()
        reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._telling)
            self._obey(url, hearing, writing)
            os._exit(0)
        os.close(hearing)
        os.close(writing)
        self._answers = os.fdopen(reading)
        self.url = self._answers.readline().strip()

    @staticmethod
    def _obey(url: str, hearing: int, writing: int) -> None:
        from tests.move.network import Wire

        wire = Wire(f"{url}/postgres")
        os.write(writing, f"{wire.url.rpartition('/')[0]}\n".encode())
        for line in os.fdopen(hearing):
            word = line.strip()
            if word.replace(".", "").isdigit():
                wire.delay_seconds = float(word)
            else:
                getattr(wire, word)()
            os.write(writing, b"done\n")

    def tell(self, word: str) -> None:
        """Have it done."""
        os.write(self._telling, f"{word}\n".encode())
        self._answers.readline()

    def close(self) -> None:
        """Take the wire away."""
        os.close(self._telling)
        os.waitpid(self._pid, 0)


class Troubles:
    """What can go wrong, begun and ended by the parent, or by the mover itself where it is its own process."""

    def __init__(self, server: Server, line: Line, target_url: str) -> None:
        self._server, self._line, self._target_url = server, line, target_url

    def begin(self, kind: str) -> None:
        """From now on."""
        match kind:
            case "server":
                self._server.die()
            case "cut" | "freeze":
                self._line.tell(kind)
            case "slow":
                self._line.tell("0.02")
            case "full-there" if self._target_url:
                self._full()

    def end(self, kind: str) -> None:
        """No longer."""
        match kind:
            case "server":
                self._server.start()
            case "freeze":
                self._line.tell("thaw")
            case "slow":
                self._line.tell("0.0")
            case "full-there" if self._target_url:
                with psycopg.connect(self._target_url, autocommit=True) as there:
                    there.execute(ROOM)

    def _full(self) -> None:
        """Where the tables are there; a transaction that is under way with them is waited for a moment."""
        with suppress(psycopg.Error), psycopg.connect(self._target_url, autocommit=True) as there:
            there.execute("SET lock_timeout = '200ms'")
            there.execute(FULL)


class Mover:
    """The process of the mover: says at each step when it is time for trouble, and what it waits for."""

    def __init__(self, run_id: int, kinds: list[str], telling: int, hearing: int) -> None:
        self._run_id, self._kinds = run_id, kinds
        self._telling, self._hearing = telling, hearing
        self._step, self._passed, self._struck = "", 0, set[str]()

    def run(self) -> str:
        """Take the run to its end, whatever happens; its state."""
        from django.db import InterfaceError, OperationalError, connection

        from migrations_ops.models import RunState
        from migrations_ops.runner import run_inline
        from migrations_ops.runs import run_retry

        self._watch()
        said = ""
        for _ in range(TRIES):
            try:
                lease_expire(self._run_id)
                run = run_inline(self._run_id)
            except (OperationalError, InterfaceError, OSError) as error:  # the site's own database is away
                said = repr(error)
                self._tell("waits", said)
                connection.close()
                time.sleep(0.2)
            else:
                if (
                    run.state != RunState.FAILED
                    or self._step not in ASK
                    or not any(word in run.error for word in ASKED)
                ):
                    return f"{run.state} {run.error}".strip()
                self._tell("waits", run.error)
                time.sleep(LEAST_SECONDS)
                run_retry(run=run, actor="ada")
        return f"it never came to an end: {said}"

    def _watch(self) -> None:
        from django.db.backends.utils import CursorWrapper

        from migrations_ops import runner

        execute, begin, journal = CursorWrapper._execute_with_wrappers, runner._begin, runner._journal

        def executed(*args: Any, **options: Any) -> Any:
            self._passed += 1
            if self._passed == STRIKES_AT and self._step and self._step not in self._struck:
                self._strike()
            return execute(*args, **options)

        def began(lease: Any, run: Any, record: Any, step: Any) -> None:
            begin(lease, run, record, step)
            if record.name != self._step:
                self._step, self._passed = record.name, 0

        def journaled(ctx: Any, batch: Any) -> None:
            journal(ctx, batch)
            if batch is not None and batch.waiting_for:
                self._tell("waits", batch.waiting_for)

        CursorWrapper._execute_with_wrappers = executed
        runner._begin = began
        runner._journal = journaled

    def _strike(self) -> None:
        kind = self._kinds[len(self._struck) % len(self._kinds)]
        self._struck.add(self._step)
        self._tell("strike", kind)
        os.read(self._hearing, 1)
        if kind == "full-here":
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
            lift = threading.Timer(LEAST_SECONDS, resource.setrlimit, [resource.RLIMIT_FSIZE, (hard, hard)])
            lift.daemon = True
            lift.start()

    def _tell(self, word: str, what: str) -> None:
        os.write(self._telling, (json.dumps([word, self._step, what[:200]]) + "\n").encode())


def watched(run_id: int, kinds: list[str], troubles: Troubles) -> tuple[Ended, dict[str, list[str]]]:
    """Have the mover work and make its trouble; how it ended and what it waited for, by step."""
    mover_hears, parent_tells = os.pipe()
    parent_hears, mover_tells = os.pipe()

    def work() -> str:
        os.close(parent_hears)
        os.close(parent_tells)
        return Mover(run_id, kinds, mover_tells, mover_hears).run()

    mover = Child(work)
    os.close(mover_tells)
    os.close(mover_hears)
    with os.fdopen(parent_hears, "rb", buffering=0) as messages, os.fdopen(parent_tells, "wb", buffering=0) as answers:
        waited = _troubled(messages, answers, troubles)
    return mover.ended(), waited


def _troubled(messages: Any, answers: Any, troubles: Troubles) -> dict[str, list[str]]:
    """Make the trouble that the mover is ready for, and end it when it has been noticed or its time is over."""
    waited: dict[str, list[str]] = {}
    kind, began = "", 0.0
    while True:
        ready = select.select([messages], [], [], 0.05)[0]
        word, step, what = json.loads(line) if ready and (line := messages.readline()) else ("", "", "")
        if ready and not word:
            if kind:
                troubles.end(kind)
            return waited
        if word == "waits":
            waited.setdefault(step, []).append(what)
            note(f"{step} waits for {what[:100]}")
        if kind and time.monotonic() - began > (LEAST_SECONDS if step in waited else MOST_SECONDS):
            troubles.end(kind)
            kind = ""
        if word == "strike":
            if kind:
                troubles.end(kind)
            kind, began = what, time.monotonic()
            note(f"{step}: {kind}")
            troubles.begin(kind)
            answers.write(b".")


def main() -> None:
    """There and back, with trouble all the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["mixed", *KINDS])
    parser.add_argument("--source", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--target", choices=["sqlite", "postgresql"], default="postgresql")
    options = parser.parse_args()
    kinds = list(KINDS) if options.kind == "mixed" else [options.kind]
    with server_and_line() as (server, line):
        if options.source == "postgresql":
            os.environ["KB_DATABASE_URL"] = f"{line.url}/source"
        django.setup()
        impatient()
        json.dump(moved_in_trouble(server, line, kinds, options), sys.stdout)


@contextmanager
def server_and_line() -> Iterator[tuple[Server, Line]]:
    """A server with the empty databases `source` and `target`, and the wire to it."""
    server = Server()
    try:
        line = Line(server.url)
        try:
            for name in ("source", "target"):
                postgres.PostgresServer(server.url).create_database_named(name)
            yield server, line
        finally:
            line.close()
    finally:
        server.close()


def migrated() -> None:
    """Make the site's tables."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def moved_in_trouble(server: Server, line: Line, kinds: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """What was waited for there and back, and what is wrong in the end."""
    from django.conf import settings

    data_dir = Path(settings.DATA_DIR)
    file = f"sqlite://{data_dir}/second.sqlite3" if options.target == "sqlite" else ""
    source_url = f"{server.url}/source" if options.source == "postgresql" else ""
    ground = Ground(data_dir, file or f"{server.url}/target", source_url)
    troubles = Troubles(server, line, "" if file else ground.target_url)
    done(forked(migrated))
    done(forked(rows_build))
    schema = ground.source_schema()
    run_id = done(forked(lambda: move_enqueue(file or f"{line.url}/target")))
    writer = Writer()
    there, waited_there = watched(run_id, kinds, troubles)
    note(f"there: {there.said}")
    wrong = [str(there.said) for _ in range(1) if there.said != "succeeded"]
    wrong += [] if writer.goes_on() else ["nobody can write after the move"]
    told = writer.stop()
    if not wrong:
        wrong += done(forked(lambda: moved_wrong(told)))
    done(forked(lambda: roll_back_ask(run_id)))
    back, waited_back = watched(run_id, kinds[::-1], troubles)
    wrong += [str(back.said) for _ in range(1) if back.said != "rolled_back"]
    wrong += done(forked(lambda: returned_wrong(told, ground, schema)))
    return {"there": waited_there, "back": waited_back, "wrong": wrong, "errors": len(told["errors"])}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kbsite.settings")
    main()
