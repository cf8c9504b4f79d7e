"""Starts Python programs from a process that has the big libraries loaded already, in less than half of the time.

Each program still is a process of its own that reads its own settings: what is loaded beforehand
is other people's and has read none. What tests kill, and the servers, start cold.

    started = warm_run(["manage.py", "migrate"], env=..., cwd=..., timeout_seconds=60)
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
MESSAGE_BYTES = 1_000_000
#: Of a number in a reply, so that two of them are told apart.
NUMBER_BYTES = 20
#: Loaded beforehand; nothing here may read Django's settings.
LIBRARIES = (
    *("argparse", "asyncio", "concurrent.futures", "csv", "email.message", "html.parser", "sqlite3", "unittest.mock"),
    *("urllib.request", "xml.etree.ElementTree", "zipfile", "openpyxl", "psycopg", "pydantic", "pygments.formatters"),
    *("pygments.lexers", "reportlab", "tablib", "django.apps", "django.core.cache", "django.core.checks"),
    *("django.core.mail", "django.core.management.commands.migrate", "django.core.management.commands.shell"),
    *("django.core.serializers.json", "django.db.migrations.autodetector", "django.db.migrations.executor"),
    *("django.db.backends.postgresql.base", "django.db.backends.sqlite3.base", "django.contrib.postgres.fields"),
    *("django.contrib.postgres.search", "django.forms", "django.http", "django.shortcuts", "django.template.loader"),
    *("django.utils.html", "django.utils.timezone", "django.utils.translation", "django.views.generic"),
)


def warm_run(
    arguments: list[str], *, env: dict[str, str], cwd: Path, timeout_seconds: int
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run([sys.executable, *arguments])` returns. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb", buffering=0) as reply:
            order = json.dumps({"arguments": arguments, "env": env, "cwd": str(cwd)}).encode()
            socket.send_fds(_starter(), [order], [out.fileno(), err.fileno(), writing])
            os.close(writing)
            pid = int(reply.read(NUMBER_BYTES))
            if not select.select([reply], [], [], timeout_seconds)[0]:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, timeout_seconds)
            code = int(reply.read(NUMBER_BYTES))
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess([sys.executable, *arguments], code, *texts)


@cache
def _starter() -> socket.socket:
    """This process's connection to its starter, which ends when the connection does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MESSAGE_BYTES)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KB_", "COV_", "DJANGO_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
        cwd=ROOT,
        env={**kept, "PYTHONUNBUFFERED": "1"},
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C belongs to pytest
    )
    theirs.close()
    atexit.register(_end, ours, process, os.getpid())
    return ours


def _end(orders: socket.socket, process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() == owner:  # a forked child runs this too
        orders.close()
        process.wait()


def orders_serve(orders: socket.socket) -> None:
    """Start a program for every order; returns in the process of a program, and ends when nobody can order any more."""
    from django.conf import settings

    for name in LIBRARIES:
        importlib.import_module(name)
    assert not settings.configured, "a library has read the settings before there are any"
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for the programs
    while True:
        message, descriptors, _, _ = socket.recv_fds(orders, MESSAGE_BYTES, 3)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            orders.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            program_start(json.loads(message), *descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)


def program_start(order: dict, out: int, err: int, reply: int) -> None:
    """Report the number of a new process and how it ended; return in that process, and prepare it."""
    pid = os.fork()
    if pid:
        os.write(reply, str(pid).rjust(NUMBER_BYTES).encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with contextlib.suppress(BrokenPipeError):  # who ordered has waited long enough
            os.write(reply, str(code).rjust(NUMBER_BYTES).encode())
        os._exit(0)
    os.close(reply)
    for descriptor, standard in ((out, 1), (err, 2)):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    sys.argv = order["arguments"]


def program_run() -> None:
    """What Python does with its arguments, of which it needs no options here."""
    sys.path[0] = os.getcwd()  # noqa: PTH109 - as Python itself
    first = sys.argv[0]
    if first == "-c":
        code = sys.argv.pop(1)
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), main.__dict__)  # noqa: S102
    elif first == "-m":
        sys.argv.pop(0)
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    orders_serve(socket.socket(fileno=int(sys.argv[1])))
    program_run()
