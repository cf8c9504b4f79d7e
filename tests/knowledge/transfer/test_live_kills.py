"""Bulk work of a served site whose worker is killed on the way: a person goes on with it, and nothing is half."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_live import kill_workers
from tests.knowledge.transfer.files import csv_file, row
from tests.sites import Site

ROWS = 5_000
WAIT_SECONDS = 120
RUNNING = {"running", "rolling_back", "pausing"}

IMPORT = """
from pathlib import Path
from knowledge.transfer.jobs import import_create
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.tasks import import_enqueue
job = import_create(path=Path({path!r}), options=ImportOptions(), actor="ada", user=None)
print(import_enqueue(job=job, actor="ada").pk)
"""
CLEANUP = """
from datetime import timedelta
from django.utils import timezone
from knowledge.models import SearchQuery
from migrations_ops.cleanup_runs import cleanup_enqueue
from migrations_ops.integrity.cleaning import cleanup_confirmation, cleanup_named
old = timezone.now() - timedelta(days=4_000)
SearchQuery.objects.bulk_create(SearchQuery(query=f"s0c7 {n}", created_at=old) for n in range(20_000))
SearchQuery.objects.update(created_at=old)
typed = cleanup_confirmation(cleanup_named("trim_searches"))
print(cleanup_enqueue(name="trim_searches", options={}, confirmation=typed, actor="ada")[1].pk)
"""
COUNTS = """
import json
from knowledge.models import Entry, EntryTag, SearchQuery, Tag
from knowledge.search.index import index_check
check = index_check()
print(json.dumps([model.objects.count() for model in (Entry, Tag, EntryTag, SearchQuery)] + [str(check)]))
"""


def shell(site: Site, program: str) -> Any:
    printed = site.manage("shell", "--verbosity=0", "--command", program).stdout.strip().splitlines()[-1]
    return json.loads(printed) if printed[0] in "[{" else printed


def killed_and_gone_on(site: Site, run: str, *, begun: float = -1) -> str:
    """Kill the worker as soon as rows of the run are committed, go on if nobody did; the state at its end."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        report = site.manage_json("mvp", "show", run)
        if report["state"] != "queued" and (report["state"] not in RUNNING or report["progress"] > begun):
            break
    assert report["state"] in RUNNING, "it was over before its worker could be killed"
    kill_workers(site)
    if site.manage_json("mvp", "show", run)["state"] in RUNNING:
        site.manage("mvp", "force-stop", run, "--reason", "its worker is dead")
        site.manage("mvp", "resume", run)
    ended: str = site.manage_json("mvp", "show", run, "--wait")["state"]
    return ended


@pytest.mark.skipif(os.environ.get("KB_TEST_KILL_ALL") != "1", reason="a served site takes its time")
def test_an_import_its_undo_and_a_cleanup_outlive_a_worker_that_is_killed(site: Site, tmp_path: Path) -> None:
    path = csv_file(tmp_path, *(row(number, tags=f"abend, run-{number}") for number in range(ROWS)))
    with site.served():
        before = shell(site, COUNTS)
        run = str(shell(site, IMPORT.format(path=str(path))))
        assert killed_and_gone_on(site, run, begun=0.5) == "succeeded"
        after = shell(site, COUNTS)
        assert after[0] == before[0] + ROWS and after[2] == before[2] + 2 * ROWS
        assert f"entries={after[0]}, missing=0, orphaned=0, outdated=0" in after[4]
        site.manage("mvp", "rollback", run, "--yes")
        assert killed_and_gone_on(site, run) == "rolled_back"
        assert shell(site, COUNTS) == before
        run = str(shell(site, CLEANUP))
        assert killed_and_gone_on(site, run) == "succeeded"
        assert shell(site, COUNTS) == before
        site.manage("mvp", "rollback", run, "--yes")
        assert killed_and_gone_on(site, run) == "rolled_back"
        assert shell(site, COUNTS) == [*before[:3], before[3] + 20_000, before[4]]
