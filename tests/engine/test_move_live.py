"""The real server, with people on it, while its database moves to PostgreSQL and comes back."""

from __future__ import annotations

import json
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
    deadline = time.monotonic() + PATIENCE_SECONDS
    while site.manage_json("mvp", "move", "show", number)["state"] != "ready":
        assert time.monotonic() < deadline, site.manage("mvp", "show", number).stdout
        time.sleep(0.2)


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
