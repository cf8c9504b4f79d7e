"""The real server, with people on it, while its database moves to PostgreSQL and comes back."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.live import Crowd
from tests.engine.test_live import COUNT, SETUP, shell
from tests.postgres import PostgresServer
from tests.sites import ServedSite, Site, site_new

PAGES = ("/", "/search/?q=s0c7", "/browse/", "/healthz")
PATIENCE_SECONDS = 120


@pytest.fixture
def target(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty PostgreSQL database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


def ready(served: ServedSite) -> dict[str, Any]:
    """What /readyz says."""
    with urllib.request.urlopen(f"{served.address}/readyz", timeout=10) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def waits_for_go(site: Site, number: str) -> None:
    """Return when the move is copied and verified."""
    comes_to(site, number, "ready")


def comes_to(site: Site, number: str, state: str) -> None:
    """Return when the move is in this state."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while site.manage_json("mvp", "move", "show", number)["state"] != state:
        assert time.monotonic() < deadline, site.manage("mvp", "show", number).stdout
        time.sleep(1)


def test_nobody_sees_an_error_and_no_vote_is_lost_while_the_database_moves_there_and_back(
    target: str, tmp_path: Path
) -> None:
    site = Site("sqlite", site_new("sqlite", tmp_path / "site").data_dir, "")
    site.manage("migrate", "--verbosity=0")
    entry = shell(site, SETUP)
    with site.served() as served:
        crowd = Crowd(served.address, f"/entries/{entry}/", PAGES)
        crowd.start()
        plan = site.manage_json("mvp", "move", "plan", target)["plan"]
        number = str(site.manage_json("mvp", "run", str(plan), "--yes")["run"])
        waits_for_go(site, number)
        site.manage("mvp", "move", "speed", number, "0")
        votes = crowd.votes

        over = site.manage_json("mvp", "move", "go", number, "--yes", "--wait")

        assert over["state"] == "succeeded", over["error"]
        assert ready(served)["database"]["vendor"] == "postgresql"
        while crowd.votes < votes + 5:
            time.sleep(0.05)
        back = site.manage_json("mvp", "rollback", number, "--yes", "--wait")
        assert back["state"] == "rolled_back", back["error"]
        assert ready(served)["database"]["vendor"] == "sqlite"
        crowd.stop()

        counted = json.loads(shell(site, COUNT))
        assert crowd.errors == []
        assert crowd.votes == counted["votes"] == counted["success"]
        assert crowd.votes > votes + 5


@pytest.mark.skipif(os.environ.get("KB_TEST_KILL_ALL") != "1", reason="takes long; KB_TEST_KILL_ALL=1")
def test_a_deploy_while_rows_are_copied_and_one_before_the_go_lose_no_vote(target: str, tmp_path: Path) -> None:
    site = Site("sqlite", site_new("sqlite", tmp_path / "site").data_dir, "", {"KB_STOP_SECONDS": "3"})
    site.manage("migrate", "--verbosity=0")
    entry = shell(site, SETUP)
    with site.served() as served:
        crowd = Crowd(served.address, f"/entries/{entry}/", PAGES)
        crowd.start()
        plan = site.manage_json("mvp", "move", "plan", target, "--speed", "300")["plan"]
        number = str(site.manage_json("mvp", "run", str(plan), "--yes")["run"])
        while not site.manage_json("mvp", "move", "show", number)["rows_done"]:
            time.sleep(0.2)
        crowd.closed = True
    with site.served(served.port) as served:
        crowd.closed = False
        # Sooner than the lease of the worker that was stopped runs out.
        if site.manage_json("mvp", "show", number)["state"] == "running":
            site.manage("mvp", "force-stop", number)
            site.manage("mvp", "resume", number)
        site.manage("mvp", "move", "speed", number, "0")
        waits_for_go(site, number)
        crowd.closed = True
    with site.served(served.port) as served:
        crowd.closed = False
        votes = crowd.votes
        over = site.manage_json("mvp", "move", "go", number, "--yes", "--wait")
        assert over["state"] == "succeeded", over["error"]
        assert ready(served)["database"]["vendor"] == "postgresql"
        while crowd.votes < votes + 5:
            time.sleep(0.05)
        crowd.stop()

    counted = json.loads(shell(site, COUNT))
    assert crowd.errors == []
    assert counted["votes"] == counted["success"]
    # Who was cut off at a stop does not know.
    assert crowd.votes <= counted["votes"] <= crowd.votes + crowd.unsure
