"""Kills a worker at every point of a run and looks whether the site comes out the same.

A process of its own, started by test_kill.py with the environment of a site that has its tables and no rows:

    python -m tests.engine.kill_driver forward --share 0/2

1. Builds a site with searches, feedback and rows parked by an earlier rollback.
2. Runs (or rolls back) it once undisturbed, counting the SQL statements on the way.
3. For every point: starts again from a copy of the site, kills the worker right before that
   statement, lets another worker take over, and compares the end with that of the undisturbed run.

Statements between which nothing was committed and no file changed leave the next worker the very same
site, so one of such a group is a point. With --all every single statement is one.

A kill is an exception that no handler of the engine catches, with the connection dropped: what was
not committed is gone, files stay as they are. The clock stands still, so that equal means equal.
Prints a JSON object: statements, points, differences.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import django

MOMENT = dt.datetime.now(dt.UTC).replace(microsecond=0)
#: Rows of a batch here: small, so that a few rows already make three.
BATCH_ROWS = 50
SEARCHES = 120


class Killed(BaseException):
    """The worker is gone; no handler of the engine may see this."""


def build_site() -> None:
    """A site at MVP1 that was at MVP2 before: parked rows wait, the history has three batches."""
    from knowledge.models import Feedback
    from migrations_ops.models import Run

    entries = [entry(number) for number in range(4)]
    searches_add(SEARCHES // 2)
    Feedback.objects.create(entry=entries[0], worked=True, voter="session:a")
    go_up()
    go_back(Run.objects.latest("pk"))
    searches_add(SEARCHES // 2)


def entry(number: int) -> Any:
    """A published entry."""
    from knowledge.models import Entry

    return Entry.objects.create(
        title=f"S0C7 in step {number}",
        problem="The job ends with a data exception in arithmetic.",
        solution="Initialise the packed field before the first ADD.",
        category="COBOL",
        status="published",
        usage_count=number,
    )


def searches_add(count: int) -> None:
    """Searches, of which one in three finds nothing; without the signals of the open level."""
    from knowledge.models import SearchQuery

    SearchQuery.objects.bulk_create(
        SearchQuery(
            query=f"s0c7 {number % 7}",
            normalized=f"s0c7 {number % 7}",
            result_count=number % 3,
            elapsed_ms=number % 50,
            searcher=f"session:{number % 9}",
            created_at=MOMENT - dt.timedelta(hours=number % 500),
        )
        for number in range(count)
    )


def enqueue_up() -> int:
    """The number of a queued run to MVP2."""
    from migrations_ops.planning import plan_create
    from migrations_ops.runs import confirmation_expected, run_enqueue

    plan = plan_create(to_level=2, actor="ada", inline=True)
    return int(run_enqueue(plan=plan, actor="ada", confirmation=confirmation_expected(plan)).pk)


def enqueue_back(run: Any) -> int:
    """The number of a run that is queued for its rollback."""
    from migrations_ops.runs import rollback_confirmation_expected, run_rollback

    return int(run_rollback(run=run, actor="ada", confirmation=rollback_confirmation_expected(run)).pk)


def go_up() -> None:
    """Up, undisturbed."""
    expect(enqueue_up(), "succeeded")


def go_back(run: Any) -> None:
    """Back, undisturbed."""
    expect(enqueue_back(run), "rolled_back")


def expect(run_id: int, state: str) -> None:
    """Finish the run in this process and fail loudly when it does not end in `state`."""
    from migrations_ops.runner import run_inline

    run = run_inline(run_id)
    if run.state != state:
        raise SystemExit(f"run {run_id} is {run.state}: {run.error}")


def end_state() -> dict[str, Any]:
    """What must be the same however often the worker was killed."""
    from django.conf import settings
    from django_q.models import Schedule

    from migrations_ops.archive import tables_manifest
    from migrations_ops.checkpoints import tables_open
    from migrations_ops.gate import site_level, table_exists
    from migrations_ops.models import Checkpoint, Run

    level = site_level()
    folder = Path(settings.OPS_CHECKPOINT_DIR)
    files = {path.name for path in folder.iterdir()}
    registered = set(Checkpoint.objects.values_list("file_name", flat=True))
    run = Run.objects.latest("pk")
    return {
        "level": level,
        "tables": tables_manifest(tables_open(level)),
        "analytics_table": table_exists("search_analytics"),
        "schedules": sorted(Schedule.objects.values_list("name", "func", "minutes")),
        "run": [run.state, run.active, run.lease_token],
        "steps": [list(row) for row in run.steps.order_by("position").values_list("name", "state", "rows_done")],
        "checkpoints": sorted(Checkpoint.objects.values_list("kind", "state", "size_bytes")),
        "files_without_row": sorted(files - registered),
        "rows_without_file": sorted(registered - files),
    }


class Sites:
    """Copies of one built site, switched to in this process."""

    def __init__(self) -> None:
        from django.conf import settings
        from django.db import connection

        self.postgresql = connection.vendor == "postgresql"
        self.folder = Path(settings.DATA_DIR)
        self.name = str(connection.settings_dict["NAME"])
        self.current = "site"

    def keep(self, label: str) -> None:
        """Keep the present site as the one that `use(label, ...)` copies."""
        self._copy(self.current, label)

    def use(self, label: str) -> None:
        """Go on in a fresh copy of a kept site."""
        self._copy(label, "point")
        self._switch("point")

    def _copy(self, source: str, target: str) -> None:
        from django.db import connection

        connection.close()
        shutil.rmtree(self._folder(target), ignore_errors=True)
        self._folder(target).mkdir(parents=True)
        for name in ("checkpoints", "kb.sqlite3", "kb.sqlite3-wal"):
            path = self._folder(source) / name
            if path.is_dir():
                shutil.copytree(path, self._folder(target) / name)
            elif path.exists():
                shutil.copy2(path, self._folder(target) / name)
        if self.postgresql:
            self._admin(f'DROP DATABASE IF EXISTS "{self._database(target)}" WITH (FORCE)')
            self._admin(f'CREATE DATABASE "{self._database(target)}" TEMPLATE "{self._database(source)}"')

    def _switch(self, label: str) -> None:
        from django.conf import settings
        from django.db import connection

        connection.close()
        settings.OPS_CHECKPOINT_DIR = self._folder(label) / "checkpoints"
        name: Any = self._database(label) if self.postgresql else self._folder(label) / "kb.sqlite3"
        connection.settings_dict["NAME"] = name
        self.current = label

    def _folder(self, label: str) -> Path:
        return self.folder if label == "site" else self.folder / "copies" / label

    def _database(self, label: str) -> str:
        return self.name if label == "site" else f"{self.name}_{label}"

    def _admin(self, statement: str) -> None:
        import psycopg
        from django.db import connection

        parameters = {**connection.get_connection_params(), "dbname": "postgres"}
        keep = {key: parameters[key] for key in ("host", "port", "user", "password", "dbname") if parameters.get(key)}
        with psycopg.connect(**keep, autocommit=True) as admin:
            admin.execute(statement)


class Counter:
    """Counts statements and what the next worker would find, and kills before a given one (from 0)."""

    def __init__(self, kill_at: int | None) -> None:
        self.kill_at = kill_at
        #: For every statement what was committed before it, as a count, and the files beside the database.
        self.left: list[tuple[int, tuple[tuple[str, int], ...]]] = []
        self.commits = 0

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if len(self.left) == self.kill_at:
            raise Killed  # and again for every statement that a handler tries: a dead worker sends none
        self.left.append((self.commits, files_now()))
        self.commits += not context["connection"].in_atomic_block
        return execute(sql, params, many, context)

    def committed(self, commit: Callable[[], None]) -> Callable[[], None]:
        """The connection's commit, counted."""

        def counted() -> None:
            self.commits += 1
            commit()

        return counted


