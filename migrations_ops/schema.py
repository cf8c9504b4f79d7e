"""Moves the tables of one phase with Django's own migration files, one migration at a time.

Callers hold `ddl_transaction`, so that the tables, Django's record of the migration and the
caller's journal commit together.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.apps import apps
from django.db import OperationalError, connection, transaction
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from psycopg.errors import LockNotAvailable

from migrations_ops.archive import foreign_keys

#: How long a change of tables waits for a reader or writer on PostgreSQL before it gives up and is tried again.
#: Everyone else queues up behind it. Two who wait for each other are told apart by the server after a second
#: (`deadlock_timeout`), and it may choose the visitor; so this one always gives up first.
LOCK_TIMEOUT_MS = 400
#: How often it is tried at once, and the pause between two tries, in which others get on.
LOCK_TRIES = 8
LOCK_PAUSE_SECONDS = 0.2


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
    executor = MigrationExecutor(connection, _tables_lock)
    executor.migrate([(app_label, name)])


#: What the tables of a migration are locked with, when Django says that this begins: readers go on until tables go.
_LOCKS = {"apply_start": "SHARE ROW EXCLUSIVE", "unapply_start": "ACCESS EXCLUSIVE"}


def _tables_lock(action: str, migration: Migration | None = None, _fake: bool | None = False) -> None:
    """Take all at once what a migration needs on PostgreSQL: the tables of its app, and those that they point at.

    If it held one table and then wanted the next, it could wait for a visitor who has that and wants the first.
    Raises OperationalError when they are not free together for some seconds.
    """
    if migration is None or action not in _LOCKS or connection.vendor != "postgresql":
        return
    models = list(apps.get_app_config(migration.app_label).get_models(include_auto_created=True))
    models += [key.related_model for model in models for key in foreign_keys(model)]
    there = connection.introspection.table_names()
    if names := {model._meta.db_table for model in models}.intersection(there):
        tables = ", ".join(map(connection.ops.quote_name, sorted(names)))
        _patiently(f"LOCK TABLE {tables} IN {_LOCKS[action]} MODE")


def _patiently(lock: str) -> None:
    for left in reversed(range(LOCK_TRIES)):
        try:
            with transaction.atomic(), connection.cursor() as cursor:  # a savepoint, which gives the locks back
                cursor.execute(lock)
        except OperationalError as error:
            if not left or not lock_refused(error):
                raise
            time.sleep(LOCK_PAUSE_SECONDS)
        else:
            return


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
