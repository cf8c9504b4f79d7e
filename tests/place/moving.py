"""A move of a small site by the plainest means: with all writers held, every row is copied."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from migrations_ops.move.tables import Table, tables_moved
from migrations_ops.move.values import rows_fetch, rows_write
from migrations_ops.place.addresses import database_settings
from migrations_ops.place.pointer import place_of_settings, place_read, place_write, site_id
from migrations_ops.place.record import Record, record_table_create, record_write
from migrations_ops.place.turnstile import writers_held

PATIENCE = timedelta(seconds=20)


@dataclass
class Mover:
    """Moves the site of a data folder between two databases, from outside of its processes."""

    data_dir: Path
    #: The addresses by vendor.
    urls: dict[str, str]
    #: For how long each move held the writers, in seconds.
    held: list[float] = field(default_factory=list)

    def move(self, vendor: str) -> None:
        """Take every row of the other database to this one and make it the site's."""
        other = next(each for each in self.urls if each != vendor)
        with self.connection(other) as source, self.connection(vendor) as target:
            tables = tables_moved(source)
            record_table_create(target)
            record_table_create(source)
            with writers_held(self.data_dir, PATIENCE):
                began = time.monotonic()
                self._switch(source, target, tables)
                self.held.append(time.monotonic() - began)

    def _switch(self, source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: tuple[Table, ...]) -> None:
        known = place_read(self.data_dir)
        epoch = known.epoch + 1 if known else 1
        site = site_id(self.data_dir)
        with transaction.atomic(using=target.alias):
            rows_copy(source, target, tables)
            record_write(target, Record(site=site, epoch=epoch, live=True))
        settings = database_settings(self.urls[target.vendor], self.data_dir)
        place_write(self.data_dir, place_of_settings(settings, self.data_dir, epoch=epoch, site=site))
        record_write(source, Record(site=site, epoch=epoch, live=False))

    @contextmanager
    def connection(self, vendor: str) -> Iterator[BaseDatabaseWrapper]:
        """A connection of the mover's own."""
        alias = f"moving-{vendor}"
        settings = database_settings(self.urls[vendor], self.data_dir)
        settings = connections.configure_settings({"default": settings})["default"]
        connections[alias] = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, alias)
        try:
            yield connections[alias]
        finally:
            connections[alias].close()
            del connections[alias]

    def one(self, vendor: str, sql: str) -> int:
        """The number that a query gives."""
        with self.connection(vendor) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return int(cursor.fetchone()[0])


def rows_copy(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: tuple[Table, ...]) -> None:
    """Make the target's tables those of the source; in the caller's transaction."""
    with target.cursor() as cursor, source.cursor() as reader:
        cursor.execute(
            "PRAGMA defer_foreign_keys = on" if target.vendor == "sqlite" else "SET CONSTRAINTS ALL DEFERRED"
        )
        for table in reversed(tables):
            cursor.execute(f'DELETE FROM "{table.name}"')
        for table in tables:
            reader.execute(f'SELECT "{table.key.name}" FROM "{table.name}"')
            rows_write(target, table, rows_fetch(source, table, [key for (key,) in reader.fetchall()]))
            if target.vendor == "postgresql":
                sequence_set(target, table)


def sequence_set(target: BaseDatabaseWrapper, table: Table) -> None:
    """Let the next automatic key follow the highest one."""
    with target.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [f'"{table.name}"', table.key.name])
        (sequence,) = cursor.fetchone()
        if sequence:
            cursor.execute(
                f'SELECT setval(%s, coalesce(max("{table.key.name}"), 0) + 1, false) FROM "{table.name}"', [sequence]
            )
