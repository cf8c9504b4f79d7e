"""A site of this process that a test moves between two databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend
from pytest_django import DjangoDbBlocker

from migrations_ops.place.addresses import database_settings
from migrations_ops.place.pointer import Place, default_settings, place_of_settings, place_read, place_write, site_id
from migrations_ops.place.record import Record, record_table_create, record_write
from tests.postgres import PostgresServer, database_name
from tests.sites import Site

ALIAS = {"sqlite": "house-sqlite", "postgresql": "house-postgresql"}


@dataclass
class House:
    """A SQLite file and a PostgreSQL database with the site's tables; `default` lives in one of them."""

    data_dir: Path
    urls: dict[str, str]
    #: A connection of the test's own to each, outside of everything that follows.
    beside: dict[str, BaseDatabaseWrapper] = field(default_factory=dict)

    def other(self, vendor: str) -> str:
        """The other database."""
        return "postgresql" if vendor == "sqlite" else "sqlite"

    def place(self, vendor: str, epoch: int) -> Place:
        """A database as a place."""
        settings = database_settings(self.urls[vendor], self.data_dir)
        return place_of_settings(settings, self.data_dir, epoch=epoch, site=site_id(self.data_dir))

    def move(self, vendor: str) -> None:
        """What the end of a cut-over does."""
        known = place_read(self.data_dir)
        epoch = known.epoch + 1 if known else 1
        connection = self.beside[vendor]
        record_table_create(connection)
        record_write(connection, Record(site=site_id(self.data_dir), epoch=epoch, live=True))
        place_write(self.data_dir, self.place(vendor, epoch))

    def names(self, vendor: str) -> list[str]:
        """The tags in a database, as somebody else sees them."""
        return [name for (name,) in self.rows(vendor, "SELECT name FROM kb_tags ORDER BY name")]

    def rows(self, vendor: str, sql: str) -> list[tuple[Any, ...]]:
        """What a query gives there."""
        with self.beside[vendor].cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())


#: What a test may leave in a database that the next one uses.
LEFT = (
    "DROP TABLE IF EXISTS ops_move_place",
    "DROP TRIGGER IF EXISTS fence ON kb_tags",
    "DROP FUNCTION IF EXISTS fence",
    "TRUNCATE kb_tags CASCADE",
)


@pytest.fixture(scope="session")
def rooms(postgres_server: PostgresServer, site_templates: dict[str, Site]) -> Iterator[tuple[Path, str]]:
    """A SQLite file to copy, and the address of a PostgreSQL database, with the site's tables."""
    url = postgres_server.create_database(template=database_name(site_templates["postgresql"].url))
    yield site_templates["sqlite"].data_dir / "kb.sqlite3", url
    postgres_server.drop_database(url)


@pytest.fixture
def house(
    rooms: tuple[Path, str],
    tmp_path: Path,
    vendor: str,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[House]:
    """The connection `default` of this process, for one test, to a site of its own on each database."""
    shutil.copy(rooms[0], tmp_path / "kb.sqlite3")
    house = House(tmp_path, {"sqlite": "sqlite:kb.sqlite3", "postgresql": rooms[1]})
    with django_db_blocker.unblock():
        for each, alias in ALIAS.items():
            settings = database_settings(house.urls[each], tmp_path)
            settings = connections.configure_settings({"default": settings})["default"]
            house.beside[each] = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, alias)
        with default_at(house, vendor):
            yield house
        with house.beside["postgresql"].cursor() as cursor:
            for statement in LEFT:
                cursor.execute(statement)
        for connection in house.beside.values():
            connection.close()


class default_at:  # noqa: N801 - used as a function
    """`default` of this process in a database of the house."""

    def __init__(self, house: House, vendor: str) -> None:
        settings = default_settings(house.urls[vendor], house.data_dir, secret_key="unused", passwords={})
        settings["CONN_MAX_AGE"] = 0
        self.settings = connections.configure_settings({"default": settings})["default"]

    def __enter__(self) -> None:
        self.before = connections.settings["default"], connections["default"]
        connections.settings["default"] = self.settings
        del connections["default"]

    def __exit__(self, *error: object) -> None:
        connections["default"].close()
        connections.settings["default"], connections["default"] = self.before
