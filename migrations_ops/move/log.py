"""The log of changed rows: lines (position, table, key).

A line says nothing of the change: whoever reads it fetches the row as it is. A position is (0, number)
on SQLite. On PostgreSQL it is (transaction, number), and only lines of transactions older than every open
one are settled: a number that was taken early may be committed late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.triggers import CAPTURE, LOG

#: Changes are counted up to here; more are "many".
LEFT_MAX = 100_000
#: Lines that one transaction takes out of the log.
TRIM_LINES = 5_000


class Position(NamedTuple):
    """A place in the log; later lines are greater."""

    xid: int
    seq: int


START = Position(0, 0)


class Change(NamedTuple):
    """One line of the log. The key is as the database spells it."""

    position: Position
    table: str
    key: Any


@dataclass(frozen=True)
class Changes:
    """Lines of the log, in order."""

    changes: list[Change]
    #: Everything up to here is settled and among these or earlier lines.
    last: Position
    #: Whether the limit left some out.
    more: bool


@dataclass(frozen=True)
class CaptureState:
    """What a captured database knows of itself."""

    #: Made up whenever a recording begins, so that nobody mistakes a new one for the old one.
    token: str
    fenced: bool
    #: Lines up to here were taken out of the log.
    trimmed: Position


def capture_state(connection: BaseDatabaseWrapper) -> CaptureState:
    """What the captured database knows of itself."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT token, up, trimmed_xid, trimmed_seq FROM {CAPTURE} WHERE id = 1")
        token, up, xid, seq = cursor.fetchone()
    return CaptureState(token=token, fenced=bool(up), trimmed=Position(xid, seq))


def log_head(connection: BaseDatabaseWrapper) -> Position:
    """Where the log ends, as this connection sees it."""
    newest = "xid DESC, seq DESC" if connection.vendor == "postgresql" else "seq DESC"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_xid(connection)}, seq FROM {LOG} ORDER BY {newest} LIMIT 1")
        row = cursor.fetchone()
    return max(capture_state(connection).trimmed, Position(*row) if row else START)


def changes_read(connection: BaseDatabaseWrapper, after: Position, limit: int) -> Changes:
    """The next settled lines of the log."""
    settled = "AND xid < pg_snapshot_xmin(pg_current_snapshot())" if connection.vendor == "postgresql" else ""
    found = _lines(connection, after, f"{settled} ORDER BY {_order(connection)} LIMIT {int(limit)}")
    changes = [Change(Position(xid, seq), table, key) for xid, seq, table, key, _settled in found]
    return Changes(changes, last=changes[-1].position if changes else after, more=len(changes) == limit)


def changes_visible(connection: BaseDatabaseWrapper, after: Position) -> Changes:
    """Every later line that this connection sees, settled or not; `last` is the last settled one."""
    found = _lines(connection, after, f"ORDER BY {_order(connection)}")
    settled = [Position(xid, seq) for xid, seq, _table, _key, is_settled in found if is_settled]
    changes = [Change(Position(xid, seq), table, key) for xid, seq, table, key, _settled in found]
    return Changes(changes, last=settled[-1] if settled else after, more=False)


def changes_left(connection: BaseDatabaseWrapper, after: Position) -> int:
    """How many lines come after this position; LEFT_MAX stands for that many or more."""
    where, values = _beyond(connection, ">", after)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM {LOG} WHERE {where} LIMIT {LEFT_MAX}) AS counted", values)
        return int(cursor.fetchone()[0])


def log_trim(connection: BaseDatabaseWrapper, upto: Position) -> None:
    """Take lines up to this position out of the log, a few at a time so that writers come between."""
    where, values = _beyond(connection, "<=", upto)
    row = "(xid, seq)" if connection.vendor == "postgresql" else "seq"
    columns, order = row.strip("()"), _order(connection)
    taken = TRIM_LINES
    while taken == TRIM_LINES:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {CAPTURE} SET trimmed_xid = %s, trimmed_seq = %s WHERE (trimmed_xid, trimmed_seq) < (%s, %s)",
                [*upto, *upto],
            )
            cursor.execute(
                f"DELETE FROM {LOG} WHERE {row} IN "
                f"(SELECT {columns} FROM {LOG} WHERE {where} ORDER BY {order} LIMIT {TRIM_LINES})",
                values,
            )
            taken = cursor.rowcount


def log_reset(connection: BaseDatabaseWrapper) -> str:
    """Begin a new recording with an empty log, in the caller's transaction; returns its token."""
    token = uuid4().hex
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {LOG}")
        cursor.execute(f"UPDATE {CAPTURE} SET token = %s, trimmed_xid = 0, trimmed_seq = 0", [token])
    return token


def _lines(connection: BaseDatabaseWrapper, after: Position, rest: str) -> Sequence[tuple[Any, ...]]:
    where, values = _beyond(connection, ">", after)
    settled = "xid < pg_snapshot_xmin(pg_current_snapshot())" if connection.vendor == "postgresql" else "1"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_xid(connection)}, seq, tbl, key, {settled} FROM {LOG} WHERE {where} {rest}", values)
        return list(cursor.fetchall())


def _xid(connection: BaseDatabaseWrapper) -> str:
    return "xid::text::bigint" if connection.vendor == "postgresql" else "0"


def _order(connection: BaseDatabaseWrapper) -> str:
    return "xid, seq" if connection.vendor == "postgresql" else "seq"


def _beyond(connection: BaseDatabaseWrapper, comparison: str, position: Position) -> tuple[str, list[Any]]:
    """A condition on lines compared with a position, and its values."""
    if connection.vendor == "postgresql":
        return f"(xid, seq) {comparison} (%s::xid8, %s)", [str(position.xid), position.seq]
    return f"seq {comparison} %s", [position.seq]
