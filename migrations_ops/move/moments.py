"""Moments of a database: everything that is read inside one sees the same state, and nobody waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import TransactionStatus


def in_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction is open, also one that Django does not know of."""
    raw = connection.connection
    if raw is None:
        return False
    if connection.vendor == "sqlite":
        return bool(raw.in_transaction)
    return bool(raw.info.transaction_status != TransactionStatus.IDLE)


@contextmanager
def moment_of(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Every read inside sees one moment: that of the caller's transaction, or of one that only reads."""
    if in_transaction(connection):
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("BEGIN" if connection.vendor == "sqlite" else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            with suppress(DatabaseError):  # the first error is the one to know
                cursor.execute("ROLLBACK")
