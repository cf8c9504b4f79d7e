"""Django's PostgreSQL, with connections that follow the site's database."""

from __future__ import annotations

from django.db.backends.postgresql import base, operations

from migrations_ops.place.following import Following


class DatabaseOperations(operations.DatabaseOperations):
    """Compiles writes with our compilers."""

    compiler_module = "migrations_ops.place.backends.postgresql.compiler"


class DatabaseWrapper(Following, base.DatabaseWrapper):
    """A connection to PostgreSQL that follows."""

    ops_class = DatabaseOperations
