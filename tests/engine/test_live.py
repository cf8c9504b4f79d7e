"""The real server, with people on it, while the site goes up a level and comes back."""

from __future__ import annotations

import json
from typing import Any

from tests.engine.live import Crowd
from tests.sites import Site

SETUP = """
from tests.engine.builders import searches_made
from knowledge.entries import entry_create
entry = entry_create(title="S0C7 in payroll", problem="A data exception in step 20.", solution="Initialise it first.",
    category="COBOL", severity="high", tags=["abend"], codes=["S0C7"], status="published", origin="manual", author=None)
searches_made(3000)
print(entry.pk)
"""

COUNT = """
import json
from knowledge.models import Entry, Feedback, SearchQuery
print(json.dumps({"votes": Feedback.objects.count(), "success": Entry.objects.get(title="S0C7 in payroll").success_count,
    "searches": SearchQuery.objects.count()}))
"""


def shell(site: Site, program: str) -> str:
    return site.manage("shell", "--verbosity=0", "--command", program).stdout.strip().splitlines()[-1]


def moved(site: Site, *arguments: str) -> dict[str, Any]:
    report: dict[str, Any] = site.manage_json("mvp", *arguments, "--wait")
    assert report.get("error", "") == ""
    return report


def test_nobody_sees_an_error_and_no_vote_is_lost_while_the_site_moves(site: Site) -> None:
    entry = shell(site, SETUP)
    with site.served() as served:
        pages = ("/", "/search/?q=s0c7", "/browse/", "/healthz")
        crowd = Crowd(served.address, f"/entries/{entry}/", pages)
        crowd.start()
        for round_ in (1, 2):
            plan = site.manage_json("mvp", "plan", "2")["plan"]
            run = moved(site, "run", str(plan), "--yes")
            assert run["state"] == "succeeded"
            votes_up = crowd.votes
            assert moved(site, "rollback", str(run["run"]), "--yes")["state"] == "rolled_back"
            assert crowd.votes > votes_up, f"nobody could vote in round {round_}"
        crowd.stop()

        counted = json.loads(shell(site, COUNT))
        assert crowd.errors == []
        assert crowd.votes == counted["votes"] == counted["success"]
        assert crowd.reads > 20
        assert site.manage_json("mvp", "status")["level"] == 1


def test_a_worker_that_dies_in_a_run_is_replaced_and_the_run_ends(site: Site) -> None:
    shell(site, SETUP)
    with site.served():
        plan = site.manage_json("mvp", "plan", "2")["plan"]
        run = site.manage_json("mvp", "run", str(plan), "--yes")
        kill_workers(site)
        site.manage("mvp", "show", str(run["run"]))
        # Do not wait for the lease: a person takes the run away from the dead worker and goes on.
        state = site.manage_json("mvp", "show", str(run["run"]))["state"]
        if state in {"running", "pausing"}:
            site.manage("mvp", "force-stop", str(run["run"]), "--reason", "its worker is dead")
            site.manage("mvp", "resume", str(run["run"]))

        report = moved(site, "show", str(run["run"]))

        assert report["state"] == "succeeded"
        assert site.manage_json("mvp", "status")["level"] == 2


def kill_workers(site: Site) -> None:
    """kill -9 of every process of this site's task queue."""
    import os
    import signal
    from pathlib import Path

    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and is_worker(folder, site):
            os.kill(int(folder.name), signal.SIGKILL)


def is_worker(folder: Any, site: Site) -> bool:
    """Whether a process works on this site's queue."""
    try:
        command = (folder / "cmdline").read_bytes()
        environment = (folder / "environ").read_bytes()
    except OSError:
        return False
    return f"KB_DATA_DIR={site.data_dir}\0".encode() in environment and (b"qcluster" in command or b"worker" in command)
