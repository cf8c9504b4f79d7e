"""The task worker: `python -m kbsite.worker` is `manage.py qcluster` that also says who is busy.

A file named after the process lies in the busy folder while a task runs, so that the watchdog can
tell a long task from a queue that no longer moves.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import Any

import django

#: The file, beside those of the busy processes, whose time is the beginning of the last task.
LAST = "last"


def busy_folder() -> Path:
    """Where each busy process has its file."""
    from django.conf import settings

    return Path(settings.DATA_DIR) / "worker-busy"


def busy_begin(**_signal: Any) -> None:
    """Note that this process works on a task. An error here would cost the task, so there is none."""
    with contextlib.suppress(OSError):
        (busy_folder() / str(os.getpid())).touch()


def busy_end(**_signal: Any) -> None:
    """Note that this process waits for its next task, and when its last one began."""
    with contextlib.suppress(OSError):
        (busy_folder() / str(os.getpid())).replace(busy_folder() / LAST)


def busy_clear() -> None:
    """Forget who was busy; when every process of the worker is gone."""
    for path in busy_folder().glob("*"):
        path.unlink(missing_ok=True)


def busy_processes() -> list[int]:
    """Processes of this machine that work on a task now."""
    found = [int(path.name) for path in busy_folder().glob("*") if path.name != LAST]
    return [pid for pid in found if process_alive(pid)]


def last_task_began() -> float:
    """When the last task began that has ended, in seconds since the epoch; 0 where none has."""
    try:
        return (busy_folder() / LAST).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def process_alive(pid: int) -> bool:
    """Whether this machine has a process with this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def schedules_ensure() -> None:
    """Set the schedules that every site has. A database that does not answer yet is asked at the next start."""
    from django.db import DatabaseError, connection

    from kbsite.sessions import sessions_schedule
    from knowledge.reminders import reminders_schedule
    from knowledge.transfer.retention import transfers_schedule
    from migrations_ops.integrity.alerts import integrity_schedule

    try:
        reminders_schedule()
        integrity_schedule()
        transfers_schedule()
        sessions_schedule()
    except DatabaseError as error:
        logging.getLogger(__name__).warning("The schedules were not looked at: %s", error)
    finally:
        connection.close()  # the processes of the queue are forked from this one


def main() -> None:
    """Work until SIGTERM or SIGINT."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kbsite.settings")
    django.setup()
    from django.core.management import call_command
    from django_q.signals import post_execute_in_worker, pre_execute

    busy_folder().mkdir(exist_ok=True)
    pre_execute.connect(busy_begin)
    post_execute_in_worker.connect(busy_end)
    schedules_ensure()
    call_command("qcluster")


if __name__ == "__main__":
    main()
