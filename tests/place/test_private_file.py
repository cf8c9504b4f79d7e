"""The file of a SQLite database: for the site's own account only."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from migrations_ops.place.addresses import sqlite_settings

pytestmark = pytest.mark.django_db


def connection_to(path: Path) -> BaseDatabaseWrapper:
    settings = connections.configure_settings({"default": {}, "private": sqlite_settings(path)})["private"]
    return load_backend(settings["ENGINE"]).DatabaseWrapper(settings, "private")


def test_a_new_database_and_its_log_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    connection = connection_to(tmp_path / "new.sqlite3")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE secrets (one text)")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    connection.close()
    assert modes["new.sqlite3"] == 0o600 and set(modes.values()) == {0o600} and len(modes) > 1


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    path.touch()
    path.chmod(0o640)
    connection = connection_to(path)
    connection.ensure_connection()
    connection.close()
    assert path.stat().st_mode & 0o777 == 0o640
