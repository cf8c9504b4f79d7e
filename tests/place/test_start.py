"""Processes that start on a site whose pointer is not what it should be."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from migrations_ops.place.secrets import password_seal
from tests.sites import Site, free_port

DEAD = "postgresql://kb@127.0.0.1:1/kb"


def site_at(folder: Path, pointer: str) -> Site:
    (folder / "database.json").write_text(pointer)
    return site_alone(folder)


def site_alone(folder: Path) -> Site:
    """With a port that no site of this machine has, as the ports are looked at first."""
    return Site("sqlite", folder, "", {"KB_BIND": f"127.0.0.1:{free_port()}"})


def place(url: str, secret: str = "") -> str:
    return json.dumps({"epoch": 1, "url": url, "secret": secret, "site": "0" * 32})


@pytest.mark.parametrize(
    ("pointer", "says"),
    [
        ("{", "database.json says where the site's database is and cannot be used"),
        (place(DEAD, password_seal("pass", secret_key="another")), "sealed with another secret key"),
        (place(DEAD, "env:KB_TARGET_DATABASE_URL"), "KB_TARGET_DATABASE_URL is not set"),
        (place("sqlite:kb.sqlite3"), "bears no sign of move 1; perhaps an older copy was restored."),
    ],
)
def test_a_site_that_cannot_know_its_database_does_not_start_and_says_why(
    tmp_path: Path, pointer: str, says: str
) -> None:
    done = site_at(tmp_path, pointer).python("-m", "kbsite.serve", check=False)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_the_site_has_left_is_not_started_without_the_pointer(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "kb.sqlite3", isolation_level=None)) as file:
        file.execute("CREATE TABLE ops_move_place (id integer, site text, epoch integer, live integer)")
        file.execute("INSERT INTO ops_move_place VALUES (1, 'f', 1, 0)")
    done = site_alone(tmp_path).python("-m", "kbsite.serve", check=False)
    assert done.returncode == 1
    assert "the site left it in move 1, and" in done.stderr
    assert "database.json, which says where it went, is missing" in done.stderr


def test_a_command_goes_where_the_pointer_says(tmp_path: Path) -> None:
    site = site_at(tmp_path, place("sqlite:elsewhere.sqlite3"))
    site = Site("sqlite", tmp_path, "postgresql://kb@127.0.0.1:1/never", site.extra)
    code = "import django; django.setup(); from django.db import connection; print(connection.settings_dict['NAME'])"
    assert site.python("-c", code).stdout.strip() == str(tmp_path / "elsewhere.sqlite3")


def test_a_damaged_pointer_is_told_by_every_command(tmp_path: Path) -> None:
    done = site_at(tmp_path, "{").manage("mvp", "status", check=False)
    assert done.returncode != 0
    assert "cannot be used" in done.stderr
