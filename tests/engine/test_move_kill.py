"""A move of the database survives the death of its mover, wherever it strikes, there and back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import PostgresServer
from tests.sites import Site, site_copy, site_drop, site_new

#: Points that are tried of each way beside those around the rename, unless all are asked for.
TRIED = 1
EVERY = os.environ.get("KB_TEST_KILL_ALL") == "1"


@pytest.fixture
def here(request: pytest.FixtureRequest, site_templates: dict[str, Site], tmp_path: Path) -> Iterator[Site]:
    """A migrated site on SQLite, or on the database of the parameter.

    The address of a file is not given: the site lives where its data folder says.
    """
    vendor = getattr(request, "param", "sqlite")
    if vendor not in site_templates:
        folder: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        site_templates[vendor] = site_new(vendor, folder.mktemp(f"template-{vendor}"))
        site_templates[vendor].manage("migrate", "--verbosity=0")
    site = site_copy(site_templates[vendor], tmp_path / "site")
    yield Site(vendor, site.data_dir, "" if vendor == "sqlite" else site.url)
    site_drop(site)


@pytest.fixture
def target(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty PostgreSQL database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


WAYS = "forward,withdraw,back"


def killed(here: Site, target: str, *some: str) -> None:
    """Expect that every death on every way leaves one truth and lets another mover go on."""
    done = here.python("-m", "tests.engine.move_kill_driver", WAYS, target, *some, timeout_seconds=14_400)
    results = json.loads(done.stdout)
    assert sorted(results) == sorted(WAYS.split(","))
    assert [wrong for result in results.values() for wrong in result["differences"]] == []
    assert all(result["tried"] >= TRIED for result in results.values())


def test_a_mover_killed_anywhere_leaves_one_truth_and_another_one_goes_on(here: Site, target: str) -> None:
    """There, there and rolled back, and back after the cut-over: at some points and around the rename of the pointer.

    KB_TEST_KILL_ALL=1: wherever something was committed.
    """
    killed(here, target, *([] if EVERY else ["--count", str(TRIED)]))


@pytest.mark.skipif(not EVERY, reason="some minutes: KB_TEST_KILL_ALL=1")
@pytest.mark.parametrize("here", ["postgresql"], indirect=True)
@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_a_mover_that_begins_on_postgresql_is_killed_as_well(here: Site, target: str, to: str) -> None:
    killed(here, f"sqlite://{here.data_dir}/second.sqlite3" if to == "sqlite" else target)


@pytest.mark.parametrize("kind", ["server", "cut", "slow", "freeze", "full-there", "full-here"] if EVERY else ["mixed"])
def test_a_move_goes_on_when_its_target_dies_the_network_goes_or_a_disk_is_full(
    here: Site, postgres_server: PostgresServer, kind: str
) -> None:
    """In each of its steps, there and back, by turns; KB_TEST_KILL_ALL=1: each trouble in every step."""
    result = troubled(here, kind)
    assert result["there"] or kind in {"slow", "freeze"}  # which are sat out when they are short


@pytest.mark.skipif(not EVERY, reason="some minutes: KB_TEST_KILL_ALL=1")
@pytest.mark.parametrize("kind", ["mixed", "server", "cut", "slow", "freeze", "full-here"])
@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_a_move_goes_on_when_the_server_that_the_site_lives_on_is_in_trouble(
    here: Site, postgres_server: PostgresServer, kind: str, to: str
) -> None:
    troubled(here, kind, "--source", "postgresql", "--target", to)


def troubled(here: Site, kind: str, *options: str) -> dict[str, Any]:
    """What a move waited for; nothing is wrong in the end."""
    done = here.python("-m", "tests.engine.move_trouble_driver", kind, *options, timeout_seconds=600)
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["wrong"] == []
    return result