def files_now() -> tuple[tuple[str, int], ...]:
    """Names and sizes of the files of checkpoints, finished or not."""
    from django.conf import settings

    folder = Path(settings.OPS_CHECKPOINT_DIR)
    found = [(path.name, path.stat().st_size) for path in folder.iterdir()] if folder.exists() else []
    return tuple(sorted(found))


def work(run_id: int, kill_at: int | None) -> Counter:
    """Let a worker move the run until it ends or is killed; returns what it ran."""
    from django.db import connection

    from migrations_ops.runner import run_inline

    counter = Counter(kill_at)
    watched = mock.patch.object(connections_default(), "commit", counter.committed(connections_default().commit))
    try:
        with watched, connection.execute_wrapper(counter):
            run_inline(run_id)
    except Killed:
        drop_connection()
    return counter


def connections_default() -> Any:
    """The connection object itself, which the proxy `connection` hides."""
    from django.db import connections

    return connections["default"]


def points_of(counter: Counter, *, every: bool) -> list[int]:
    """The statements before which a worker is killed."""
    left = counter.left
    if every:
        return list(range(len(left)))
    return [number for number in range(len(left)) if number == 0 or left[number] != left[number - 1]]


def drop_connection() -> None:
    """Lose the connection as a dead process does: nothing is sent, what was open is rolled back."""
    from django.db import connections

    lost = connections["default"].connection
    del connections["default"]
    if lost is not None:
        lost.close()


