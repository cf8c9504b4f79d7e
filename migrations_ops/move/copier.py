"""Processes that copy ranges and make indexes, one order after the other.

    python -m migrations_ops.move.copier <descriptor of a socket> ...

The first reads a JSON line with the two databases and the tables, and becomes one more process for each
socket: what Python has to load for a copier, more than all else of its start, is loaded once. Nothing is
open to either database before that, as neither may be used by two processes. Then it waits for them and says
on its output how each has ended; SIGTERM has it kill them.

A copier reads orders from its socket, a JSON line each, and answers each with one line. It knows no model and
none of the site's settings, which keeps it small, and it ends with its input or with the first process.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import django
from django.conf import settings
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import OpsError
from migrations_ops.move.copying import range_copy
from migrations_ops.move.later import Later, Stage, later_make
from migrations_ops.move.pages import pages_unmapped
from migrations_ops.move.ranges import KeyRange
from migrations_ops.move.tables import Table, table_from
from migrations_ops.process import die_with_parent

#: Memory that the target's server may take to build one index.
MAINTENANCE_MEMORY = "128MB"


def main() -> None:
    """Become the copiers that are wanted, and tell of each when it has ended."""
    line = sys.stdin.readline()
    if not line:  # nobody wants any more
        return
    setup = json.loads(line)
    settings.configure(
        DATABASES={**setup["databases"], "default": {}}, USE_TZ=True, TIME_ZONE="UTC", LOGGING_CONFIG=None
    )
    django.setup()
    source, target = connections["source"], connections["target"]  # loads the drivers, connects to nothing
    tables = {table.name: table for table in map(table_from, setup["tables"])}
    sockets = [socket.socket(fileno=int(number)) for number in sys.argv[1:]]
    gc.freeze()  # so that no copier looks through what all share, which would make pages of its own of it
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # until all are known
    pids = [_forked(partial(_take_orders, each, sockets, source, target, tables)) for each in sockets]
    signal.signal(signal.SIGTERM, partial(_kill, pids))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    for each in sockets:
        each.close()
    _say({"pids": pids})
    while pids:
        pid, status = os.wait()
        pids.remove(pid)
        _say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _kill(pids: list[int], _signal: int, _frame: object) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(pid, signal.SIGKILL)


def _forked(work: Callable[[], None]) -> int:
    """A process that does this and ends, at the latest with this one."""
    first = os.getpid()
    if pid := os.fork():
        return pid
    code = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        die_with_parent()
        if os.getppid() == first:  # else it ended before that was in force
            work()
            code = 0
    except BaseException:  # noqa: BLE001 - these are its last words
        sys.stderr.write(traceback.format_exc())  # at once, as another one may say something, too
    finally:
        sys.stderr.flush()
        os._exit(code)  # without what the first process has to do at its end


def _take_orders(
    own: socket.socket,
    sockets: list[socket.socket],
    source: BaseDatabaseWrapper,
    target: BaseDatabaseWrapper,
    tables: dict[str, Table],
) -> None:
    """Until there are no more."""
    for other in sockets:
        if other is not own:  # whose end could not be noticed
            other.close()
    _prepare(target)
    with own.makefile("r", encoding="utf-8") as orders:
        for line in orders:
            answer = _answer(json.loads(line), source, target, tables)
            own.sendall(json.dumps(answer, default=str).encode() + b"\n")


def _prepare(target: BaseDatabaseWrapper) -> None:
    """No waiting for the disk at each commit (target_schema.target_flush does that once), no order of tables."""
    target.ensure_connection()
    if target.vendor == "sqlite":
        target.disable_constraint_checking()
        return
    with target.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(f"SET maintenance_work_mem = '{MAINTENANCE_MEMORY}'")


def _answer(
    order: dict[str, Any], source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: dict[str, Table]
) -> dict[str, Any]:
    orders: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "range": lambda facts: _copy(source, target, tables, KeyRange(**facts)),
        "later": lambda facts: {"made": later_make(target, Later(**{**facts, "stage": Stage(facts["stage"])}))},
    }
    ((name, facts),) = order.items()
    try:
        with source.wrap_database_errors, target.wrap_database_errors:  # COPY raises what the driver raises
            return orders[name](facts)
    except OpsError as error:
        return {"code": error.code, "facts": error.facts}
    except DatabaseError as error:
        return {"failure": f"{type(error).__name__}: {error}"}


def _copy(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: dict[str, Table], key_range: KeyRange
) -> dict[str, Any]:
    with pages_unmapped(source):
        copied = range_copy(source, target, tables[key_range.table], key_range)
    return {"rows": copied.rows, "bytes": copied.bytes}


if __name__ == "__main__":
    main()
