"""Sessions that have ended are removed: every visitor who searches has one, and nothing else would take them away."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django.utils import timezone

from migrations_ops.queue import schedule_ensure

SCHEDULE = "site-sessions"
CLEAR_EVERY = timedelta(hours=6)
#: Rows that one statement deletes: a long one would hold writers up on SQLite.
BATCH_ROWS = 1_000


def sessions_schedule() -> None:
    """Have the worker clear every few hours."""
    schedule_ensure(name=SCHEDULE, function="kbsite.sessions.sessions_clear", every=CLEAR_EVERY)


def sessions_clear(at: datetime | None = None) -> int:
    """Delete the sessions that are over; how many there were."""
    over = Session.objects.filter(expire_date__lt=at or timezone.now())
    cleared = 0
    while keys := list(over.order_by("expire_date").values_list("pk", flat=True)[:BATCH_ROWS]):
        cleared += over.filter(pk__in=keys).delete()[0]
    return cleared
