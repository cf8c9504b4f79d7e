"""Why a move should hold back just now: the hours, the disk, the write-ahead log."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.models import Move

#: Free space on the site's disk below which nothing more is copied.
DISK_KEPT_BYTES = 256 * 1024**2
#: A write-ahead log of SQLite beyond this is left to shrink before reading goes on.
LOG_BYTES_MAX = 512 * 1024**2
MEGABYTE = 1024**2


def held_back(move: Move, source: BaseDatabaseWrapper, *, now: dt.datetime, free_bytes: int) -> str:
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
    return ""


def log_bytes(source: BaseDatabaseWrapper) -> int:
    """Size of the write-ahead log of a SQLite database; 0 for others, which look after theirs."""
    if source.vendor != "sqlite":
        return 0
    name: Any = source.settings_dict["NAME"]
    log = Path(f"{name}-wal")
    return log.stat().st_size if log.exists() else 0
