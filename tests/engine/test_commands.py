"""The commands: the whole story by shell, exit codes, JSON, and what they say to wrong input."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.sites import Site, site_new


def refused(site: Site, *arguments: str, code: int = 1) -> dict[str, Any]:
    """The error object of a command that is refused with this exit code."""
    done = site.manage(*arguments, "--json", check=False)
    assert done.returncode == code, done.stderr
    error: dict[str, Any] = json.loads(done.stdout)["error"]
    return error


def test_the_whole_story_by_commands(site: Site) -> None:
    made = site.manage_json("checkpoint", "create", "--label", "before all")
    planned = site.manage("mvp", "plan", "2", "--json", check=False)
    plan = json.loads(planned.stdout)["plan"]
    assert planned.returncode == 3  # nobody works on the queue here
    assert site.manage_json("mvp", "rehearse", str(plan), "--inline")["state"] == "succeeded"

    run = site.manage_json("mvp", "run", str(plan), "--yes", "--inline", "--actor", "ada", "--reason", "we want it")

    assert run["state"] == "succeeded" and run["started_by"] == "ada" and run["progress"] == 1.0
    assert site.manage_json("mvp", "status")["level"] == 2
    number = str(run["run"])
    assert site.manage_json("mvp", "rollback", number, "--yes", "--inline")["state"] == "rolled_back"
    assert site.manage_json("mvp", "status")["level"] == 1
    assert [row["state"] for row in site.manage_json("mvp", "runs")["runs"]] == ["rolled_back", "succeeded"]

    short = made["checkpoint"][:8]
    assert site.manage_json("checkpoint", "verify", short)["verified_at"]
    assert site.manage_json("checkpoint", "restore", short, "--yes", "--inline")["state"] == "succeeded"
    assert site.manage_json("checkpoint", "delete", short, "--yes")["deleted"] == made["checkpoint"]
    assert made["checkpoint"] not in {
        row["checkpoint"] for row in site.manage_json("checkpoint", "list")["checkpoints"]
    }


def test_wrong_input_gets_a_code_and_a_sentence_and_changes_nothing(site: Site) -> None:
    assert refused(site, "mvp", "plan", "9")["code"] == "level_unknown"
    assert refused(site, "mvp", "plan", "1")["code"] == "already_at_level"
    assert refused(site, "mvp", "run", "7", "--yes")["code"] == "plan_not_found"
    assert refused(site, "mvp", "show", "x")["code"] == "run_not_found"
    assert refused(site, "checkpoint", "verify", "abc")["code"] == "checkpoint_not_found"
    plan = json.loads(site.manage("mvp", "plan", "2", "--json", check=False).stdout)["plan"]
    unconfirmed = refused(site, "mvp", "run", str(plan), "--inline")
    assert unconfirmed == {
        "code": "confirmation_mismatch",
        "message": "The confirmation does not match. Type exactly: MVP2",
    }
    assert refused(site, "mvp", "run", str(plan), "--yes", code=3)["code"] == "plan_blocked"
    assert site.manage("mvp", "plan", "two", check=False).returncode == 2

    status = site.manage_json("mvp", "status")
    assert status["level"] == 1 and status["active_run"] is None
    assert site.manage_json("mvp", "runs")["runs"] == []


def test_a_database_that_is_gone_is_said_in_one_sentence(tmp_path: Path) -> None:
    nowhere = Site("postgresql", tmp_path, "postgresql://kb@127.0.0.1:1/kb")

    error = refused(nowhere, "mvp", "status")

    assert error["code"] == "database_gone" and "Nothing was changed" in error["message"]


def test_a_locked_database_blocks_a_plan_and_says_who(tmp_path: Path) -> None:
    site = site_new("sqlite", tmp_path / "site")
    site.manage("migrate", "--verbosity=0")
    plan = json.loads(site.manage("mvp", "plan", "2", "--json", check=False).stdout)["plan"]
    writer = sqlite3.connect(site.data_dir / "kb.sqlite3", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")

    # The checks give up after two seconds; storing their result would wait for the writer.
    process = site.spawn("manage.py", "mvp", "check", str(plan), "--json", stdout=-1)
    with pytest.raises(TimeoutError):
        wait(process, seconds=6)
    writer.execute("ROLLBACK")
    writer.close()
    answer = json.loads(process.communicate(timeout=60)[0])

    lock = next(found for found in answer["findings"] if found["code"] == "active_transactions")
    assert lock["status"] == "fail" and "No write lock in 2000 ms" in lock["evidence"]
    assert answer["ready"] is False


def wait(process: Any, seconds: float) -> None:
    import subprocess

    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


def test_migrate_stops_at_the_level_of_the_site(site: Site) -> None:
    opened = site.manage("migrate").stdout
    assert "MVP2 (Analytics and patterns) is closed: no tables made." in opened
    closed = site.manage("migrate", "analytics", check=False)
    assert closed.returncode == 1 and "belongs to MVP2, which is closed" in closed.stderr

    plan = json.loads(site.manage("mvp", "plan", "2", "--json", check=False).stdout)["plan"]
    site.manage("mvp", "run", str(plan), "--yes", "--inline")
    site.manage("migrate", "--verbosity=0")
    dropped = site.manage("migrate", "analytics", "zero", check=False)

    assert dropped.returncode == 1 and "`manage.py mvp rollback` closes it" in dropped.stderr
