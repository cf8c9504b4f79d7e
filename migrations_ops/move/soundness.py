"""What holds rows together: foreign keys that point at something, sequences that go on behind the last number."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.ledger import Difference, DifferenceKind, SequenceLedger
from migrations_ops.move.tables import Column, ColumnKind, Table

#: Broken foreign keys of one column that are listed.
LISTED = 20


def foreign_keys(tables: tuple[Table, ...]) -> Iterator[tuple[Table, Column, str, str]]:
    """Every foreign key between these tables: table, column, parent and its column."""
    names = {table.name for table in tables}
    for table in tables:
        for column in table.columns:
            if column.references and column.references[0] in names:
                yield table, column, *column.references


def foreign_keys_broken(
    connection: BaseDatabaseWrapper, tables: tuple[Table, ...], heartbeat: Callable[[], None]
) -> Iterator[Difference | None]:
    """For each foreign key its first broken rows, or None where all of them point at something.

    Asked as a query and not of the constraint: PostgreSQL trusts a constraint once it was checked.
    """
    for table, column, parent, parent_column in foreign_keys(tables):
        heartbeat()
        found = list(_broken(connection, table, column, parent, parent_column))
        yield from found
        if not found:
            yield None


def broken_condition(connection: BaseDatabaseWrapper, column: Column, parent: str, parent_column: str) -> str:
    """SQL that is true of a row `child` whose foreign key points at nothing."""
    quote = connection.ops.quote_name
    return (
        f"child.{quote(column.name)} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {quote(parent)} AS parent "
        f"WHERE parent.{quote(parent_column)} = child.{quote(column.name)})"
    )


def _broken(
    connection: BaseDatabaseWrapper, table: Table, column: Column, parent: str, parent_column: str
) -> Iterator[Difference]:
    quote = connection.ops.quote_name
    condition = broken_condition(connection, column, parent, parent_column)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT child.{quote(table.key.name)}, child.{quote(column.name)} FROM {quote(table.name)} AS child "
            f"WHERE {condition} LIMIT {LISTED}"
        )
        for key, value in cursor.fetchall():
            yield Difference(
                kind=DifferenceKind.FOREIGN_KEY,
                table=table.name,
                key=key if isinstance(key, int) else str(key),
                key_column=table.key.name,
                column=column.name,
                target=f"{value}, which {parent} does not have",
            )


def sequence_next(connection: BaseDatabaseWrapper, table: Table) -> int | None:
    """The number that the next row of the table gets; None where the database numbers nothing here."""
    if table.key.kind is not ColumnKind.INTEGER:
        return None
    return _next_sqlite(connection, table) if connection.vendor == "sqlite" else _next_postgresql(connection, table)


def _next_sqlite(connection: BaseDatabaseWrapper, table: Table) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = %s", [table.name])
        found = cursor.fetchone()
        if not found or "AUTOINCREMENT" not in found[0].upper():
            return None
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table.name])
        last = cursor.fetchone()
    return max(last[0] if last else 0, largest_key(connection, table)) + 1  # SQLite itself goes by the larger one


def _next_postgresql(connection: BaseDatabaseWrapper, table: Table) -> int | None:
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [quote(table.name), table.key.name])
        name = cursor.fetchone()[0]
        if not name:
            return None
        cursor.execute(f"SELECT last_value, is_called FROM {name}")
        last, is_called = cursor.fetchone()
    return int(last) + int(is_called)


def largest_key(connection: BaseDatabaseWrapper, table: Table) -> int:
    """The largest number of the table; 0 for an empty one."""
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT max({quote(table.key.name)}) FROM {quote(table.name)}")
        return int(cursor.fetchone()[0] or 0)


def sequence_compared(ours: int | None, target: BaseDatabaseWrapper, table: Table) -> SequenceLedger | None:
    """The source's next number beside the target's sequence; None where neither has one.

    The target's must go on behind its own rows and must give no number again that the source gave away.
    """
    theirs = sequence_next(target, table)
    if ours is None and theirs is None:
        return None
    sound = theirs is not None and theirs > largest_key(target, table) and theirs >= (ours or 0)
    return SequenceLedger(table=table.name, source_next=ours, target_next=theirs, sound=sound)
