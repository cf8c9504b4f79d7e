"""The database that searches ask, and rows from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

#: Times that PostgreSQL is sent a statement of a connection before it is prepared.
PREPARED_AFTER = 1
_searched: ContextVar[str] = ContextVar("searched", default=DEFAULT_DB_ALIAS)


@contextmanager
def searched_at(alias: str) -> Iterator[None]:
    """Searches in here ask the database of this alias, to compare two of them."""
    token = _searched.set(alias)
    try:
        yield
    finally:
        _searched.reset(token)


def searched() -> str:
    """The alias of the database that searches ask."""
    return _searched.get()


def database() -> BaseDatabaseWrapper:
    """The connection of searches."""
    return connections[_searched.get()]


def rows(sql: str, params: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
    """What the database answers."""
    with database().cursor() as cursor:
        cursor.execute(sql, list(params))
        return list(cursor.fetchall())


def rows_prepared(sql: str, params: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
    """The same; PostgreSQL reads and plans the statement once for each connection.

    For questions of few texts: what differs from search to search is in the parameters, and the best plan is the
    same for all of them. To plan is a fifth of the work of a search.
    """
    connection = database()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and settings.SEARCH_PREPARED and not connection.queries_logged:
            _prepare(connection, cursor)
        values = list(params)
        try:
            cursor.execute(sql, values)
        except NotSupportedError:  # what was planned is over: a column has got another type
            if connection.in_atomic_block:
                raise
            connection.connection.execute("DEALLOCATE ALL")
            cursor.execute(sql, values)
        return list(cursor.fetchall())


def _prepare(connection: Any, cursor: CursorWrapper) -> None:
    """Have psycopg prepare what this cursor executes; Django's own cursors go on sending texts."""
    from psycopg import Cursor

    driver = connection.connection
    if driver.prepare_threshold is None:
        if connection.in_atomic_block:
            return  # a rollback would forget the setting
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        driver.prepare_threshold = PREPARED_AFTER
    cursor.cursor = Cursor(driver)


def marks(count: int) -> str:
    """Place holders for so many parameters."""
    return ", ".join(["%s"] * count)


def is_sqlite() -> bool:
    """Whether searches ask SQLite."""
    return database().vendor == "sqlite"


def one_of(column: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    """A condition that a column has one of these values, and its parameters; many place holders are slow to read."""
    if is_sqlite():
        return f"{column} IN ({marks(len(values))})", list(values)
    return f"{column} = ANY(%s)", [list(values)]


def numbers(values: Iterable[int]) -> str:
    """Numbers as SQL lists them."""
    return ", ".join(f"{value:d}" for value in values)


def hexadecimal(value: UUID | str) -> str:
    """A UUID as SQLite holds it."""
    return value if isinstance(value, str) else value.hex


def stored(key: UUID) -> UUID | str:
    """A UUID as the database holds it."""
    return key.hex if is_sqlite() else key
