"""The tables of the site in an empty database, bare, so that rows can be copied into them; and away again.

A database that the mover has begun with carries its mark, the table ops_move_target with the site's id.
Without the mark nothing here changes or drops anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import atomic

from migrations_ops.errors import SchemaDiffersError, TargetForeignError, TargetSchemaError
from migrations_ops.gate import site_level, table_exists
from migrations_ops.move.later import later_table, put_off
from migrations_ops.move.ranges import ranges_table
from migrations_ops.move.tables import OWN_PREFIX, tables_moved
from migrations_ops.process import die_with_parent

MARK = f"{OWN_PREFIX}target"
#: What the mark says: tables are being made; rows can be copied; the site lives here.
BEGUN, PREPARED, LIVE = 0, 1, 2
HEARTBEAT_SECONDS = 2.0
ERROR_CHARS = 4_000


def target_prepare(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, *, site: str, heartbeat: Callable[[], None] = lambda: None
) -> None:
    """Make the tables that the source has in the target, without rows, indexes and foreign keys.

    A target that is prepared stays as it is; one at which an earlier attempt ended in the middle is cleared
    and made anew. Raises TargetForeignError, TargetSchemaError and SchemaDiffersError.
    """
    if _state(target, site) == PREPARED:
        return
    target_drop(target, site=site)
    _mark(target, site)
    _migrated(target, level=site_level(using=source.alias), heartbeat=heartbeat)
    _compare(source, target)
    _rows_delete(target)
    _bare(target)


def target_drop(target: BaseDatabaseWrapper, *, site: str) -> None:
    """Take away everything that the mover has made; nothing where it has made nothing.

    Raises TargetForeignError for the target of another site, and for the database that the site lives in.
    """
    if target_mark(target) is None:
        return
    _state(target, site)
    with target.constraint_checks_disabled(), atomic(using=target.alias):
        drop = _drop_postgresql if target.vendor == "postgresql" else _drop_sqlite
        drop(target)


def target_live(target: BaseDatabaseWrapper) -> None:
    """Note that the site has moved here: from now on target_prepare and target_drop refuse."""
    _state_keep(target, LIVE)


def target_left(target: BaseDatabaseWrapper) -> None:
    """Note that the site has gone back: what was made here may be dropped again."""
    _state_keep(target, PREPARED)


def target_flush(target: BaseDatabaseWrapper) -> None:
    """Return when everything that was copied would survive a power failure.

    Copies commit without waiting for the disk; a commit that waits brings all earlier ones with it.
    """
    _state_keep(target, PREPARED)


def _state_keep(target: BaseDatabaseWrapper, state: int) -> None:
    """Write the state, and wait until it is on the disk."""
    with atomic(using=target.alias), target.cursor() as cursor:
        if target.vendor == "postgresql":
            cursor.execute("SET LOCAL synchronous_commit = on")
        cursor.execute(f"UPDATE {MARK} SET state = {state}")


def target_mark(target: BaseDatabaseWrapper) -> tuple[str, int] | None:
    """The site that has marked a database as its target, and BEGUN, PREPARED or LIVE."""
    if not table_exists(MARK, target.alias):
        return None
    with target.cursor() as cursor:
        cursor.execute(f"SELECT site, state FROM {MARK}")
        site, state = cursor.fetchone()
    return site, state


def _state(target: BaseDatabaseWrapper, site: str) -> int | None:
    """None for an empty database. Raises TargetForeignError for one that is not ours to fill."""
    mark = target_mark(target)
    if mark is None and (names := _relations(target)):
        raise TargetForeignError(reason=f"it has {len(names)} tables already, {names[0]} for one")
    if mark and mark[0] != site:
        raise TargetForeignError(reason="it is the target of another site's move")
    if mark and mark[1] == LIVE:
        raise TargetForeignError(reason="the site has moved there already")
    return mark[1] if mark else None


def _relations(target: BaseDatabaseWrapper) -> list[str]:
    with target.cursor() as cursor:
        if target.vendor == "postgresql":
            cursor.execute(
                f"SELECT relname FROM pg_class c WHERE relnamespace = current_schema()::regnamespace AND relkind IN "
                f"('r', 'p', 'v', 'm', 'f') AND {_no_extension('pg_class', 'c.oid')} ORDER BY relname"
            )
        else:
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%%'"
            )
        return [row[0] for row in cursor.fetchall()]


def _mark(target: BaseDatabaseWrapper, site: str) -> None:
    with atomic(using=target.alias), target.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {MARK} (site varchar(64) NOT NULL, state integer NOT NULL)")
        cursor.execute(f"INSERT INTO {MARK} VALUES (%s, {BEGUN})", [site])


# Schema -----------------------------------------------------------------------------------------


def _migrated(target: BaseDatabaseWrapper, *, level: int, heartbeat: Callable[[], None]) -> None:
    """Run this release's migrations in a process of its own, whose `default` is the target.

    It gets the address on its input, where nobody reads the password, and a data folder of its own, in which
    no pointer leads elsewhere.
    """
    with tempfile.TemporaryDirectory(prefix="kb-move-") as folder, tempfile.TemporaryFile() as errors:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KB_DATABASE")}
        # Our own program. In the child the function calls the kernel and nothing else.
        process = subprocess.Popen(
            [sys.executable, "-m", "migrations_ops.move.migrating"],
            cwd=settings.BASE_DIR,
            env={**environment, "KB_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": str(settings.SETTINGS_MODULE)},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
        try:
            _order(process, {"database": plain_settings(target), "level": level})
            while _runs(process):
                heartbeat()
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace")[-ERROR_CHARS:].strip()
            raise TargetSchemaError(reason=said or f"it ended with {process.returncode} and no word. Is the disk full?")


def _order(process: subprocess.Popen[bytes], order: dict[str, Any]) -> None:
    if process.stdin:
        with process.stdin as stdin:
            stdin.write(json.dumps(order).encode())


def _runs(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(HEARTBEAT_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def plain_settings(connection: BaseDatabaseWrapper) -> dict[str, Any]:
    """Settings of a database for another process, with Django's own engine: no turnstile, nothing to follow."""
    names = ("USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
    kept = {name: value for name, value in connection.settings_dict.items() if name in names}
    engine = {"sqlite": "sqlite3", "postgresql": "postgresql"}[connection.vendor]
    return {**kept, "ENGINE": f"django.db.backends.{engine}", "NAME": str(connection.settings_dict["NAME"])}


def _compare(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper) -> None:
    """Raise SchemaDiffersError unless both have the same tables and have had the same migrations."""
    ours = {table.name for table in tables_moved(source)}
    if differing := ours ^ {table.name for table in tables_moved(target)}:
        raise SchemaDiffersError(difference=f"only one of them has {', '.join(sorted(differing))}")
    if differing := _migrations(source) ^ _migrations(target):
        raise SchemaDiffersError(difference=f"only one of them has had {', '.join(sorted(differing))}")


def _migrations(connection: BaseDatabaseWrapper) -> set[str]:
    """Migrations of the apps that are installed; an app that was removed leaves its lines behind."""
    from django.apps import apps

    installed = {config.label for config in apps.get_app_configs()}
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        return {f"{app}.{name}" for app, name in cursor.fetchall() if app in installed}


def _rows_delete(target: BaseDatabaseWrapper) -> None:
    """Delete the rows that migrations have written, so that triggers delete what follows them."""
    with target.constraint_checks_disabled(), atomic(using=target.alias), target.cursor() as cursor:
        for table in reversed(tables_moved(target)):
            cursor.execute(f"DELETE FROM {target.ops.quote_name(table.name)}")
        if target.vendor == "sqlite":
            cursor.execute("DELETE FROM sqlite_sequence")


def _bare(target: BaseDatabaseWrapper) -> None:
    """Take away what is made later, and note that rows can come."""
    with atomic(using=target.alias):
        later_table(target)
        ranges_table(target)
        put_off(target)
        if target.vendor == "postgresql":
            _truncate(target)
        with target.cursor() as cursor:
            cursor.execute(f"UPDATE {MARK} SET state = {PREPARED}")


def _truncate(target: BaseDatabaseWrapper) -> None:
    """Take away the room of the deleted rows."""
    names = ", ".join(target.ops.quote_name(table.name) for table in tables_moved(target))
    with target.cursor() as cursor:
        cursor.execute(f"TRUNCATE {names} RESTART IDENTITY")


# Away again -------------------------------------------------------------------------------------


def _no_extension(catalog: str, oid: str) -> str:
    return (
        f"NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = '{catalog}'::regclass AND d.objid = {oid} "
        "AND d.deptype = 'e')"
    )


def _drop_postgresql(target: BaseDatabaseWrapper) -> None:
    query = (
        "SELECT 'DROP {thing} ' || o.oid::reg{type} || ' CASCADE' FROM {catalog} o "
        "WHERE o.{space} = current_schema()::regnamespace AND {kind} AND {outside}"
    )
    things = (
        ("TABLE", "class", "pg_class", "relnamespace", "o.relkind IN ('r', 'p')"),
        ("SEQUENCE", "class", "pg_class", "relnamespace", "o.relkind = 'S'"),
        ("ROUTINE", "procedure", "pg_proc", "pronamespace", "true"),
    )
    with target.cursor() as cursor:
        for thing, type_name, catalog, space, kind in things:
            outside = _no_extension(catalog, "o.oid")
            find = query.format(thing=thing, type=type_name, catalog=catalog, space=space, kind=kind, outside=outside)
            cursor.execute(find)
            # The server may just be ending what a killed process has begun: a drop waits for its locks, and what
            # that has made is seen after it.
            while statements := cursor.fetchall():
                for (statement,) in statements:
                    cursor.execute(statement)
                cursor.execute(find)


def _drop_sqlite(target: BaseDatabaseWrapper) -> None:
    with target.cursor() as cursor:
        cursor.execute("SELECT type, name FROM sqlite_master WHERE type = 'view' OR sql LIKE 'CREATE VIRTUAL TABLE%%'")
        virtual = cursor.fetchall()  # each takes tables of its own along
        for kind, name in virtual:
            cursor.execute(f"DROP {'VIEW' if kind == 'view' else 'TABLE'} {target.ops.quote_name(name)}")
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%%'")
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {target.ops.quote_name(name)}")
