"""Why a move should hold back just now: the hours, the disks, the write-ahead logs of both sides.

PostgreSQL tells how much its databases take, not how much its disks have left. Where the server is on this machine
and its account may see its folder, the disk is asked; elsewhere the log that it keeps is what can be watched.
"""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.models import Move
from migrations_ops.move.target import disk_folder

#: Free space on the site's disk below which nothing more is copied.
DISK_KEPT_BYTES = 256 * 1024**2
#: A write-ahead log of SQLite beyond this is left to shrink before reading goes on.
LOG_BYTES_MAX = 512 * 1024**2
#: A PostgreSQL target that keeps more than so many times its max_wal_size is waited for.
TARGET_LOG_TIMES = 4
MEGABYTE = 1024**2


@dataclass(frozen=True)
class TargetRoom:
    """What can be known of the room of a PostgreSQL server. `log_bytes` are kept since the last checkpoint, or
    for `slot`; `free_bytes` is None where the server does not tell."""

    log_bytes: int
    log_bytes_max: int
    #: The replication slot that holds most of the log back, and whether somebody reads from it; empty without slots.
    slot: str
    slot_active: bool
    free_bytes: int | None

    @property
    def held_back(self) -> str:
        """Why a move waits for this server, in words; empty when it may go on."""
        if self.free_bytes is not None and self.free_bytes < DISK_KEPT_BYTES:
            free, kept = self.free_bytes // MEGABYTE, DISK_KEPT_BYTES // MEGABYTE
            return f"only {free} MB of the target's disk are free; {kept} MB stay free"
        if self.log_bytes <= self.log_bytes_max * TARGET_LOG_TIMES:
            return ""
        kept_text = (
            f"the target keeps {self.log_bytes // MEGABYTE} MB of write-ahead log "
            f"(max_wal_size is {self.log_bytes_max // MEGABYTE} MB)"
        )
        if not self.slot:
            return f"{kept_text}; it goes on after the server's checkpoint"
        reads = "has not read so far" if self.slot_active else "is read by nobody: have its reader catch up, or drop it"
        return f"{kept_text}: its replication slot {self.slot} {reads}"


def target_room(target: BaseDatabaseWrapper) -> TargetRoom | None:
    """What a PostgreSQL target tells of its room; None for a file, whose disk is looked at as the site's, and for an
    account that may not ask."""
    if target.vendor != "postgresql":
        return None
    try:
        log, most, kept, slot, active = _log_kept(target)
    except ProgrammingError:
        return None
    folder = disk_folder(target)
    free = shutil.disk_usage(folder).free if folder else None
    return TargetRoom(max(log, kept), most, slot if kept >= log else "", active, free)


def _log_kept(target: BaseDatabaseWrapper) -> tuple[int, int, int, str, bool]:
    """Bytes of log since the last checkpoint, max_wal_size, bytes for the slot that is most behind, and which it is."""
    with target.cursor() as cursor:
        cursor.execute(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), (SELECT redo_lsn FROM pg_control_checkpoint()))::bigint, "
            "pg_size_bytes(current_setting('max_wal_size'))"
        )
        log, most = cursor.fetchone()
        cursor.execute(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint AS kept, slot_name, active "
            "FROM pg_replication_slots WHERE restart_lsn IS NOT NULL ORDER BY kept DESC LIMIT 1"
        )
        return log, most, *(cursor.fetchone() or (0, "", False))


def held_back(
    move: Move, source: BaseDatabaseWrapper, *, now: dt.datetime, free_bytes: int, room: TargetRoom | None = None
) -> str:
    """Why the move waits, in words; empty when it may go on. `now` is local time."""
    if not move.is_quiet(now):
        return f"it works from {move.quiet_from:%H:%M} until {move.quiet_until:%H:%M} only"
    if free_bytes < DISK_KEPT_BYTES:
        return (
            f"only {free_bytes // MEGABYTE} MB of the site's disk are free; {DISK_KEPT_BYTES // MEGABYTE} MB stay free"
        )
    log = log_bytes(source)
    if log > LOG_BYTES_MAX:
        return f"the write-ahead log has {log // MEGABYTE} MB; it shrinks while nothing is read"
    return room.held_back if room else ""


def log_bytes(source: BaseDatabaseWrapper) -> int:
    """Size of the write-ahead log of a SQLite database; 0 for others, which look after theirs."""
    if source.vendor != "sqlite":
        return 0
    name: Any = source.settings_dict["NAME"]
    log = Path(f"{name}-wal")
    return log.stat().st_size if log.exists() else 0
