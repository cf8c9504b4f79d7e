"""Processor time of a way: of this process and its children, and of the database server.

On a machine that others use too it says more than the clock.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

READINGS = 5
READINGS_APART_SECONDS = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(url: str) -> float:
    """What both have used so far; children of this process count when they have ended."""
    ours = sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
    with psycopg.connect(url) as connection:
        postmaster = _stat(connection.info.backend_pid)[1]
        return ours + max(_readings(postmaster)) / _TICKS


def _readings(postmaster: int) -> Iterator[int]:
    """The server's ticks a few times: a process that ends while it is looked at is missing in one of them."""
    for _ in range(READINGS):
        yield _server_ticks(postmaster)
        time.sleep(READINGS_APART_SECONDS)


def _server_ticks(postmaster: int) -> int:
    """Of the server with its processes, those that have ended included."""
    own, _parent = _stat(postmaster, ended=True)
    children = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return own + sum(ticks for ticks, parent in map(_stat, children) if parent == postmaster)


def _stat(pid: int, *, ended: bool = False) -> tuple[int, int]:
    """Ticks of a process, of its ended children too if wanted, and its parent; proc(5)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    return sum(int(fields[number]) for number in ((11, 12, 13, 14) if ended else (11, 12))), int(fields[1])
