"""Builders for tests in which one database follows another: rows, a plain copy, what is where."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from knowledge.models import Entry, Tag
from migrations_ops.move.capture import capture_install
from migrations_ops.move.drain import rows_of, rows_replace
from migrations_ops.move.fence import mover_transaction
from migrations_ops.move.log import START, changes_visible
from migrations_ops.move.tables import Table, tables_moved

Content = dict[str, dict[Any, tuple[Any, ...]]]


def execute(connection: BaseDatabaseWrapper, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run one statement; its rows, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return list(cursor.fetchall()) if cursor.description else []


def all_keys(connection: BaseDatabaseWrapper, table: Table) -> set[Any]:
    """Every key of a table, as the database spells it."""
    return {key for (key,) in execute(connection, f'SELECT "{table.key.name}" FROM "{table.name}"')}


def content(connection: BaseDatabaseWrapper, tables: Sequence[Table]) -> Content:
    """Every row of every table by key, the same on both databases."""
    keys = {table.name: all_keys(connection, table) for table in tables}
    rows = rows_of(connection, tables, keys)
    found: Content = {}
    for table in tables:
        at = table.names.index(table.key.name)
        found[table.name] = {row[at]: row for row in rows[table.name]}
    return found


def copied(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper) -> tuple[Table, ...]:
    """Record the source, then make the target a copy of it, row by row; its tables."""
    tables = tables_moved(source)
    capture_install(source, tables)
    keys = {table.name: all_keys(source, table) for table in tables}
    rows = rows_of(source, tables, keys)
    with mover_transaction(target):
        rows_replace(target, tables, {table.name: all_keys(target, table) for table in tables}, rows)
    return tables


def noted(connection: BaseDatabaseWrapper) -> set[tuple[str, str]]:
    """Table and key of every line of the log; UUIDs as 32 digits."""
    changes = changes_visible(connection, START).changes
    return {(change.table, str(change.key).replace("-", "")) for change in changes}


def tag_made(connection: BaseDatabaseWrapper, name: str) -> Tag:
    """A tag."""
    return Tag.objects.using(connection.alias).create(name=name)


def entry_made(connection: BaseDatabaseWrapper, *tags: Tag) -> Entry:
    """A published entry with tags, in one transaction as the site writes it."""
    with transaction.atomic(using=connection.alias):
        entry = Entry.objects.using(connection.alias).create(
            id=uuid.uuid4(),
            title="S0C7 in step 20",
            problem="The job ends with a data exception.",
            solution="Initialise the packed field first.",
            category="COBOL",
            status="published",
        )
        entry.tags.set(tags)
    return entry
