"""Kills the mover at every point of a whole move and looks whether the site comes out as it should.

A process of its own, started by test_move_kill.py with the environment of a migrated site, which may be on SQLite
or on PostgreSQL, as may be the target (a file in the data folder):

    python -m tests.engine.move_kill_driver forward,withdraw,back postgresql://... --count 3

* forward: the run is killed on its way, another worker takes it to its end.
* withdraw: it is killed on its way, and rolled back.
* back: it has moved the site; the rollback is killed on its way, and taken to its end.

A mover dies for good (os._exit) before a statement of any of its connections, before or after a commit,
around the rename of the pointer, or at a time while a process that it started works. A writer of the
site works meanwhile, and must be able to write on before anybody cleans up. At the end what the writer
was told is compared with what is there, and both databases with each other.

Points between which nothing was committed leave the next worker the very same databases, so one of such a
group is tried; with --all every single one. Prints a JSON object by way: points, tried, differences.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import django

from tests.engine.move_ground import (
    DEAD,
    Ground,
    Writer,
    done,
    forked,
    impatient,
    move_enqueue,
    moved_wrong,
    note,
    returned_wrong,
    roll_back_ask,
    rows_build,
    run_finish,
)

#: Seconds after the beginning of these steps, in which processes of their own do the work.
TIMED = {
    "move/target": (0.3, 0.9, 1.6, 2.4),
    "move/copy": (0.1, 0.3, 0.5, 0.7),
    "move/indexes": (0.2, 0.6, 1.0),
}
#: Beginnings of statements that change something.
WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "TRUNCATE")
#: A heartbeat, which changes only how long the lease holds.
BEAT = 'UPDATE "ops_runs" SET "lease_until"'


@dataclass(frozen=True)
class Point:
    """Where a mover dies: in a step, at the n-th thing that it does there or after so many seconds."""

    step: str
    number: int = -1
    seconds: float = 0.0
    #: What it does there.
    label: str = ""


@dataclass
class Passed:
    """What a mover came past in a step."""

    number: int
    #: How much was committed before, as a count.
    effects: int
    label: str


class Killer:
    """Counts what a mover does, step by step, and ends its process at one point."""

    def __init__(self, at: Point | None, trace: Path) -> None:
        self.at = at
        self.step = ""
        self.passed: list[Passed] = []
        self.effects = 0
        #: Whether something was written that is to be committed, on whichever connection.
        self.written = False
        self._trace = trace

    def enter(self, step: str) -> None:
        """A step begins, or goes on."""
        if step == self.step:
            return
        if self.passed:
            self.tell()
        self.step, self.passed = step, []
        if self.at and self.at.step == step and self.at.seconds:
            timer = threading.Timer(self.at.seconds, os._exit, [DEAD])
            timer.daemon = True
            timer.start()

    def point(self, label: str) -> None:
        """Die here, or come past."""
        if self.at and (self.step, len(self.passed)) == (self.at.step, self.at.number):
            os._exit(DEAD)
        self.passed.append(Passed(len(self.passed), self.effects, label))

    def tell(self) -> None:
        """Leave what was passed in the step that ends."""
        self._trace.write_text(json.dumps({"step": self.step, "passed": [asdict(each) for each in self.passed]}))

    def around(self, call: Callable[..., Any], label: str) -> Callable[..., Any]:
        """The call, which commits something, with a point before and one after it."""

        def killable(*args: Any, **options: Any) -> Any:
            self.point(f"before {label}")
            done = call(*args, **options)
            self.effects += self.written or label == "rename"
            self.written = False
            self.point(f"after {label}")
            return done

        return killable

    def watch(self) -> None:
        """Come past here with everything that this process does from now on."""
        from django.db.backends.base.base import BaseDatabaseWrapper
        from django.db.backends.utils import CursorWrapper

        from migrations_ops import runner
        from migrations_ops.place import pointer

        execute, begin = CursorWrapper._execute_with_wrappers, runner._begin

        def executed(cursor: Any, sql: Any, params: Any, many: bool, executor: Any) -> Any:
            self.point(f"{cursor.db.alias[:7]} {str(sql)[:60]}")
            done = execute(cursor, sql, params, many, executor)
            if str(sql).lstrip().upper().startswith(WRITES) and not str(sql).startswith(BEAT):
                self.effects += not cursor.db.in_atomic_block
                self.written = self.written or cursor.db.in_atomic_block
            return done

        def began(lease: Any, run: Any, record: Any, step: Any) -> None:
            self.enter(record.name)
            begin(lease, run, record, step)

        CursorWrapper._execute_with_wrappers = executed
        BaseDatabaseWrapper._commit = self.around(BaseDatabaseWrapper._commit, "commit")
        pointer._replace = self.around(pointer._replace, "rename")
        runner._begin = began


class Walk:
    """The whole move, cut into its steps: the site at the beginning of each, and the points of each."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.run_id = 0
        self.schema: list[str] = []
        #: By step, in their order.
        self.passed: dict[str, list[Passed]] = {}
        self._trace = Path(tempfile.mkdtemp()) / "trace.json"

    def build(self) -> None:
        """A site with some rows and a queued run."""
        done(forked(rows_build))
        self.schema = self.ground.source_schema()
        self.run_id = done(forked(lambda: move_enqueue(self.ground.target_url)))
        self.ground.keep("start")

    def forward(self, steps: list[str]) -> None:
        """Walk undisturbed and keep the site at the beginning of each step."""
        for step in steps:
            self._to(step)
        self._to("")
        self.ground.keep("moved")

    def back(self, steps: list[str]) -> None:
        """Walk back undisturbed."""
        self.passed.clear()
        self.ground.use("moved")
        done(forked(lambda: roll_back_ask(self.run_id)))
        self.ground.keep("asked")
        for step in steps:
            self._to(step)
        self._to("")

    def _to(self, step: str) -> None:
        """Go on until this step begins."""
        self._trace.unlink(missing_ok=True)
        ended = self.worked(Point(step, 0) if step else None)
        if self._trace.exists():
            told = json.loads(self._trace.read_text())
            self.passed[told["step"]] = [Passed(**each) for each in told["passed"]]
        if step:
            if ended.status != DEAD:
                raise SystemExit(f"{step} did not begin: {ended}")
            self.ground.keep(step)

    def worked(self, at: Point | None) -> Any:
        """Let a worker move the run until it ends or dies at a point."""

        def work() -> str:
            killer = Killer(at, self._trace)
            killer.watch()
            state = run_finish(self.run_id)
            killer.tell()
            return state

        return forked(work)

    def points(self, *, every: bool, seconds: bool) -> list[Point]:
        """All points at which a mover is to die."""
        found = []
        for step, passed in self.passed.items():
            for before, each in zip([None, *passed], passed, strict=False):
                if every or before is None or before.effects != each.effects or each.label.endswith("rename"):
                    found.append(Point(step, each.number, label=each.label))
            found += [Point(step, seconds=each) for each in TIMED.get(step, ()) if seconds]
        return found


