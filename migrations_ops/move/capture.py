"""Records which rows change on a database, from `capture_install` until `capture_remove`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from uuid import uuid4

from django.db import OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import CaptureBusyError
from migrations_ops.move import triggers
from migrations_ops.move.tables import Table
from migrations_ops.move.triggers import CAPTURE, LOG
from migrations_ops.schema import lock_refused

#: How long a change of triggers waits for a table's writers on PostgreSQL before it lets them go first.
LOCK_TIMEOUT_MS = 300
LOCK_TRIES = 40
LOCK_PAUSE_SECONDS = 0.25


def capture_install(connection: BaseDatabaseWrapper, tables: Sequence[Table]) -> None:
    """Record every change of `tables` from now on; what stands already stays.

    A new recording begins (another token) whenever a trigger was missing, because changes may have been.
    Raises CaptureBusyError when a table's writer on PostgreSQL does not end.
    """
    with transaction.atomic(using=connection.alias):
        _execute(connection, *_state_statements(connection))
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {CAPTURE} (id, token) VALUES (1, %s) ON CONFLICT DO NOTHING", [uuid4().hex])
    missing = set(capture_missing(connection, tables))
    if missing:
        incomplete = [table for table in tables if table.name in missing]
        if connection.vendor == "sqlite":
            _install_sqlite(connection, incomplete)
        else:
            _install_postgresql(connection, incomplete)


def capture_missing(connection: BaseDatabaseWrapper, tables: Iterable[Table]) -> list[str]:
    """Tables whose changes are not all recorded; a rebuild of a table on SQLite drops its triggers."""
    there = {(table, name) for table, name, works in _triggers_there(connection) if works}
    if connection.vendor == "postgresql":
        return [
            table.name for table in tables if not {(table.name, name) for name in triggers.POSTGRESQL_NAMES} <= there
        ]
    return [
        table.name
        for table in tables
        if not {(LOG, "ops_move_fence"), *((table.name, name) for name in triggers.sqlite_names(table))} <= there
    ]


def capture_exists(connection: BaseDatabaseWrapper) -> bool:
    """Whether this database has a recording, complete or not."""
    query = "SELECT to_regclass(%s) IS NOT NULL"
    if connection.vendor == "sqlite":
        query = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = %s)"
    with connection.cursor() as cursor:
        cursor.execute(query, [CAPTURE])
        return bool(cursor.fetchone()[0])


def capture_remove(connection: BaseDatabaseWrapper) -> None:
    """Take everything of the recording away, the fence with it; it may be run again. Raises CaptureBusyError."""
    quote = connection.ops.quote_name
    there = sorted(_triggers_there(connection))
    if connection.vendor == "sqlite":
        with transaction.atomic(using=connection.alias):
            _execute(connection, *(f"DROP TRIGGER {quote(name)}" for _table, name, _works in there), *_drop_tables())
        return
    for table, name, _works in there:
        _patiently(connection, table, [f"DROP TRIGGER IF EXISTS {name} ON {quote(table)}"])
    functions = [f"DROP FUNCTION {quote(name)}()" for name in _functions_there(connection)]
    with transaction.atomic(using=connection.alias):
        _execute(connection, *functions, *_drop_tables())


def _install_sqlite(connection: BaseDatabaseWrapper, tables: Sequence[Table]) -> None:
    """All at once; what is left of a table's triggers is made again with the others."""
    left = {name for _table, name, _works in _triggers_there(connection)}
    with transaction.atomic(using=connection.alias):
        _token_renew(connection)
        for table in tables:
            there = [name for name in triggers.sqlite_names(table) if name in left]
            _execute(connection, *(f"DROP TRIGGER {connection.ops.quote_name(name)}" for name in there))
            _execute(connection, *triggers.sqlite_triggers(connection, table))


def _install_postgresql(connection: BaseDatabaseWrapper, tables: Sequence[Table]) -> None:
    """Table by table: a lock on all of them would hold everyone while the last writer ends."""
    _token_renew(connection)
    for table in tables:
        _patiently(connection, table.name, triggers.postgresql_triggers(connection, table))


def _token_renew(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {CAPTURE} SET token = %s", [uuid4().hex])


def _patiently(connection: BaseDatabaseWrapper, table: str, statements: Iterable[str]) -> None:
    """Change a table of PostgreSQL between its writers. Raises CaptureBusyError."""
    made = list(statements)
    for _ in range(LOCK_TRIES):
        try:
            with transaction.atomic(using=connection.alias):
                _execute(connection, f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}", *made)
        except OperationalError as error:
            if not lock_refused(error):
                raise
            time.sleep(LOCK_PAUSE_SECONDS)
        else:
            return
    raise CaptureBusyError(table=table, seconds=round(LOCK_TRIES * (LOCK_TIMEOUT_MS / 1_000 + LOCK_PAUSE_SECONDS)))


def _execute(connection: BaseDatabaseWrapper, *statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _state_statements(connection: BaseDatabaseWrapper) -> Iterator[str]:
    if connection.vendor == "sqlite":
        return triggers.sqlite_state()
    return triggers.postgresql_state(connection)


def _drop_tables() -> list[str]:
    return [f"DROP TABLE IF EXISTS {name}" for name in (LOG, CAPTURE, "ops_move_position")]


def _triggers_there(connection: BaseDatabaseWrapper) -> list[tuple[str, str, bool]]:
    """Table and name of every trigger of ours, and whether it is switched on."""
    query = "SELECT tbl_name, name, 1 FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, 9) = 'ops_move_'"
    if connection.vendor == "postgresql":
        query = (
            "SELECT relname, tgname, tgenabled <> 'D' FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            "WHERE relnamespace = current_schema()::regnamespace AND tgname LIKE 'ops!_move!_%' ESCAPE '!'"
        )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [(table, name, bool(works)) for table, name, works in cursor.fetchall()]


def _functions_there(connection: BaseDatabaseWrapper) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace "
            "AND proname LIKE 'ops!_move!_%' ESCAPE '!'"
        )
        return [name for (name,) in cursor.fetchall()]
