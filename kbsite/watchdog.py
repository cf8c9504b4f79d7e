"""Tells when the task worker looks alive and no longer works, and gives back the tasks it held.

A process that is killed while it waits for a task keeps the lock of the queue inside the worker,
and every other process of it then waits for ever; django-q2 itself sees nothing wrong.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

from django.db import DatabaseError
from django.utils import timezone
from django_q.models import OrmQ

from kbsite.worker import busy_clear, busy_processes, last_task_began, process_alive
from migrations_ops.queue import WorkerStatus, workers

#: A worker imports the whole site before its first heartbeat.
START_ALLOWANCE = timedelta(seconds=30)


class Wrong(Enum):
    """What is wrong with a worker, as it is told to a person."""

    SILENT = "it gives no sign of life"
    IDLE = "tasks wait and no process works on one"


@dataclass
class Watchdog:
    """Looks at the worker of one leading process, again and again."""

    stuck_after: timedelta
    #: Monotonic time since when the present wrong has been there.
    _since: dict[Wrong, float] = field(default_factory=dict)
    #: Time of the look before, in seconds since the epoch.
    _looked_at: float = field(default_factory=time.time)

    def reset(self) -> None:
        """Begin again, for a worker that was just started."""
        self._since = {}

    def verdict(self, leader_pid: int) -> str | None:
        """Why the worker must be started again, or None when it need not or cannot be said."""
        try:
            wrong = self._wrong(leader_pid)
        except DatabaseError:
            self.reset()  # with the database away, nothing can be told and nothing would be better
            return None
        now = time.monotonic()
        self._since = {wrong: self._since.get(wrong, now)} if wrong else {}
        return wrong.value if wrong and now - self._since[wrong] > self._patience(wrong).total_seconds() else None

    def _patience(self, wrong: Wrong) -> timedelta:
        return self.stuck_after + (START_ALLOWANCE if wrong is Wrong.SILENT else timedelta())

    def _wrong(self, leader_pid: int) -> Wrong | None:
        if not any(status.alive and _process(status) == leader_pid for status in workers()):
            return Wrong.SILENT
        # Between two short tasks nobody is busy for a moment. File times lag a clock tick behind.
        worked = last_task_began() >= self._looked_at - 1
        self._looked_at = time.time()
        return Wrong.IDLE if OrmQ.objects.exists() and not worked and not busy_processes() else None


def tasks_release() -> int:
    """Give back the tasks that a dead worker held, and forget who was busy; returns how many.

    Nothing is given back while another worker lives, since the tasks may be its own.
    """
    busy_clear()
    try:
        if any(status.alive and not _ended_here(status) for status in workers()):
            return 0
        now = timezone.now()
        return int(OrmQ.objects.filter(lock__gt=now).update(lock=now))
    except DatabaseError:
        return 0  # they come back by themselves when the queue's retry time is over


def _process(status: WorkerStatus) -> int:
    return int(status.name.rpartition(":")[2])


def _ended_here(status: WorkerStatus) -> bool:
    """Whether a process of this machine is gone; its last heartbeat outlives it by seconds."""
    return status.name.startswith(f"{socket.gethostname()}:") and not process_alive(_process(status))
