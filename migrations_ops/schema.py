"""Moves the tables of one phase with Django's own migration files, one migration at a time.

Callers hold `ddl_transaction`, so that the tables, Django's record of the migration and the
caller's journal commit together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from psycopg.errors import LockNotAvailable

#: How long a change of tables waits for readers and writers on PostgreSQL before it gives up and
#: is tried again; longer, and everyone else queues up behind it.
LOCK_TIMEOUT_MS = 3_000


@contextmanager
def ddl_transaction() -> Iterator[None]:
    """A transaction in which tables may change on both databases."""
    with connection.constraint_checks_disabled(), transaction.atomic(durable=True):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        yield


def migrations_known(app_label: str) -> list[str]:
    """Names of an app's migrations in this release, in the order in which they apply."""
    graph = MigrationExecutor(connection).loader.graph
    names = []
    for leaf in graph.leaf_nodes(app_label):
        names += [name for label, name in graph.forwards_plan(leaf) if label == app_label and name not in names]
    return names


def migrations_applied(app_label: str) -> list[str]:
    """Names of an app's migrations that the database has, in the order in which they apply."""
    applied = {name for label, name in MigrationRecorder(connection).applied_migrations() if label == app_label}
    return [name for name in migrations_known(app_label) if name in applied]


def migration_apply(app_label: str, name: str) -> None:
    """Apply one migration and what it needs; nothing happens when it is applied already.

    Django takes an applied migration as a target to go back to, and would undo every later one.
    """
    if name not in migrations_applied(app_label):
        _migrate_to(app_label, name)


def migration_unapply(app_label: str, name: str) -> None:
    """Undo one migration and every later one of its app."""
    earlier = migrations_known(app_label)
    position = earlier.index(name)
    _migrate_to(app_label, earlier[position - 1] if position else None)


def _migrate_to(app_label: str, name: str | None) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([(app_label, name)])


def app_open(app_label: str) -> None:
    """Apply every migration of an app."""
    for name in migrations_known(app_label):
        migration_apply(app_label, name)


def app_close(app_label: str) -> None:
    """Undo every migration of an app; its tables are gone after it."""
    _migrate_to(app_label, None)


def lock_briefly(milliseconds: int) -> None:
    """Let the caller's transaction wait no longer than this for a lock.

    SQLite has one lock and its busy timeout, which counts for the whole connection.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {int(milliseconds)}")


def lock_refused(error: OperationalError) -> bool:
    """Whether the database gave up waiting for a lock, and not for another reason."""
    return isinstance(error.__cause__, LockNotAvailable)
