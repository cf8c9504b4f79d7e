"""The move of the database by commands: there, verified, back, and everything that refuses meanwhile."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.postgres import PostgresServer
from tests.sites import Site, site_copy, site_drop, site_new

ROWS = """
import json
from tests.engine.builders import entry_made, searches_made
entries = [entry_made(title=f"S0C7 in step {number}", usage_count=number) for number in range(30)]
searches_made(2000)
"""

#: Everything that a visitor of either database can tell apart, and where the site is.
FACTS = """
import json
from django.db import connection
from knowledge.models import Entry, SearchQuery
from migrations_ops.archive import tables_manifest
from migrations_ops.checkpoints import tables_open
from migrations_ops.gate import site_level
print(json.dumps({"vendor": connection.vendor, "entries": Entry.objects.count(), "searches": SearchQuery.objects.count(),
    "titles": sorted(Entry.objects.values_list("title", flat=True)), "tables": tables_manifest(tables_open(site_level()))}))
"""

HOUR = dt.timedelta(hours=1)
WRITE = "from tests.engine.builders import entry_made; entry_made(title={title!r})"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site on SQLite with some rows."""
    site = site_new("sqlite", tmp_path_factory.mktemp("template"))
    site.manage("migrate", "--verbosity=0")
    run(site, ROWS)
    yield site
    site_drop(site)


@pytest.fixture
def here(template: Site, tmp_path: Path) -> Iterator[Site]:
    """A copy of it whose address is not given: it lives where its data folder says."""
    copy = site_copy(template, tmp_path / "site")
    site = Site("sqlite", copy.data_dir, "")
    yield site
    site_drop(copy)


