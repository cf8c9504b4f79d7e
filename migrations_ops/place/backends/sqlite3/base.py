"""Django's SQLite, with connections that follow the site's database."""

from __future__ import annotations

from django.db.backends.sqlite3 import base, operations

from migrations_ops.place.following import Following


class DatabaseOperations(operations.DatabaseOperations):
    """Compiles writes with our compilers."""

    compiler_module = "migrations_ops.place.backends.sqlite3.compiler"


class DatabaseWrapper(Following, base.DatabaseWrapper):
    """A connection to SQLite that follows."""

    ops_class = DatabaseOperations
