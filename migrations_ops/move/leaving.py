"""What a database does when the site leaves it: it takes no more writes, and follows the new one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import LogGapError, WritersBusyError
from migrations_ops.move.capture import capture_exists
from migrations_ops.move.drain import keys_changed, rows_of, rows_replace
from migrations_ops.move.fence import fence_raise, mover_transaction
from migrations_ops.move.log import capture_state, changes_visible, log_reset
from migrations_ops.move.position import position_begin, position_lock, position_make
from migrations_ops.move.tables import Table
from migrations_ops.move.triggers import CAPTURE, WRITERS_LOCK
from migrations_ops.move.values import Row
from migrations_ops.place.pointer import Place
from migrations_ops.place.record import Record, record_table_create, record_write
from migrations_ops.schema import lock_refused

logger = logging.getLogger(__name__)

#: How long the last writers of a database that was left without a fence may take.
FINISH_PATIENCE = timedelta(seconds=10)

#: Table and key of a row.
Stray = tuple[str, str]


def leaving_prepare(source: BaseDatabaseWrapper) -> None:
    """Make the tables that `source_leave` fills."""
    position_make(source)
    record_table_create(source)


@contextmanager
def short_waits(source: BaseDatabaseWrapper, patience: timedelta) -> Iterator[None]:
    """Wait no longer than this for the one lock of SQLite. Raises WritersBusyError when that is not enough."""
    if source.vendor == "postgresql":
        yield
        return
    with source.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        before = int(cursor.fetchone()[0])
        cursor.execute(f"PRAGMA busy_timeout = {_milliseconds(patience)}")
    try:
        yield
    except OperationalError as error:
        if "database is locked" not in str(error):
            raise
        raise WritersBusyError(patience_seconds=patience.total_seconds()) from error
    finally:
        if source.connection:
            with source.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {before}")


def log_written(connection: BaseDatabaseWrapper) -> None:
    """Bring SQLite's log into its file, so that no writer has to when others wait for it."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")


@contextmanager
def checkpoints_later(target: BaseDatabaseWrapper) -> Iterator[None]:
    """No commit inside the block brings SQLite's log into its file, which takes long now and then."""
    if target.vendor == "postgresql":
        yield
        return
    with target.cursor() as cursor:
        cursor.execute("PRAGMA wal_autocheckpoint")
        pages = int(cursor.fetchone()[0])
        cursor.execute("PRAGMA wal_autocheckpoint = 0")
    try:
        yield
    finally:
        if target.connection:
            with target.cursor() as cursor:
                cursor.execute(f"PRAGMA wal_autocheckpoint = {pages}")


@contextmanager
def writers_out(source: BaseDatabaseWrapper, patience: timedelta) -> Iterator[None]:
    """A transaction during which nobody else writes to the captured tables, outsiders neither.

    Raises WritersBusyError when those inside do not end in time.
    """
    with short_waits(source, patience), transaction.atomic(using=source.alias):
        _lock(source, patience)
        yield


def source_leave(source: BaseDatabaseWrapper, *, token: str, place: Place) -> None:
    """Fence the source, and have it follow the recording `token` of the new place, in the caller's transaction."""
    fence_raise(source, place.url)
    record_write(source, Record(site=place.site, epoch=place.epoch, live=False))
    position_begin(source, token)


def leave_finish(
    *, old: BaseDatabaseWrapper, live: BaseDatabaseWrapper, tables: Sequence[Table], place: Place
) -> tuple[Stray, ...]:
    """Fence a database that the site has left while the mover was killed; nothing happens where it is fenced.

    Returns what outsiders wrote there after the site was gone: those rows become what they are at the new
    place, and are named in the log. Raises WritersBusyError, and LogGapError when it is not the database that
    the site has left, but an older copy of it.
    """
    if not capture_exists(old):
        raise LogGapError(reason="the old database knows of no move")
    leaving_prepare(old)
    with writers_out(old, FINISH_PATIENCE):
        if capture_state(old).fenced:
            return ()
        position = position_lock(live, old)
        keys = keys_changed(tables, changes_visible(old, position).changes)
        theirs, ours = rows_of(old, tables, keys), rows_of(live, tables, keys)
        strays = tuple(
            (name, str(key))
            for name in keys
            for key in _differing(next(table for table in tables if table.name == name), theirs[name], ours[name])
        )
        with mover_transaction(old):
            rows_replace(old, tables, keys, ours)
        log_reset(old)
        source_leave(old, token=capture_state(live).token, place=place)
    for table, key in strays:
        logger.warning("%s, key %s: written to the old database after the site had left it; undone", table, key)
    return strays


def _differing(table: Table, theirs: Sequence[Row], ours: Sequence[Row]) -> list[Any]:
    """Keys of rows that are not the same on both sides."""
    at = table.names.index(table.key.name)
    left, right = {row[at]: row for row in theirs}, {row[at]: row for row in ours}
    return sorted((key for key in {*left, *right} if left.get(key) != right.get(key)), key=str)


def _lock(source: BaseDatabaseWrapper, patience: timedelta) -> None:
    with source.cursor() as cursor:
        if source.vendor == "sqlite":
            cursor.execute(f"UPDATE {CAPTURE} SET id = id")  # takes the lock where BEGIN did not
            return
        try:
            cursor.execute(  # both in one message: writers wait
                f"SET LOCAL lock_timeout = {_milliseconds(patience)}; SELECT pg_advisory_xact_lock(%s, %s)",
                WRITERS_LOCK,
            )
        except OperationalError as error:
            if not lock_refused(error):
                raise
            raise WritersBusyError(patience_seconds=patience.total_seconds()) from error


def _milliseconds(patience: timedelta) -> int:
    return max(1, round(patience.total_seconds() * 1_000))