@pytest.fixture
def target(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty PostgreSQL database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def second_target(postgres_server: PostgresServer) -> Iterator[str]:
    """Another one."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


def run(site: Site, program: str) -> str:
    """What a program prints inside the site."""
    return site.manage("shell", "--verbosity=0", "--command", program).stdout.strip()


def facts(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(site, FACTS).splitlines()[-1])
    return found


def planned(site: Site, url: str, *options: str) -> str:
    # Without a worker the plan is blocked until a command does the work itself.
    return str(json.loads(site.manage("mvp", "move", "plan", url, *options, "--json", check=False).stdout)["plan"])


def moved(site: Site, url: str) -> str:
    """The number of a finished run that has moved the site."""
    report = site.manage_json("mvp", "run", planned(site, url, "--cut-over", "auto"), "--yes", "--inline")
    assert report["state"] == "succeeded", report["error"]
    return str(report["run"])


def moved_in_its_hours(site: Site, here: str, url: str) -> dict[str, Any]:
    """The report of a move that waited for its hours, was let go on, and cut over at the time that was set."""
    now = dt.datetime.now(dt.UTC)
    at, hours = now + dt.timedelta(seconds=6), f"{now + HOUR:%H:%M}-{now + 2 * HOUR:%H:%M}"
    plan = planned(site, url, "--cut-over", "at", "--at", at.isoformat(), "--quiet-hours", hours)
    process = site.spawn("manage.py", "mvp", "run", plan, "--yes", "--inline", "--json", stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    with psycopg.connect(here, autocommit=True) as database:
        while not (
            held := database.execute("SELECT run_id FROM ops_moves WHERE held_back LIKE 'it works from%'").fetchone()
        ):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    site.manage("mvp", "move", "hours", str(held[0]), "always")

    report: dict[str, Any] = json.loads(process.communicate(timeout=120)[0])

    assert report["state"] == "succeeded", report["error"]
    assert dt.datetime.fromisoformat(report["move"]["since"]) >= at.replace(microsecond=0)
    return report


def schema(site: Site) -> list[str]:
    """Everything that the SQLite file of a site holds beside rows."""
    with closing(sqlite3.connect(site.data_dir / "kb.sqlite3")) as file:
        return sorted(name for (name,) in file.execute("SELECT type || ' ' || name FROM sqlite_master"))


def test_the_site_moves_to_postgresql_to_another_one_and_on_to_a_new_file_and_tables_stay_meanwhile(
    here: Site, target: str, second_target: str
) -> None:
    before = facts(here)

    number = moved(here, target)

    shown = here.manage_json("mvp", "move", "show", number)
    assert facts(here) == {**before, "vendor": "postgresql"}
    assert shown["state"] == "moved" and shown["ledger"]["sound"] and shown["writers_held_ms"] < 500
    assert json.loads((here.data_dir / "moves" / f"ledger-{number}.json").read_text())["sound"]
    assert "No open database move" in here.manage("mvp", "plan", "2", check=False).stdout
    assert here.manage("mvp", "run", "2", "--yes", "--inline", check=False).returncode == 3
    assert "way back is open" in here.manage("migrate", "knowledge", "0001", check=False).stderr

    here.manage("mvp", "move", "close-return", number, "--yes")

    assert here.manage("mvp", "rollback", number, "--yes", check=False).returncode == 1
    run(here, WRITE.format(title="Written on PostgreSQL"))
    second = moved_in_its_hours(here, target, second_target)
    assert second["move"]["ledger"]["sound"] and second["move"]["source"].startswith("postgresql:")
    here.manage("mvp", "move", "close-return", str(second["run"]), "--yes")
    moved(here, f"sqlite://{here.data_dir / 'second.sqlite3'}")
    after = facts(here)
    assert after["vendor"] == "sqlite"
    assert after["titles"] == sorted([*before["titles"], "Written on PostgreSQL"])


def test_a_wrong_answer_takes_the_site_back_at_once_and_a_rollback_leaves_no_trace(here: Site, target: str) -> None:
    before, tables = facts(here), schema(here)
    wrong = Site("sqlite", here.data_dir, "", {"DJANGO_SETTINGS_MODULE": "tests.engine.move_settings"})
    plan = planned(here, target, "--cut-over", "auto")

    failed = json.loads(wrong.manage("mvp", "run", plan, "--yes", "--inline", "--json", check=False).stdout)

    assert failed["state"] == "failed" and "kb_entries does not answer" in failed["error"]
    assert failed["move"]["state"] == "returned"
    assert facts(here) == before
    run(here, WRITE.format(title="After the return"))

    back = here.manage_json("mvp", "rollback", str(failed["run"]), "--yes", "--inline")

    assert back["state"] == "rolled_back", back["error"]
    assert set(schema(here)) - set(tables) == {"table ops_move_place"}  # which database is the site's
    with psycopg.connect(target) as there:
        assert there.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchone() == (0,)
    assert "After the return" in facts(here)["titles"]


def test_a_value_that_the_target_refuses_stops_the_run_before_anything_and_is_mended_by_command(
    here: Site, target: str
) -> None:
    with closing(sqlite3.connect(here.data_dir / "kb.sqlite3", isolation_level=None)) as file:
        file.execute("UPDATE search_history SET searcher = 'ab' || CAST(x'0063' AS TEXT) WHERE id = 7")
    before = schema(here)

    failed = here.manage("mvp", "run", planned(here, target), "--yes", "--inline", "--json", check=False)
    report = json.loads(failed.stdout)
    assert "search_history.searcher: A NUL character" in report["error"]
    assert schema(here) == before
    assert here.manage("mvp", "move", "repair", str(report["run"]), check=False).returncode == 1

    assert here.manage_json("mvp", "move", "repair", str(report["run"]), "--yes") == {"rows": 1}
    with closing(sqlite3.connect(here.data_dir / "kb.sqlite3")) as file:
        assert file.execute("SELECT searcher FROM search_history WHERE id = 7").fetchone() == ("abc",)


def test_a_rehearsal_copies_into_a_scratch_place_of_the_target_compares_and_leaves_nothing(
    here: Site, target: str
) -> None:
    before, plan = schema(here), planned(here, target)

    report = here.manage_json("mvp", "rehearse", plan, "--inline")

    assert report["state"] == "succeeded", report["error"]
    assert schema(here) == before
    with psycopg.connect(target) as there:
        left = "SELECT count(*) FROM pg_namespace WHERE starts_with(nspname, 'kb_rehearsal_')"
        assert there.execute(left).fetchone() == (0,)
    assert '"source": "rehearsal"' in here.manage("mvp", "check", plan, "--json", check=False).stdout
