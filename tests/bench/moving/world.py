"""A site on SQLite with many rows, and databases on PostgreSQL that can take them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.tables import Column, ColumnKind, Table, tables_moved
from migrations_ops.move.target_schema import target_prepare
from tests.bench.moving.data import PRICES, ROWS, data_write
from tests.move.conftest import EVERY_LEVEL, alias_close, alias_open
from tests.postgres import PostgresServer, database_name, postgres_server
from tests.sites import site_new

SITE = "b" * 32
_KEY = Column("id", ColumnKind.INTEGER, null=False, unique=True)
PRICES_TABLE = Table(
    name="bench_prices",
    key=_KEY,
    columns=(
        _KEY,
        Column("price", ColumnKind.DECIMAL, null=False, digits=12, places=2),
        Column("share", ColumnKind.DECIMAL, null=True, digits=12, places=6),
        Column("note", ColumnKind.TEXT, null=False, max_length=80),
        Column("at", ColumnKind.TIMESTAMP, null=False),
    ),
)
PRICES_POSTGRESQL = (
    "CREATE TABLE bench_prices (id bigint NOT NULL, price numeric(12, 2) NOT NULL, share numeric(12, 6), "
    "note varchar(80) NOT NULL, at timestamptz NOT NULL)"
)


@dataclass(frozen=True)
class World:
    """What the sections measure on."""

    folder: Path
    #: How many times as many rows as the small benchmark.
    times: int
    rows: int
    sqlite_path: Path
    #: An open connection to that file.
    source: BaseDatabaseWrapper
    #: Name of a database with the bare tables of the site (target_prepare), which `target` copies.
    prepared: str
    server: PostgresServer
    tables: tuple[Table, ...]

    def rows_of(self, table: str) -> int:
        """How many rows a table of the source has."""
        with self.source.cursor() as cursor:
            cursor.execute(f'SELECT count(*) FROM "{table}"')
            return int(cursor.fetchone()[0])

    @contextmanager
    def target(self, template: str = "") -> Iterator[BaseDatabaseWrapper]:
        """A new database, prepared and without rows (or like `template`), opened; dropped at the end."""
        url = self.server.create_database(template=template or self.prepared)
        try:
            yield alias_open("bench-target", url)
        finally:
            alias_close("bench-target")
            self.server.drop_database(url)


def url_of(connection: BaseDatabaseWrapper) -> str:
    """The address of a database on the test server, with its password."""
    return postgres_server().url(str(connection.settings_dict["NAME"]))


def load() -> str:
    """The load of the machine."""
    return ", ".join(f"{value:.1f}" for value in os.getloadavg())


@contextmanager
def world_made(folder: Path, times: int) -> Iterator[World]:
    """Make the site, its rows and the prepared database."""
    server = postgres_server()
    site = site_new("sqlite", folder / "site")
    site.manage("migrate", "--verbosity=0")
    site.python("-c", EVERY_LEVEL)
    path = site.data_dir / "kb.sqlite3"
    source = alias_open("bench-source", f"sqlite://{path}")
    prepared = server.create_database()
    try:
        _prepare(source, prepared)
        rows = data_write(path, times)
        tables = tuple(table for table in tables_moved(source) if table.name in ROWS)
        print(f"\nMove of {rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB in SQLite (load of the machine {load()})")
        yield World(
            folder=folder,
            times=times,
            rows=rows,
            sqlite_path=path,
            source=source,
            prepared=database_name(prepared),
            server=server,
            tables=(*tables, PRICES_TABLE),
        )
    finally:
        alias_close("bench-source")
        server.drop_database(prepared)


def _prepare(source: BaseDatabaseWrapper, url: str) -> None:
    target = alias_open("bench-prepared", url)
    target_prepare(source, target, site=SITE)
    with target.cursor() as cursor:
        cursor.execute(PRICES_POSTGRESQL)
    with source.cursor() as cursor:
        cursor.execute(PRICES)
    alias_close("bench-prepared")
    assert "bench-prepared" not in connections.settings
