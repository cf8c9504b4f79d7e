"""The fence: a database that is not the site's, or not yet, refuses every write but the mover's.

It stands on the triggers of the recording (migrations_ops.move.triggers), so putting it up and down is one
changed row: part of the caller's transaction, without any DDL while writers are held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.capture import capture_exists, capture_install, capture_missing
from migrations_ops.move.log import capture_state
from migrations_ops.move.tables import Table
from migrations_ops.move.triggers import CAPTURE


def fence_up(connection: BaseDatabaseWrapper, tables: Sequence[Table], moved_to: str = "") -> None:
    """Refuse writes from now on; `moved_to` says where the site went, without a password.

    Makes the triggers where they are missing. Raises CaptureBusyError.
    """
    if not capture_exists(connection) or capture_missing(connection, tables):
        capture_install(connection, tables)
    fence_raise(connection, moved_to)


def fence_raise(connection: BaseDatabaseWrapper, moved_to: str) -> None:
    """Refuse writes once the caller's transaction commits; the triggers are there."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {CAPTURE} SET up = 1, moved_to = %s WHERE id = 1", [moved_to])


def fence_lower(connection: BaseDatabaseWrapper) -> None:
    """Take writes once the caller's transaction commits; the triggers are there."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {CAPTURE} SET up = 0, moved_to = '' WHERE id = 1")


def fence_is_up(connection: BaseDatabaseWrapper) -> bool:
    """Whether this database refuses writes."""
    return capture_exists(connection) and capture_state(connection).fenced


@contextmanager
def mover_transaction(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """A transaction whose writes are neither recorded nor refused, and safely on disk when it ends."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = FULL")  # in write-ahead mode, NORMAL may forget the last commits
    with transaction.atomic(using=connection.alias):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SET LOCAL kb.mover = 'on'; SET LOCAL synchronous_commit = on; SET CONSTRAINTS ALL DEFERRED"
                )
            yield
        else:
            with _passing(connection):
                yield


@contextmanager
def _passing(connection: BaseDatabaseWrapper) -> Iterator[None]:
    captured = capture_exists(connection)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA defer_foreign_keys = ON")
        if captured:
            cursor.execute(f"UPDATE {CAPTURE} SET passing = 1")
        yield
        if captured:
            cursor.execute(f"UPDATE {CAPTURE} SET passing = 0")
