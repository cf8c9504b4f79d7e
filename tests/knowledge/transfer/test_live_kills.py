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
SEARCHES = """
from datetime import timedelta
from django.utils import timezone
from knowledge.models import SearchQuery
old = timezone.now() - timedelta(days=4_000)
SearchQuery.objects.bulk_create(SearchQuery(query=f"s0c7 {n}") for n in range(20_000))
print(SearchQuery.objects.update(created_at=old))
"""
CLEANUP = """
from migrations_ops.cleanup_runs import cleanup_enqueue
from migrations_ops.integrity.cleaning import cleanup_confirmation, cleanup_named
typed = cleanup_confirmation(cleanup_named("trim_searches"))
print(cleanup_enqueue(name="trim_searches", options={}, confirmation=typed, actor="ada")[1].pk)
"""
TABLES = """
import json
from knowledge.search.index import index_check
from migrations_ops.archive import tables_manifest
from migrations_ops.checkpoints import tables_open
print(json.dumps({**tables_manifest(tables_open(1)), "index": str(index_check())}))
"""
CAME = """
import json
from knowledge.models import Entry
came = Entry.objects.filter(origin="import").prefetch_related("tags")
print(json.dumps(sorted([each.title, each.problem, *sorted(tag.name for tag in each.tags.all())] for each in came)))
"""


def shell(site: Site, program: str) -> Any:
    printed = site.manage("shell", "--verbosity=0", "--command", program).stdout.strip().splitlines()[-1]
    return json.loads(printed) if printed[0] in "[{" else printed


def killed_and_gone_on(site: Site, run: str, *, begun: float = -1, alone: bool = False) -> str:
    """Kill the worker as soon as rows of the run are committed; the state at its end.

    A person goes on with it, or nobody does (`alone`) and another worker takes it when the lease is over.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        report = site.manage_json("mvp", "show", run)
        if report["state"] != "queued" and (report["state"] not in RUNNING or report["progress"] > begun):
            break
    assert report["state"] in RUNNING, "it was over before its worker could be killed"
    kill_workers(site)
    if not alone and site.manage_json("mvp", "show", run)["state"] in RUNNING:
        site.manage("mvp", "force-stop", run, "--reason", "its worker is dead")
        site.manage("mvp", "resume", run)
    ended: str = site.manage_json("mvp", "show", run, "--wait")["state"]
    return ended


@pytest.mark.skipif(os.environ.get("KB_TEST_KILL_ALL") != "1", reason="a served site takes its time")
def test_an_import_its_undo_and_a_cleanup_outlive_a_worker_that_is_killed(site: Site, tmp_path: Path) -> None:
    rows = [row(number, tags=f"abend, run-{number}") for number in range(ROWS)]
    path = csv_file(tmp_path, *rows)
    with site.served():
        before = shell(site, TABLES)
        run = str(shell(site, IMPORT.format(path=str(path))))
        assert killed_and_gone_on(site, run, begun=0.5, alone=True) == "succeeded"
        assert shell(site, CAME) == sorted([each["title"], each["problem"], *each["tags"].split(", ")] for each in rows)
        assert "missing=0, orphaned=0, outdated=0" in shell(site, TABLES)["index"]
        site.manage("mvp", "rollback", run, "--yes")
        assert killed_and_gone_on(site, run) == "rolled_back"
        assert shell(site, TABLES) == before
        shell(site, SEARCHES)
        searched = shell(site, TABLES)
        run = str(shell(site, CLEANUP))
        assert killed_and_gone_on(site, run) == "succeeded"
        assert shell(site, TABLES) == before
        site.manage("mvp", "rollback", run, "--yes")
        assert killed_and_gone_on(site, run, alone=True) == "rolled_back"
        assert shell(site, TABLES) == searched
