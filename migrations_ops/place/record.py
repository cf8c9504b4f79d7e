"""The row of a database that says which site it belongs to, and whether it is the site's at present.

A table of its own and no model: it must not travel with the rows of a move. Each database of a move has
one; a database that was never part of a move has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import PlaceDamagedError, PlaceMismatchError
from migrations_ops.place.addresses import database_url
from migrations_ops.place.pointer import Known, place_read

_EXISTS = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'ops_move_place'",
    "postgresql": "SELECT count(*) FROM pg_class WHERE oid = to_regclass('ops_move_place')",
}


@dataclass(frozen=True)
class Record:
    """What a database says about itself."""

    site: str
    #: The move that it took part in last.
    epoch: int
    #: Whether the site went to it in that move, and did not leave it.
    live: bool


def record_table_create(connection: BaseDatabaseWrapper) -> None:
    """Make the table; nothing happens where it is there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS ops_move_place "
            "(id integer PRIMARY KEY CHECK (id = 1), site varchar(32) NOT NULL, epoch integer NOT NULL, "
            "live integer NOT NULL)"
        )


def record_write(connection: BaseDatabaseWrapper, record: Record) -> None:
    """Say so in the caller's transaction; the table must be there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ops_move_place (id, site, epoch, live) VALUES (1, %s, %s, %s) ON CONFLICT (id) "
            "DO UPDATE SET site = excluded.site, epoch = excluded.epoch, live = excluded.live",
            [record.site, record.epoch, int(record.live)],
        )


def record_read(connection: BaseDatabaseWrapper) -> Record | None:
    """What the database says, or None where it was never part of a move."""
    with connection.cursor() as cursor:
        return _read(cursor, connection.vendor)


def record_check(connection: BaseDatabaseWrapper, known: Known) -> None:
    """Raise PlaceMismatchError unless this is the database that the pointer means.

    Works on the driver's own cursor, so that it can be called while Django's connection is being made.
    """
    cursor = connection.create_cursor()
    try:
        record = _read(cursor, connection.vendor)
    finally:
        cursor.close()
    if reason := _mismatch(record, known):
        raise PlaceMismatchError(url=database_url(connection.settings_dict, known.folder)[0], reason=reason)


def record_left(connection: BaseDatabaseWrapper, known: Known) -> bool:
    """Whether the site was in this database by the pointer that is known, and left it by the one of now."""
    try:
        place = place_read(known.folder)
    except PlaceDamagedError:
        return False
    cursor = connection.create_cursor()
    try:
        record = _read(cursor, connection.vendor)
    finally:
        cursor.close()
    if place is None or record is None:
        return False
    return record.site == place.site and known.epoch < record.epoch <= place.epoch


def _mismatch(record: Record | None, known: Known) -> str:
    if known.epoch == 0:
        if record and not record.live:
            return f"the site left it in move {record.epoch}, and {known.path}, which says where it went, is missing."
        return ""
    if record is None:
        return f"it bears no sign of move {known.epoch}; perhaps an older copy was restored."
    if record.site != known.site:
        return "it belongs to another site."
    if record.epoch != known.epoch or not record.live:
        return f"it says that move {record.epoch} was its last, and {known.path} means move {known.epoch}."
    return ""


def _read(cursor: Any, vendor: str) -> Record | None:
    cursor.execute(_EXISTS[vendor])
    if not cursor.fetchone()[0]:
        return None
    cursor.execute("SELECT site, epoch, live FROM ops_move_place")
    row = cursor.fetchone()
    return Record(site=row[0], epoch=row[1], live=bool(row[2])) if row else None
