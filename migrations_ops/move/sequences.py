"""The next number of each table goes along, so that a key that was used and deleted is not used again."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.tables import ColumnKind, Table

#: Name of a table, and the last number that its sequence gave.
Numbers = dict[str, int]


def sequences_read(connection: BaseDatabaseWrapper, tables: Sequence[Table]) -> Numbers:
    """The last number given for each table that counts its keys and has begun to."""
    counted = _counted(tables)
    if connection.vendor == "sqlite":
        query, values = "SELECT name, seq FROM sqlite_sequence WHERE seq > 0", []
    else:
        query = (
            "SELECT name, pg_sequence_last_value(counter::regclass) FROM "
            "(SELECT name, pg_get_serial_sequence(quote_ident(name), key) AS counter "
            "FROM unnest(%s::text[], %s::text[]) AS wanted (name, key)) AS found "
            "WHERE counter IS NOT NULL AND pg_sequence_last_value(counter::regclass) IS NOT NULL"
        )
        values = [[table.name for table in counted], [table.key.name for table in counted]]
    names = {table.name for table in counted}
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return {name: int(number) for name, number in cursor.fetchall() if name in names}


def sequences_write(connection: BaseDatabaseWrapper, tables: Sequence[Table], numbers: Numbers) -> None:
    """Make each sequence go on after its number; it never goes back."""
    counted = [table for table in _counted(tables) if table.name in numbers]
    if counted:
        write = _write_sqlite if connection.vendor == "sqlite" else _write_postgresql
        write(connection, counted, numbers)


def _write_sqlite(connection: BaseDatabaseWrapper, tables: Sequence[Table], numbers: Numbers) -> None:
    present = sequences_read(connection, tables)
    behind = [table.name for table in tables if present.get(table.name, 0) < numbers[table.name]]
    with connection.cursor() as cursor:
        for name in behind:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [name])
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [name, numbers[name]])


def _write_postgresql(connection: BaseDatabaseWrapper, tables: Sequence[Table], numbers: Numbers) -> None:
    """In one statement: writers may be waiting."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(counter::regclass, number) FROM (SELECT number, "
            "pg_get_serial_sequence(quote_ident(name), key) AS counter "
            "FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS wanted (name, key, number)) AS found "
            "WHERE counter IS NOT NULL AND number > coalesce(pg_sequence_last_value(counter::regclass), 0)",
            [
                [table.name for table in tables],
                [table.key.name for table in tables],
                [numbers[table.name] for table in tables],
            ],
        )


def _counted(tables: Sequence[Table]) -> list[Table]:
    return [table for table in tables if table.key.kind is ColumnKind.INTEGER]
