"""When a move holds back, and what it does when a database goes away."""

from __future__ import annotations

import datetime as dt
import errno
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import OperationalError

from migrations_ops.errors import CopierError, TargetSchemaError
from migrations_ops.models import Move
from migrations_ops.move import brakes
from migrations_ops.move.brakes import DISK_KEPT_BYTES, held_back, target_room
from migrations_ops.steps.base import Batch
from migrations_ops.steps.move.base import patiently
from tests.move.conftest import Pair

#: What a process leaves that ends with an exception raised because of a lost connection.
TRACEBACK = """Traceback (most recent call last):
  File "a.py", line 1, in connect
    raise OperationalError: {{}}
psycopg.OperationalError: connection failed: server closed the connection unexpectedly
	This probably means the server terminated abnormally

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "b.py", line 2, in main
    wrapped()
{}
"""
NOON = dt.datetime(2030, 1, 31, 12, 0, tzinfo=dt.UTC)


def test_a_move_holds_back_outside_its_hours_on_a_full_disk_and_beside_a_long_log(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Move(quiet_from=dt.time(22), quiet_until=dt.time(6))

    assert held_back(Move(), pair.sqlite, now=NOON, free_bytes=DISK_KEPT_BYTES) == ""
    assert "22:00 until 06:00" in held_back(night, pair.sqlite, now=NOON, free_bytes=DISK_KEPT_BYTES)
    assert "MB of the site's disk" in held_back(Move(), pair.sqlite, now=NOON, free_bytes=DISK_KEPT_BYTES - 1)
    monkeypatch.setattr(brakes, "LOG_BYTES_MAX", -1)
    assert "write-ahead log" in held_back(Move(), pair.sqlite, now=NOON, free_bytes=DISK_KEPT_BYTES)


def test_a_move_holds_back_for_the_log_that_a_slot_of_the_target_keeps_and_says_which(pair: Pair) -> None:
    """The slot is made at the end of the log and left without a reader, while a little is written."""
    with pair.postgresql.cursor() as cursor:
        cursor.execute("SELECT pg_create_physical_replication_slot('forgotten', true)")
    try:
        with pair.postgresql.cursor() as cursor:
            cursor.execute("CHECKPOINT")
            cursor.execute("CREATE TABLE grown AS SELECT repeat('x', 1000) AS x FROM generate_series(1, 3000)")
        room = target_room(pair.postgresql)
        assert room and room.slot == "forgotten" and room.log_bytes > 2 * 1024**2 and not room.slot_active
        assert room.log_bytes_max >= 32 * 1024**2 and room.held_back == ""
        reason = replace(room, log_bytes_max=1024**2 // 2).held_back
        assert "its replication slot forgotten is read by nobody" in reason
        move = Move()
        held = replace(room, log_bytes_max=1024**2 // 2)
        assert held_back(move, pair.sqlite, now=NOON, free_bytes=DISK_KEPT_BYTES, room=held) == reason
    finally:
        with pair.postgresql.cursor() as cursor:
            cursor.execute("SELECT pg_drop_replication_slot('forgotten')")


def test_the_disk_of_a_target_on_this_machine_is_watched_and_a_file_has_no_server(pair: Pair) -> None:
    room = target_room(pair.postgresql)
    assert room and room.free_bytes
    assert "MB of the target's disk" in replace(room, free_bytes=DISK_KEPT_BYTES - 1).held_back
    assert replace(room, free_bytes=None, log_bytes=0).held_back == ""
    assert "after the server's checkpoint" in replace(room, slot="", log_bytes=room.log_bytes_max * 5).held_back
    assert target_room(pair.sqlite) is None


def failing(error: Exception) -> Iterator[Batch]:
    """One batch, then a failure."""
    yield Batch({"at": 1}, 10)
    raise error


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("server closed the connection\nand more"),
        CopierError(reason="OperationalError: could not extend file: No space left on device"),
        CopierError(
            reason=TRACEBACK.format("django.db.utils.OperationalError: it closed\n\tThis probably means:\n more")
        ),
        TargetSchemaError(reason=TRACEBACK.format("psycopg.InterfaceError: the connection is closed")),
    ],
)
def test_a_database_that_goes_away_or_is_full_is_waited_for_at_the_same_place(error: Exception) -> None:
    batches = list(patiently(failing(error), None))

    assert batches[-1].cursor == {"at": 1}
    assert batches[-1].waiting_for.startswith("a database, which said: ")


def test_a_full_disk_is_waited_for_and_a_missing_file_is_not() -> None:
    (_, waiting) = patiently(failing(OSError(errno.ENOSPC, "No space left on device", "x")), None)
    assert (waiting.cursor, waiting.waiting_for) == (
        {"at": 1},
        "room on a disk: [Errno 28] No space left on device: 'x'",
    )
    with pytest.raises(FileNotFoundError):
        list(patiently(failing(FileNotFoundError(errno.ENOENT, "No such file")), None))


@pytest.mark.parametrize(
    "reason", ["KeyError: 'x'", TRACEBACK.format("ValueError: OperationalError"), "it ended with -9"]
)
def test_another_failure_of_a_copying_process_is_a_failure(reason: str) -> None:
    with pytest.raises(CopierError):
        list(patiently(failing(CopierError(reason=reason)), None))
