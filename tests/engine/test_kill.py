"""A run survives the death of its worker, wherever it strikes."""

from __future__ import annotations

import json
import os
import random
import time

import pytest

from tests.sites import Site

#: Each case is split, so that several processes can share the work.
SHARES = 2
#: One point in so many is tried, unless all are asked for.
THINNED = 3


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("direction", ["forward", "back"])
def test_a_worker_killed_before_any_statement_changes_nothing_in_the_end(
    site: Site, direction: str, share: int
) -> None:
    """At a third of the points where the next worker would find another site; KB_TEST_KILL_ALL=1: at every statement."""
    every = ["--all"] if os.environ.get("KB_TEST_KILL_ALL") == "1" else []
    thinned = 1 if every else THINNED
    shared = f"{share}/{SHARES * thinned}"
    done = site.python("-m", "tests.engine.kill_driver", direction, "--share", shared, *every, timeout_seconds=3_600)

    result = json.loads(done.stdout)
    assert result["differences"] == []
    assert result["points"] >= 20 / thinned
    assert result["expected"]["level"] == (2 if direction == "forward" else 1)


def searches_many(site: Site, count: int) -> None:
    site.manage(
        "shell",
        "--verbosity=0",
        "--command",
        "from tests.engine.builders import entry_made, searches_made\n"
        f"entry_made(usage_count=1); searches_made({count})",
    )


@pytest.mark.parametrize("round_", range(2))
def test_a_process_killed_for_real_leaves_a_run_that_another_one_finishes(site: Site, round_: int) -> None:
    searches_many(site, 4_000)
    plan = site.manage("mvp", "plan", "2", "--json", check=False)
    assert plan.returncode == 3  # no worker has a heartbeat; the command does the work itself
    process = site.spawn("manage.py", "mvp", "run", "1", "--yes", "--inline", "--json")
    wait_for_steps(site, done=random.Random(round_).randrange(3, 7))
    process.kill()
    process.wait()

    before = site.manage_json("mvp", "show", "1")
    if before["state"] == "running":
        assert site.manage_json("mvp", "force-stop", "1")["state"] == "paused"
        assert site.manage_json("mvp", "resume", "1", "--inline")["state"] == "succeeded"

    assert site.manage_json("mvp", "status")["level"] == 2
    steps = {step["name"]: step for step in site.manage_json("mvp", "show", "1")["steps"]}
    assert steps["mvp2/backfill-searches"]["rows_done"] == 4_000
    assert site.manage_json("mvp", "rollback", "1", "--yes", "--inline")["state"] == "rolled_back"


def wait_for_steps(site: Site, done: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        listed = site.manage("mvp", "show", "1", "--json", check=False)
        if listed.returncode == 0:
            steps = json.loads(listed.stdout)["steps"]
            if sum(step["state"] == "done" for step in steps) >= done:
                return
    raise AssertionError("the run did not move")
