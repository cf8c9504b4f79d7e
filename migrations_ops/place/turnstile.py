"""The turnstile that every writer of the site passes, in whatever process it runs.

Two file locks (flock) in the data folder, so that a mover who waits is not starved by writers that
come and go:

1. A writer takes the turnstile shared, then the gate shared, then gives the turnstile back. It holds
   the gate until its transaction ends.
2. A mover may look for a moment at which nobody is inside, and take the gate alone then: nobody has waited.
3. Else it takes the turnstile alone, which stops writers that come, then the gate alone, which waits
   for those that are inside; not for long.

The kernel frees both when a process dies. A thread that holds the site's writers passes by itself.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
import weakref
from datetime import timedelta
from pathlib import Path
from typing import Self

from migrations_ops.errors import WritersBusyError

TURNSTILE = "writers.turnstile"
GATE = "writers.gate"
#: Seconds between two looks of a mover that waits.
LOOK_SECONDS = 0.0002

#: What this thread has taken alone, as folders.
_held = threading.local()
#: Every pass of this process, for a fork to close: a child that keeps a descriptor keeps the lock.
_passes: weakref.WeakSet[Pass] = weakref.WeakSet()


class Pass:
    """One writer's way through the turnstile: a connection's, used by one thread at a time.

    Whoever takes it twice gives it back twice. Without a folder there is no turnstile and it only counts.
    """

    __slots__ = ("__weakref__", "_descriptors", "depth", "folder")

    def __init__(self, folder: str | None) -> None:
        self.folder = folder
        self.depth = 0
        #: Turnstile and gate, once opened. None while a mover passes by itself.
        self._descriptors: tuple[int, int] | None = None

    def take(self) -> None:
        """Come in; waits while a mover holds the writers."""
        if self.depth == 0 and self.folder and self.folder not in getattr(_held, "folders", ()):
            turnstile, gate = self._descriptors or self._open(self.folder)
            fcntl.flock(turnstile, fcntl.LOCK_SH)
            try:
                fcntl.flock(gate, fcntl.LOCK_SH)
            finally:
                fcntl.flock(turnstile, fcntl.LOCK_UN)
        self.depth += 1

    def give_back(self) -> None:
        """Go out; nothing happens when the writer is not inside."""
        if self.depth == 1 and self._descriptors:
            fcntl.flock(self._descriptors[1], fcntl.LOCK_UN)
        self.depth = max(0, self.depth - 1)

    def give_back_all(self) -> None:
        """Go out, however often it was taken."""
        self.depth = min(1, self.depth)
        self.give_back()

    def close(self) -> None:
        """Forget the files; the lock, if any, goes with them unless a parent process has them open as well."""
        if self._descriptors:
            for descriptor in self._descriptors:
                os.close(descriptor)
        self._descriptors = None
        self.depth = 0

    __del__ = close

    def _open(self, folder: str) -> tuple[int, int]:
        self._descriptors = _open_both(folder)
        _passes.add(self)
        return self._descriptors


class Hold:
    """The site's writers, held inside a `with` block; see `writers_held`. Used once."""

    def __init__(self, data_dir: Path, patience: timedelta, look: timedelta) -> None:
        self._folder = str(data_dir)
        self._patience, self._look = patience, look
        #: Turnstile and gate while the block runs.
        self._descriptors: tuple[int, ...] = ()
        self._lock = threading.Lock()
        #: When writers that come began to wait, and when they went on, as time.monotonic() has it.
        self.began = 0.0
        self._ended = 0.0

    @property
    def lasted(self) -> timedelta:
        """How long writers have waited at most."""
        return timedelta(seconds=(self._ended or time.monotonic()) - self.began) if self.began else timedelta(0)

    def __enter__(self) -> Self:
        self._descriptors = _open_both(self._folder)
        try:
            self._take()
        except BaseException:
            self._close()
            raise
        _held.folders = (*getattr(_held, "folders", ()), self._folder)
        return self

    def __exit__(self, *exception: object) -> None:
        _held.folders = tuple(name for name in _held.folders if name != self._folder)
        self._close()

    def let_go(self) -> None:
        """Have writers go on before the block ends; from whatever thread. What the block does must not count then."""
        with self._lock:
            for descriptor in self._descriptors[::-1]:
                # Not only closed: a child that was forked meanwhile has it open as well.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            self._ended = self._ended or time.monotonic()

    def _take(self) -> None:
        turnstile, gate = self._descriptors
        looked = self._look and _taken_alone(gate, time.monotonic() + self._look.total_seconds())
        self.began = time.monotonic()
        if looked:
            return
        deadline = self.began + self._patience.total_seconds()
        if not (_taken_alone(turnstile, deadline) and _taken_alone(gate, deadline)):
            raise WritersBusyError(patience_seconds=self._patience.total_seconds())

    def _close(self) -> None:
        self.let_go()
        with self._lock:
            for descriptor in self._descriptors:
                os.close(descriptor)
            self._descriptors = ()


def writers_held(data_dir: Path, patience: timedelta, *, look: timedelta = timedelta(0)) -> Hold:
    """Nobody of the site writes inside this block but the thread that runs it.

    First it looks so long for a moment at which nobody is inside. Then writers that come wait; those that are
    inside get `patience` to end, else WritersBusyError is raised and everyone goes on. A second one that wants
    this waits as long, too.
    """
    return Hold(data_dir, patience, look)


def _taken_alone(descriptor: int, deadline: float) -> bool:
    """Whether the lock could be had before the deadline."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK_SECONDS)
        else:
            return True


def _open_both(folder: str) -> tuple[int, int]:
    turnstile = _open(folder, TURNSTILE)
    try:
        return turnstile, _open(folder, GATE)
    except OSError:
        os.close(turnstile)
        raise


def _open(folder: str, name: str) -> int:
    return os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _forget_parent() -> None:
    """In a forked child: its parent's passes are not its own."""
    _held.folders = ()
    for each in list(_passes):
        each.close()


os.register_at_fork(after_in_child=_forget_parent)
