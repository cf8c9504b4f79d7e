"""A second connection to the site's database on which every read sees one moment.

Neither side waits for the other: SQLite gives it a read transaction on the write-ahead log,
PostgreSQL a REPEATABLE READ one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def connection_beside(using: str = "default") -> Iterator[BaseDatabaseWrapper]:
    """A fresh connection to the same database under an alias of its own, closed at the end."""
    alias = f"{using}-{uuid4().hex}"
    beside = connections[using].copy(alias)
    if beside.vendor == "sqlite":
        beside.settings_dict["OPTIONS"] = {**beside.settings_dict["OPTIONS"], "transaction_mode": "DEFERRED"}
    connections[alias] = beside
    try:
        yield beside
    finally:
        beside.close()
        del connections[alias]


@contextmanager
def snapshot_open(using: str = "default") -> Iterator[str]:
    """The alias of a read-only view of one moment."""
    with connection_beside(using) as beside, transaction.atomic(using=beside.alias):
        with beside.cursor() as cursor:
            if beside.vendor == "postgresql":
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SELECT count(*) FROM django_migrations")  # the moment is the first read
        yield beside.alias
