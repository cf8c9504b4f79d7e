"""What tells a database that does not answer from a statement that is wrong."""

from __future__ import annotations

import sqlite3

from django.db import InterfaceError, OperationalError


def database_away(error: BaseException | None) -> bool:
    """Whether the database refused because of its own state: gone, locked for too long, its disk full.

    SQLite reports a missing table and a wrong statement by the same class; its plain SQLITE_ERROR
    (https://www.sqlite.org/rescode.html#error) tells them apart.
    """
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    return getattr(error.__cause__, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
