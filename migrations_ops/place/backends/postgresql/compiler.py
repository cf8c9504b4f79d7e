"""Django's compilers for PostgreSQL; those that write pass the turnstile."""

from __future__ import annotations

from django.db.backends.postgresql import compiler
from django.db.backends.postgresql.compiler import SQLAggregateCompiler, SQLCompiler

from migrations_ops.place.following import FollowingWrite

__all__ = ["SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler", "SQLUpdateCompiler"]


class SQLInsertCompiler(FollowingWrite, compiler.SQLInsertCompiler):
    """INSERT."""


class SQLUpdateCompiler(FollowingWrite, compiler.SQLUpdateCompiler):
    """UPDATE."""


class SQLDeleteCompiler(FollowingWrite, compiler.SQLDeleteCompiler):
    """DELETE."""
