"""When a worker counts as stuck, and what becomes of the tasks it held."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.db import OperationalError
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from kbsite import watchdog, worker
from kbsite.watchdog import START_ALLOWANCE, Watchdog, Wrong, tasks_release
from migrations_ops.queue import WorkerStatus

LEADER = 4321
LIMIT = timedelta(seconds=30)

Clock = Callable[[float], None]
Report = Callable[..., None]


def status(pid: int, *, host: str = "elsewhere", age: timedelta = timedelta()) -> WorkerStatus:
    return WorkerStatus(name=f"{host}:{pid}", state="Idle", age=age)


def task_held_for(seconds: int) -> OrmQ:
    return OrmQ.objects.create(key="kb", payload="x", lock=timezone.now() + timedelta(seconds=seconds))


@pytest.fixture(autouse=True)
def busy_folder(settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    worker.busy_folder().mkdir()
    return worker.busy_folder()


@pytest.fixture
def heartbeats() -> Iterator[mock.Mock]:
    with mock.patch.object(watchdog, "workers", return_value=[status(LEADER)]) as workers:
        yield workers


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Lets monotonic time pass."""
    with mock.patch.object(watchdog.time, "monotonic", return_value=1000.0) as monotonic:

        def pass_seconds(seconds: float) -> None:
            monotonic.return_value += seconds

        yield pass_seconds


@pytest.mark.django_db
def test_an_idle_worker_without_tasks_is_well(heartbeats: mock.Mock, clock: Clock) -> None:
    dog = Watchdog(LIMIT)
    dog.verdict(LEADER)
    clock(3600)
    assert dog.verdict(LEADER) is None


@pytest.mark.django_db
def test_tasks_that_wait_while_nobody_works_are_a_reason_after_the_limit(heartbeats: mock.Mock, clock: Clock) -> None:
    task_held_for(600)
    dog = Watchdog(LIMIT)
    assert dog.verdict(LEADER) is None
    clock(29)
    assert dog.verdict(LEADER) is None
    clock(2)
    assert dog.verdict(LEADER) == Wrong.IDLE.value


@pytest.mark.django_db
def test_a_long_task_is_no_reason(heartbeats: mock.Mock, clock: Clock) -> None:
    task_held_for(600)
    worker.busy_begin()
    dog = Watchdog(LIMIT)
    dog.verdict(LEADER)
    clock(3600)
    assert dog.verdict(LEADER) is None


@pytest.mark.django_db
def test_many_short_tasks_are_no_reason(heartbeats: mock.Mock, clock: Clock) -> None:
    task_held_for(600)
    dog = Watchdog(LIMIT)
    for _ in range(10):
        worker.busy_begin()
        worker.busy_end()
        clock(5)
        assert dog.verdict(LEADER) is None


@pytest.mark.django_db
def test_a_process_that_died_at_work_does_not_count_as_busy(
    heartbeats: mock.Mock, clock: Clock, busy_folder: Path
) -> None:
    task_held_for(600)
    (busy_folder / "4000000").touch()  # above every process id that Linux gives out by default
    dog = Watchdog(LIMIT)
    dog.verdict(LEADER)
    clock(31)
    assert dog.verdict(LEADER) == Wrong.IDLE.value


@pytest.mark.django_db
@pytest.mark.parametrize("found", [[], [status(LEADER + 1)], [status(LEADER, age=timedelta(minutes=2))]])
def test_a_silent_worker_is_a_reason_after_the_limit_and_the_time_to_start(
    heartbeats: mock.Mock, clock: Clock, found: list[WorkerStatus]
) -> None:
    heartbeats.return_value = found
    dog = Watchdog(LIMIT)
    dog.verdict(LEADER)
    clock(31)
    assert dog.verdict(LEADER) is None
    clock(START_ALLOWANCE.total_seconds())
    assert dog.verdict(LEADER) == Wrong.SILENT.value


@pytest.mark.django_db
def test_without_a_database_nothing_is_said(heartbeats: mock.Mock, clock: Clock) -> None:
    heartbeats.side_effect = OperationalError("gone")
    dog = Watchdog(LIMIT)
    dog.verdict(LEADER)
    clock(3600)
    assert dog.verdict(LEADER) is None


@pytest.mark.django_db
def test_tasks_of_a_dead_worker_are_given_back_at_once(heartbeats: mock.Mock, busy_folder: Path) -> None:
    heartbeats.return_value = [status(4000000, host=socket.gethostname())]
    worker.busy_begin()
    task = task_held_for(600)
    assert tasks_release() == 1
    task.refresh_from_db()
    assert task.lock <= timezone.now()
    assert list(busy_folder.iterdir()) == []


@pytest.mark.django_db
@pytest.mark.parametrize("other", [status(7), status(os.getpid(), host=socket.gethostname())])
def test_tasks_stay_held_while_another_worker_lives(heartbeats: mock.Mock, other: WorkerStatus) -> None:
    heartbeats.return_value = [other]
    task_held_for(600)
    assert tasks_release() == 0
