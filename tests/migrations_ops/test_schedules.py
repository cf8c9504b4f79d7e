"""A schedule of a name is there once, however many processes make it at the same time."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django_q.models import Schedule

from migrations_ops.queue import WATCHDOG, schedule_ensure, schedule_set, watchdog_set

pytestmark = pytest.mark.django_db(transaction=True)


def test_processes_that_make_a_schedule_at_the_same_time_make_one() -> None:
    ready = threading.Barrier(4)

    def make() -> None:
        try:
            ready.wait(timeout=10)
            schedule_ensure(name="a-name", function="math.sqrt", every=timedelta(hours=1))
            watchdog_set()
        finally:
            connection.close()

    threads = [threading.Thread(target=make) for _each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Schedule.objects.filter(name="a-name").count() == 1
    assert Schedule.objects.filter(name=WATCHDOG).count() == 1


@pytest.mark.parametrize("make", [schedule_set, schedule_ensure])
def test_of_schedules_that_are_there_twice_the_oldest_stays(make: object) -> None:
    first, _second = (Schedule.objects.create(name="twice", func="math.sqrt") for _each in range(2))
    make(name="twice", function="math.floor", every=timedelta(hours=2))  # type: ignore[operator]
    row = Schedule.objects.get(name="twice")
    assert row.pk == first.pk
    assert row.func == ("math.floor" if make is schedule_set else "math.sqrt")
