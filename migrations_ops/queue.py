"""The only module that knows django-q2: slices of runs, schedules, heartbeats of workers.

The queue carries work; it is never the truth about a run. That is the run's row and its lease.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule
from django_q.status import Stat
from django_q.tasks import async_task

#: A worker process that has not reported for this long counts as gone.
HEARTBEAT_LIMIT = timedelta(seconds=30)

#: A batch that cannot be cut, such as a checkpoint of large data, outlives the slice that began it.
#: The queue may hand the task out again meanwhile; the lease refuses the second one.
SLICE_TIMEOUT_SECONDS = 4 * 3600

WATCHDOG = "ops-watchdog"


@dataclass(frozen=True)
class WorkerStatus:
    """One cluster of worker processes as it last reported."""

    name: str
    state: str
    age: timedelta

    @property
    def alive(self) -> bool:
        """Whether it reported lately and is not stopping."""
        return self.age < HEARTBEAT_LIMIT and self.state in {"Idle", "Working", "Starting"}


def kick(run_id: int) -> None:
    """Queue the next slice of a run; in the caller's transaction, so both commit or neither."""
    async_task("migrations_ops.runner.run_slice", run_id, task_name=f"run-{run_id}", timeout=SLICE_TIMEOUT_SECONDS)


def task_add(function: str, *args: Any, name: str) -> None:
    """Queue a function (dotted path) once; in the caller's transaction, so both commit or neither."""
    async_task(function, *args, task_name=name, timeout=SLICE_TIMEOUT_SECONDS)


def workers() -> list[WorkerStatus]:
    """Every cluster that has a heartbeat."""
    now = timezone.now()
    return [
        WorkerStatus(name=f"{stat.host}:{stat.pid}", state=str(stat.status), age=now - stat.timestamp)
        for stat in Stat.get_all()
    ]


def waiting_tasks() -> int:
    """How many tasks wait in the queue."""
    return int(OrmQ.objects.count())


@dataclass(frozen=True)
class FailedTask:
    """A task of the queue that ended with an error."""

    name: str
    function: str
    stopped_at: datetime
    error: str


def failed_tasks(limit: int) -> list[FailedTask]:
    """The last tasks that failed, newest first."""
    return [
        FailedTask(name=task.name, function=task.func, stopped_at=task.stopped, error=str(task.result or ""))
        for task in Failure.objects.order_by("-stopped")[:limit]
    ]


@dataclass(frozen=True)
class ScheduledTask:
    """Work that comes back on its own."""

    name: str
    function: str
    every: timedelta
    next_at: datetime


def scheduled_tasks() -> list[ScheduledTask]:
    """Every schedule, the next one first."""
    return [
        ScheduledTask(
            name=row.name or row.func,
            function=row.func,
            every=timedelta(minutes=row.minutes or 0),
            next_at=row.next_run,
        )
        for row in Schedule.objects.order_by("next_run")
    ]


def schedule_set(*, name: str, function: str, every: timedelta) -> None:
    """Run `function` (dotted path, no arguments) every so often; replaces a schedule of this name.

    `every` is a whole number of minutes, one or more; ValueError otherwise.
    """
    minutes, rest = divmod(every, timedelta(minutes=1))
    if minutes < 1 or rest:
        raise ValueError(f"schedule {name}: {every} is not a whole number of minutes")
    values = {
        "func": function,
        "schedule_type": Schedule.MINUTES,
        "minutes": minutes,
        "repeats": -1,
        "next_run": timezone.now(),
    }
    with _named(name) as row:
        if row is None:
            Schedule.objects.create(name=name, **values)
        else:
            Schedule.objects.filter(pk=row.pk).update(**values)


def schedule_ensure(*, name: str, function: str, every: timedelta) -> None:
    """The same for the first time, to begin after `every`; a schedule of this name keeps its rhythm."""
    if Schedule.objects.filter(name=name).count() == 1:
        return
    with _named(name) as row:
        if row is None:
            schedule_set(name=name, function=function, every=every)
            Schedule.objects.filter(name=name).update(next_run=timezone.now() + every)


@contextmanager
def _named(name: str) -> Iterator[Schedule | None]:
    """The one schedule of a name, for one process at a time: the queue's table knows no unique names.

    SQLite lets one transaction write; PostgreSQL gets a lock on the name. Of several the oldest stays.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"schedule {name}"])
        rows = list(Schedule.objects.filter(name=name).order_by("pk"))
        Schedule.objects.filter(pk__in=[row.pk for row in rows[1:]]).delete()
        yield rows[0] if rows else None


def schedule_remove(*, name: str) -> None:
    """Forget the schedule of this name; nothing happens when there is none."""
    Schedule.objects.filter(name=name).delete()


def watchdog_set() -> None:
    """Have runs looked after every minute; an existing schedule keeps its rhythm."""
    if Schedule.objects.filter(name=WATCHDOG).count() == 1:
        return
    with _named(WATCHDOG) as row:
        if row is None:
            schedule_set(name=WATCHDOG, function="migrations_ops.lease.runs_watch", every=timedelta(minutes=1))
