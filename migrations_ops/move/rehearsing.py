"""A place beside a move's target where the move is tried out: a schema of its own, or a file of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.models import Move
from migrations_ops.move.ends import Ends, connection_to, data_dir, place_of_source, place_of_target
from migrations_ops.move.tables import tables_moved
from migrations_ops.place.addresses import database_settings, database_url
from migrations_ops.place.pointer import Place

FILE = "move.sqlite3"


@contextmanager
def ends_rehearsed(move: Move) -> Iterator[Ends]:
    """One moment of the source, and an empty place beside the target that goes away at the end."""
    with scratch_place(move) as place, connection_to(place) as scratch, moment_of_source(move) as source:
        yield Ends(source, scratch, tables_moved(source))


@contextmanager
def moment_of_source(move: Move) -> Iterator[BaseDatabaseWrapper]:
    """The source as it is now, however long the block takes; nobody waits for it."""
    with connection_to(place_of_source(move)) as source:
        if source.vendor == "sqlite":
            source.settings_dict["OPTIONS"] = {**source.settings_dict["OPTIONS"], "transaction_mode": "DEFERRED"}
        with transaction.atomic(using=source.alias):
            with source.cursor() as cursor:
                if source.vendor == "postgresql":
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                cursor.execute("SELECT count(*) FROM django_migrations")  # the moment is the first read
            yield source


@contextmanager
def scratch_place(move: Move) -> Iterator[Place]:
    """An empty place of its own; what killed rehearsals of this site have left there goes first."""
    target = place_of_target(move)
    if target.url.startswith("sqlite"):
        folder = Path(settings.OPS_REHEARSAL_DIR) / f"move_{uuid4().hex[:8]}"
        folder.mkdir(parents=True, mode=0o700)
        try:
            yield replace(target, url=f"sqlite://{folder / FILE}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    prefix = f"kb_rehearsal_{move.site[:8]}_"
    schema = f"{prefix}{uuid4().hex[:8]}"
    with connection_to(target) as connection:
        _schemas_drop(connection, prefix)
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {connection.ops.quote_name(schema)}")
        try:
            yield replace(target, url=url_in_schema(target.url, schema))
        finally:
            _schemas_drop(connection, prefix)


def url_in_schema(url: str, schema: str) -> str:
    """The address with `schema` as its search path; its other options stay, the last one counts."""
    settings_there = database_settings(url, data_dir())
    options = settings_there["OPTIONS"]
    options["options"] = f"{options.get('options', '')} -csearch_path={schema}".strip()
    return database_url(settings_there, data_dir())[0]


def _schemas_drop(connection: BaseDatabaseWrapper, prefix: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", [prefix])
        for (schema,) in cursor.fetchall():
            cursor.execute(f"DROP SCHEMA {connection.ops.quote_name(schema)} CASCADE")
