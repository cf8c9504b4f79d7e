"""What tells a database that does not answer from a statement that is wrong."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, OperationalError

from migrations_ops.errors import DatabaseMovedError

logger = logging.getLogger(__name__)


def database_away(error: BaseException | None) -> bool:
    """Whether the database refused because of its own state: gone, locked for too long, its disk full.

    SQLite reports a missing table and a wrong statement by the same class; its plain SQLITE_ERROR
    (https://www.sqlite.org/rescode.html#error) tells them apart.
    """
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    return getattr(error.__cause__, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR


@contextmanager
def written_if_possible(what: str) -> Iterator[None]:
    """Around what a page notes while somebody reads: they get it also from a database that takes no writes just now.

    `what` begins the line of the log. An error that is not the database's own state is raised, and so is a move.
    """
    try:
        yield
    except DatabaseError as error:
        if isinstance(error, DatabaseMovedError) or not database_away(error):
            raise
        logger.warning("%s was not noted: %s", what, error)
