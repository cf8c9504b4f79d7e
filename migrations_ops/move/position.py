"""How far a database has followed another one: a row in the follower, in the transaction of the rows."""

from __future__ import annotations

import time

from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import LogGapError
from migrations_ops.move.log import START, Position, capture_state, log_head

POSITION = "ops_move_position"


def position_make(follower: BaseDatabaseWrapper) -> None:
    """Make the table where it is missing."""
    with follower.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {POSITION} (id INTEGER PRIMARY KEY CHECK (id = 1), "
            "token VARCHAR(32) NOT NULL, xid BIGINT NOT NULL, seq BIGINT NOT NULL, drained_at DOUBLE PRECISION NOT NULL)"
        )


def position_begin(follower: BaseDatabaseWrapper, token: str) -> None:
    """Follow the recording with this token from its first line on."""
    with follower.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {POSITION} (id, token, xid, seq, drained_at) VALUES (1, %s, 0, 0, %s) "
            "ON CONFLICT (id) DO UPDATE SET token = EXCLUDED.token, xid = 0, seq = 0, drained_at = EXCLUDED.drained_at",
            [token, time.time()],
        )


def position_lock(follower: BaseDatabaseWrapper, source: BaseDatabaseWrapper) -> Position:
    """How far the follower is, with a lock on it, so that only one drains at a time.

    A follower without a position begins at the first line. Raises LogGapError when the log does not go on
    from there: lines are gone, or it is another recording.
    """
    state = capture_state(source)
    with follower.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {POSITION} (id, token, xid, seq, drained_at) VALUES (1, %s, 0, 0, %s) "
            "ON CONFLICT (id) DO UPDATE SET id = 1 RETURNING token, xid, seq",
            [state.token, time.time()],
        )
        token, xid, seq = cursor.fetchone()
    position = Position(xid, seq)
    if token != state.token:
        raise LogGapError(reason="the recording was begun anew")
    if position < state.trimmed:
        raise LogGapError(reason="lines after the last applied one are gone")
    if position > START and position > log_head(source):
        raise LogGapError(reason="the record ends before the last applied change")
    return position


def position_read(follower: BaseDatabaseWrapper) -> tuple[Position, float]:
    """How far the follower is, and when it came there, in seconds since 1970."""
    with follower.cursor() as cursor:
        cursor.execute(f"SELECT xid, seq, drained_at FROM {POSITION}")
        xid, seq, drained_at = cursor.fetchone()
    return Position(xid, seq), float(drained_at)


def position_save(follower: BaseDatabaseWrapper, position: Position) -> None:
    """Note that the follower has everything up to here, in the transaction of the rows."""
    with follower.cursor() as cursor:
        cursor.execute(f"UPDATE {POSITION} SET xid = %s, seq = %s, drained_at = %s", [*position, time.time()])
