"""A move of the database survives the death of its mover, wherever it strikes, there and back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import PostgresServer
from tests.sites import Site, site_copy, site_new

#: Points that are tried of each way beside those around the rename, unless all are asked for.
TRIED = 1
EVERY = os.environ.get("KB_TEST_KILL_ALL") == "1"


@pytest.fixture
def here(site_templates: dict[str, Site], tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Site:
    """A migrated site on SQLite whose address is not given: it lives where its data folder says."""
    if "sqlite" not in site_templates:
        site_templates["sqlite"] = site_new("sqlite", tmp_path_factory.mktemp("template-sqlite"))
        site_templates["sqlite"].manage("migrate", "--verbosity=0")
    return Site("sqlite", site_copy(site_templates["sqlite"], tmp_path / "site").data_dir, "")


@pytest.fixture
def target(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty PostgreSQL database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


def test_a_mover_killed_anywhere_leaves_one_truth_and_another_one_goes_on(here: Site, target: str) -> None:
    """There, there and rolled back, and back after the cut-over: at some points and around the rename of the pointer.

    KB_TEST_KILL_ALL=1: wherever something was committed.
    """
    some = [] if EVERY else ["--count", str(TRIED)]
    ways = "forward,withdraw,back"
    done = here.python("-m", "tests.engine.move_kill_driver", ways, target, *some, timeout_seconds=14_400)

    results = json.loads(done.stdout)
    assert sorted(results) == sorted(ways.split(","))
    assert [wrong for result in results.values() for wrong in result["differences"]] == []
    assert all(result["tried"] >= TRIED for result in results.values())


@pytest.mark.parametrize("kind", ["server", "cut", "slow", "freeze", "full-there", "full-here"] if EVERY else ["mixed"])
def test_a_move_goes_on_when_its_target_dies_the_network_goes_or_a_disk_is_full(
    here: Site, postgres_server: PostgresServer, kind: str
) -> None:
    """In each of its steps, there and back, by turns; KB_TEST_KILL_ALL=1: each trouble in every step."""
    done = here.python("-m", "tests.engine.move_trouble_driver", kind, timeout_seconds=600)

    result = json.loads(done.stdout)
    assert result["wrong"] == []
    assert result["there"] or kind == "slow"
