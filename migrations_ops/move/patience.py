"""An end to waiting for a network: calls to PostgreSQL that hang are cut off when time is up.

Nor is a lost connection opened again meanwhile, which Django does at the end of a transaction and which can
hang as well.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import CutoverLateError


class Deadline:
    """Time left for what several connections do, from `begin` on.

    Its thread starts at once: on a busy machine that can take longer than all that it is to watch.
    """

    def __init__(self, connections: tuple[BaseDatabaseWrapper, ...]) -> None:
        self._patience = timedelta(0)
        self._until = float("inf")
        self._let_go: Callable[[], None] = lambda: None
        self._sockets = [os.dup(each.connection.fileno()) for each in connections]
        self._lock = threading.Lock()
        self._settled = False
        self._begun, self._over = threading.Event(), threading.Event()
        self.passed = False
        threading.Thread(target=self._watch, daemon=True).start()

    def begin(self, patience: timedelta, let_go: Callable[[], None] = lambda: None) -> None:
        """So much time from now on; `let_go` is called when it is over, from another thread."""
        self._patience, self._let_go = patience, let_go
        self._until = time.monotonic() + patience.total_seconds()
        self._begun.set()

    def settle(self) -> None:
        """Nothing is cut off from here on. Raises CutoverLateError when it was already, or when time is up: on a busy
        machine the thread that watches may come late itself."""
        with self._lock:
            if self.passed or time.monotonic() >= self._until:
                self._settled = True
                raise CutoverLateError(patience_seconds=self._patience.total_seconds())
            self._settled = True

    def cut(self) -> None:
        """Shut the connections, so that whoever waits for an answer gets an error."""
        with self._lock:
            if self._settled:
                return
            self.passed = True
            for descriptor in self._sockets:
                with socket.socket(fileno=os.dup(descriptor)) as shut, suppress(OSError):
                    shut.shutdown(socket.SHUT_RDWR)
            self._let_go()  # a commit to a disk that is slow goes on, but is not waited for

    def close(self) -> None:
        """Give the descriptors back."""
        self._over.set()
        self._begun.set()
        with self._lock:
            for descriptor in self._sockets:
                os.close(descriptor)
            self._sockets = []

    def _watch(self) -> None:
        self._begun.wait()
        if not self._over.wait(self._patience.total_seconds()):
            self.cut()


@contextmanager
def deadline(*connections: BaseDatabaseWrapper) -> Iterator[Deadline]:
    """Cut these connections off when the block takes longer than it has after `begin`, unless it settles before."""
    limit = Deadline(tuple(each for each in connections if each.vendor == "postgresql"))
    try:
        yield limit
    finally:
        with suppress(CutoverLateError):
            limit.settle()
        limit.close()


@contextmanager
def never_reconnected(*connections: BaseDatabaseWrapper) -> Iterator[None]:
    """A connection of PostgreSQL that is lost inside this block stays lost until its end."""
    remote = [each for each in connections if each.vendor == "postgresql"]
    for each in remote:
        each.ensure_connection()
        vars(each)["connect"] = _refuse
    try:
        yield
    finally:
        for each in remote:
            del vars(each)["connect"]


def _refuse() -> None:
    raise OperationalError("the connection was lost")