def tried(walk: Walk, point: Point, how: str) -> list[str]:
    """Kill the mover at this point, let another one go on; everything that is wrong then."""
    ground = walk.ground
    ground.use(point.step)
    writer = Writer()
    writer.goes_on()
    died = walk.worked(point)
    wrong = [] if writer.goes_on() else ["nobody could write after the death"]
    if how == "withdraw":
        asked = forked(lambda: roll_back_ask(walk.run_id))
        wrong += [asked.said] if asked.status else []
    ended = forked(lambda: run_finish(walk.run_id))
    told = writer.stop()
    expected = "succeeded" if how == "forward" else "rolled_back"
    if ended.said != expected:
        wrong.append(f"the run is {ended.said}")
    check = forked(lambda: moved_wrong(told) if how == "forward" else returned_wrong(told, ground, walk.schema))
    wrong += check.said if not check.status else [str(check.said)]
    wrong += [f"the writer was told {error}" for error in told.get("errors", [])[:3]]
    if died.status not in {DEAD, 0}:
        wrong.append(f"the first mover: {died.said}")
    return wrong


def steps_of(run_id: int) -> list[str]:
    """The names of a run's steps, in their order; in a process of the site."""
    from migrations_ops.models import Run

    return list(Run.objects.get(pk=run_id).steps.order_by("position").values_list("name", flat=True))


def some_of(points: list[Point], count: int, how: str) -> list[tuple[int, Point]]:
    """The points around the rename, and so many others from all parts of the way; 0: all."""
    if not count:
        return list(enumerate(points))
    others = [number for number, point in enumerate(points) if not point.label.endswith("rename")]
    chosen = {others[(2 * each + 1) * len(others) // (2 * count)] for each in range(count)}
    return [each for each in enumerate(points) if each[0] in chosen or (each[0] not in others and how != "withdraw")]


def main() -> None:
    """Walk undisturbed, then kill at every point of this process's share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hows", help="forward, withdraw, back: one or more, by comma, in this order")
    parser.add_argument("target")
    parser.add_argument("--count", type=int, default=0, help="only so many of each way, and those around the rename")
    parser.add_argument("--share", default="0/1")
    parser.add_argument("--all", action="store_true", help="kill at every single statement")
    parser.add_argument("--steps", default="", help="only in these steps, by comma")
    options = parser.parse_args()
    django.setup()
    impatient()
    from django.conf import settings

    ground = Ground(Path(settings.DATA_DIR), options.target, os.environ.get("KB_DATABASE_URL", ""))
    try:
        json.dump(killed_everywhere(Walk(ground), options), sys.stdout)
    finally:
        ground.drop()


def killed_everywhere(walk: Walk, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The results by way."""
    walk.build()
    steps = done(forked(lambda: steps_of(walk.run_id)))
    walk.forward(steps)
    results = {}
    for how in options.hows.split(","):
        if how == "back":
            walk.back(steps[::-1])
        results[how] = killed_on_the_way(walk, how, steps, options)
    return results


def killed_on_the_way(walk: Walk, how: str, steps: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """The result of one share of all points of a way."""
    part, parts = (int(number) for number in options.share.split("/"))
    # What is over is over: then it is the way back that is tried.
    wanted = options.steps.split(",") if options.steps else steps[: -1 if how == "withdraw" else None]
    points = [each for each in walk.points(every=options.all, seconds=how != "back") if each.step in wanted]
    mine = some_of(points, options.count, how)[part::parts]
    of_step = {step: sum(each.step == step for each in points) for step in wanted}
    note(f"{how}: {len(points)} points, {len(mine)} to try: {of_step}")
    differences = []
    for number, point in mine:
        wrong = tried(walk, point, how)
        note(f"{number} {point.step} {point.number} {point.seconds} {point.label}: {wrong or 'well'}")
        differences += [{"point": asdict(point), "wrong": wrong} for _ in range(1) if wrong]
    return {"points": len(points), "tried": len(mine), "differences": differences}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kbsite.settings")
    main()
