"""What a database says of itself: whose it is, since which move, and whether the site lives there."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

STAMP = "ops_move_place"


@dataclass(frozen=True)
class DatabaseStamp:
    """The one row of ops_move_place."""

    site: str
    #: Number of the move that last came or went here.
    epoch: int
    live: bool


def stamp_make(connection: BaseDatabaseWrapper) -> None:
    """Make the table where it is missing."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {STAMP} (id INTEGER PRIMARY KEY CHECK (id = 1), "
            "site VARCHAR(32) NOT NULL, epoch INTEGER NOT NULL, live INTEGER NOT NULL)"
        )


def stamp_write(connection: BaseDatabaseWrapper, stamp: DatabaseStamp) -> None:
    """Stamp the database, in the caller's transaction; the table is there."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {STAMP} (id, site, epoch, live) VALUES (1, %s, %s, %s) ON CONFLICT (id) DO UPDATE "
            "SET site = EXCLUDED.site, epoch = EXCLUDED.epoch, live = EXCLUDED.live",
            [stamp.site, stamp.epoch, int(stamp.live)],
        )


def stamp_read(connection: BaseDatabaseWrapper) -> DatabaseStamp | None:
    """The stamp of a database, or None where no move ever came or went; outside a transaction."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT site, epoch, live FROM {STAMP}")
            row = cursor.fetchone()
    except DatabaseError:
        if STAMP in connection.introspection.table_names():
            raise
        return None
    return DatabaseStamp(site=row[0], epoch=row[1], live=bool(row[2])) if row else None
