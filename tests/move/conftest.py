"""Pairs of databases for tests of the move."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django import DjangoDbBlocker

from migrations_ops.place.addresses import database_settings
from tests.postgres import PostgresServer, database_name
from tests.sites import Site, site_copy, site_drop

#: Makes the tables of every level and says so in the level; run inside a migrated site.
EVERY_LEVEL = """
import django
django.setup()
from migrations_ops.gate import site_level_set
from migrations_ops.phase import phases, highest_level
from migrations_ops.schema import app_open, ddl_transaction
for phase in phases():
    with ddl_transaction():
        app_open(phase.app_label)
site_level_set(highest_level())
"""


@dataclass(frozen=True)
class Pair:
    """A SQLite file and a PostgreSQL database, both with the site's tables of every level."""

    sqlite: BaseDatabaseWrapper
    postgresql: BaseDatabaseWrapper
    sqlite_path: Path
    postgresql_url: str

    def of(self, vendor: str) -> BaseDatabaseWrapper:
        """The connection of one of them."""
        return self.sqlite if vendor == "sqlite" else self.postgresql

    def other(self, vendor: str) -> BaseDatabaseWrapper:
        """The connection of the other one."""
        return self.postgresql if vendor == "sqlite" else self.sqlite


@pytest.fixture(scope="session")
def pair_templates(
    postgres_server: PostgresServer,
    site_templates: dict[str, Site],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[Site]]:
    """A migrated site on each database, at the highest level."""
    made = []
    for vendor in ("sqlite", "postgresql"):
        site = site_copy(site_templates[vendor], tmp_path_factory.mktemp(f"pair-{vendor}"))
        site.python("-c", EVERY_LEVEL)
        made.append(site)
    yield made
    for site in made:
        site_drop(site)


@pytest.fixture
def unblocked(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Databases may be used, outside the transaction that other tests are wrapped in."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def pair(
    pair_templates: list[Site], postgres_server: PostgresServer, tmp_path: Path, unblocked: None
) -> Iterator[Pair]:
    """Two databases with the site's tables, opened as Django connections with names of their own."""
    path = tmp_path / "pair.sqlite3"
    shutil.copy(pair_templates[0].data_dir / "kb.sqlite3", path)
    url = postgres_server.create_database(template=database_name(pair_templates[1].url))
    opened = [alias_open("pair-sqlite", f"sqlite://{path}"), alias_open("pair-postgresql", url)]
    yield Pair(sqlite=opened[0], postgresql=opened[1], sqlite_path=path, postgresql_url=url)
    for connection in opened:
        alias_close(connection.alias)
    postgres_server.drop_database(url)


def alias_open(alias: str, url: str) -> BaseDatabaseWrapper:
    """Django's connection to a database, under this name for all threads, with Django's own engines."""
    settings: dict[str, Any] = database_settings(url, Path("/nonexistent"))
    settings["ENGINE"] = f"django.db.backends.{'sqlite3' if url.startswith('sqlite') else 'postgresql'}"
    settings["CONN_MAX_AGE"] = 0
    connections.settings[alias] = connections.configure_settings({"default": {}, alias: settings})[alias]
    return connections[alias]


def alias_close(alias: str) -> None:
    """Close this thread's connection of that name and forget the name."""
    connections[alias].close()
    del connections[alias]
    del connections.settings[alias]