def take_over(run_id: int) -> None:
    """Let the dead worker's lease run out, then finish the run with another worker."""
    from migrations_ops.models import Run

    Run.objects.filter(pk=run_id).exclude(lease_token=None).update(lease_until=MOMENT - dt.timedelta(hours=1))
    work(run_id, None)


def main() -> None:
    """Build, run undisturbed, then kill at every point of this process's share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("direction", choices=["forward", "back"])
    parser.add_argument("--share", default="0/1")
    parser.add_argument("--all", action="store_true", help="kill before every single statement")
    options = parser.parse_args()
    part, parts = (int(number) for number in options.share.split("/"))
    django.setup()
    with small_batches(), mock.patch("django.utils.timezone.now", return_value=MOMENT):
        json.dump(kill_everywhere(options.direction, part, parts, every=options.all), sys.stdout)


@contextmanager
def small_batches() -> Iterator[None]:
    """Steps commit after BATCH_ROWS rows."""
    with (
        mock.patch("migrations_ops.steps.rows.ROWS_PER_BATCH", BATCH_ROWS),
        mock.patch("knowledge.phases.mvp2_analytics.searches.BATCH_ROWS", BATCH_ROWS),
        mock.patch("knowledge.phases.mvp2_analytics.usage.BATCH_ENTRIES", BATCH_ROWS),
    ):
        yield


def kill_everywhere(direction: str, part: int, parts: int, *, every: bool) -> dict[str, Any]:
    """The result of one share of all kill points."""
    from migrations_ops.models import Run

    sites = Sites()
    build_site()
    if direction == "back":
        go_up()
        searches_add(20)
        run_id = enqueue_back(Run.objects.latest("pk"))
    else:
        run_id = enqueue_up()
    sites.keep("base")
    sites.use("base")
    undisturbed = work(run_id, None)
    expected = end_state()
    differences = []
    points = points_of(undisturbed, every=every)[part::parts]
    for point in points:
        sites.use("base")
        work(run_id, point)
        take_over(run_id)
        found = end_state()
        if found != expected:
            wrong = {key: [expected[key], found[key]] for key in expected if expected[key] != found[key]}
            differences.append({"statement": point, "differences": wrong})
    return {
        "statements": len(undisturbed.left),
        "points": len(points),
        "expected": expected,
        "differences": differences,
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kbsite.settings")
    main()
