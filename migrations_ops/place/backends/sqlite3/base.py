"""Django's SQLite, with connections that follow the site's database."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from django.db.backends.sqlite3 import base, operations

from migrations_ops.place.following import Following


class DatabaseOperations(operations.DatabaseOperations):
    """Compiles writes with our compilers."""

    compiler_module = "migrations_ops.place.backends.sqlite3.compiler"


class DatabaseWrapper(Following, base.DatabaseWrapper):
    """A connection to SQLite that follows."""

    ops_class = DatabaseOperations

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        file_begin(str(conn_params["database"]))
        return super().get_new_connection(conn_params)


def file_begin(name: str) -> None:
    """Make a new database's file, for the site's own account: it holds sessions and hashes of passwords.

    SQLite would let every account of the machine read it. Its log and index beside it take its mode.
    """
    if name != ":memory:" and not name.startswith("file:"):
        with suppress(OSError):  # it is there, or SQLite says better why it cannot be
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
