"""Visitors and jobs of a served site, while its database moves to and fro beneath it.

    python -m tests.bench.site_users visit <address> <id of an entry>
    python -m tests.bench.site_users queue

Each works in a process of its own until its input ends, and then prints what it was told.
"""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path
from typing import Any

import django

from tests.engine.live import Crowd

PAGES = ("/healthz", "/codes/")
#: Between two requests of a visitor, of whom there are four; between two jobs.
REST_SECONDS = 0.1
JOBS_APART_SECONDS = 0.2
#: For jobs that wait when the last one has been queued.
PATIENCE_SECONDS = 120
JOB = "tests.place.jobs.job"


def main() -> None:
    told = visit(*sys.argv[2:]) if sys.argv[1] == "visit" else queue()
    print(json.dumps(told))


def visit(address: str, entry: str) -> dict[str, Any]:
    """Read and vote."""
    crowd = Crowd(address, f"/entries/{entry}/", PAGES, rest_seconds=REST_SECONDS)
    crowd.start()
    print("ready", flush=True)
    sys.stdin.read()
    crowd.stop()
    return {"reads": crowd.reads, "votes": crowd.votes, "errors": crowd.errors}


def queue() -> dict[str, Any]:
    """Give the site's worker jobs, one after the other."""
    django.setup()
    from django_q.tasks import async_task

    told, errors, number = [], [], 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], JOBS_APART_SECONDS)[0]:
        try:
            async_task(JOB, number)
            told.append(number)
        except Exception as error:  # noqa: BLE001 - printed
            errors.append(repr(error))
        number += 1
    return {"jobs": told, "errors": errors}


def votes_of(live: Any) -> int:
    """How many votes a database has."""
    return number_of(live, "SELECT count(*) FROM kb_feedback")


def visits_print(live: Any, told: dict[str, Any], votes_before: int) -> None:
    """What visitors were told, beside what the database has."""
    requests = told["reads"] + 2 * told["votes"] + len(told["errors"])
    there = votes_of(live) - votes_before
    lost, doubled = max(0, told["votes"] - there), max(0, there - told["votes"])
    print(f"  {requests} web requests, {len(told['errors'])} failed; {told['votes']} votes confirmed, ", end="")
    print(f"{lost} lost, {doubled} doubled")
    print("".join(f"  {error}\n" for error in told["errors"][:5]), end="")


def jobs_print(live: Any, told: dict[str, Any], data_dir: Path) -> None:
    """What became of each job: in the file that it appends to, and in the database."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while number_of(live, "SELECT count(*) FROM django_q_ormq") and time.monotonic() < deadline:
        time.sleep(0.2)
    log = data_dir / "jobs.log"
    ran = [int(line) for line in log.read_text().split()] if log.exists() else []
    lost, twice = set(told["jobs"]) - set(ran), len(ran) - len(set(ran))
    rows = number_of(live, "SELECT count(*) FROM kb_tags WHERE name LIKE 'job %'")
    print(f"  {len(told['jobs'])} jobs queued, {len(lost)} lost, {twice} run twice, ", end="")
    print(f"{len(set(ran)) - rows} without what they wrote, {len(told['errors'])} errors")
    with live.cursor() as cursor:
        cursor.execute("SELECT result FROM django_q_task WHERE NOT success LIMIT 5")
        print("".join(f"  a job failed: {result}\n" for (result,) in cursor.fetchall()), end="")
    print("".join(f"  {error}\n" for error in told["errors"][:5]), end="")


def number_of(live: Any, sql: str) -> int:
    """The number that a query gives."""
    with live.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    main()
