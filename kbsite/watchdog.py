"""Tells when the task worker looks alive and no longer works, and gives back the tasks it held.

A process that is killed while it waits for a task keeps the lock of the queue inside the worker,
and every other process of it then waits for ever; django-q2 itself sees nothing wrong.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from django_q.models import OrmQ

from kbsite.worker import busy_clear, busy_processes
from migrations_ops.queue import workers


@dataclass
class Watchdog:
    """Looks at the worker of one leading process, again and again."""

    stuck_after: timedelta
    #: Monotonic time since when something has been wrong, by what it is.
    _wrong_since: dict[str, float]

    def __init__(self, stuck_after: timedelta | None = None) -> None:
        self.stuck_after = stuck_after or timedelta(seconds=settings.SERVE_STUCK_SECONDS)
        self._wrong_since = {}

    def reset(self) -> None:
        """Begin again, for a worker that was just started."""
        self._wrong_since = {}

    def verdict(self, leader_pid: int) -> str | None:
        """Why the worker must be started again, or None when it need not or cannot be said."""
        try:
            wrong = self._wrong(leader_pid)
        except DatabaseError:
            self.reset()  # with the database away, nothing can be told and nothing would be better
            return None
        finally:
            close_old_connections()
        now = time.monotonic()
        self._wrong_since = {reason: self._wrong_since.get(reason, now) for reason in wrong}
        limit = self.stuck_after.total_seconds()
        return next((reason for reason, since in self._wrong_since.items() if now - since > limit), None)

    def _wrong(self, leader_pid: int) -> list[str]:
        wrong = []
        if not any(status.alive and status.name.endswith(f":{leader_pid}") for status in workers()):
            wrong.append("it gives no sign of life")
        if OrmQ.objects.exists() and not busy_processes():
            wrong.append("tasks wait and no process works on one")
        return wrong


def tasks_release() -> int:
    """Give back the tasks that a dead worker held, and forget who was busy; returns how many.

    Nothing is given back while another worker lives, since the tasks may be its own.
    """
    busy_clear()
    try:
        if any(status.alive for status in workers()):
            return 0
        now = timezone.now()
        return OrmQ.objects.filter(lock__gt=now).update(lock=now)
    except DatabaseError:
        return 0  # they come back by themselves when the queue's retry time is over
    finally:
        close_old_connections()
