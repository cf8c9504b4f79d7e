"""Several copier processes at once.

Processes and not threads, as most of the work is Python's; not multiprocessing, because the workers of the
task queue are daemons and may have no children of that kind. They come from one process of our own program
(migrations_ops.move.copier) and not from this one, which has databases open.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Self, cast

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import CopierError, OpsError
from migrations_ops.move.later import Later, Stage, later_left
from migrations_ops.move.ranges import KeyRange
from migrations_ops.move.tables import Table, table_as_dict
from migrations_ops.move.target_schema import plain_settings
from migrations_ops.process import die_with_parent

#: How long the caller is at most not asked whether to stop, and not given a heartbeat.
BEAT_SECONDS = 0.5
#: Orders that a copier has at a time, so that it need not wait for the next one.
ORDERS_AHEAD = 2
ERROR_CHARS = 4_000

Order = KeyRange | Later
#: Each of these locks two tables; two at once could wait for each other.
_ONE_AT_A_TIME = {Stage.REFERENCE}


@dataclass(frozen=True)
class Control:
    """What the caller may want meanwhile. The first three are asked about twice a second."""

    heartbeat: Callable[[], None] = lambda: None
    #: True ends the work when what has been begun is done.
    stop: Callable[[], bool] = lambda: False
    #: Rows a second; 0 is as fast as it can.
    speed: Callable[[], int] = lambda: 0
    #: Told of each order when a copier gets it.
    given: Callable[[Order], None] = lambda order: None


#: Nobody wants anything.
FREE = Control()


class Copiers:
    """A few copier processes; killed when the block ends."""

    def __init__(
        self, source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: tuple[Table, ...], workers: int
    ) -> None:
        self._target = target
        self._setup = {
            "databases": {"source": plain_settings(source), "target": plain_settings(target)},
            "tables": [table_as_dict(table) for table in tables],
        }
        self._workers = 1 if target.vendor == "sqlite" else workers  # SQLite has one writer at a time
        self._nest: _Nest | None = None
        self._beaten = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._nest:
            self._nest.end()

    def start(self) -> list[_Copier]:
        """Have the processes, as far as more than one makes sense. They get ready while the caller goes on."""
        self._nest = self._nest or _Nest(self._setup, self._workers)
        return self._nest.copiers

    @property
    def pids(self) -> list[int]:
        """The processes that copy."""
        return self._nest.pids if self._nest else []

    def made(self, stage: Stage, control: Control) -> Iterator[Later]:
        """Make what a stage lacks."""
        at_once = 1 if stage in _ONE_AT_A_TIME else self._workers
        for order, _answer in self.work(later_left(self._target, [stage]), control, at_once=at_once):
            yield cast(Later, order)

    def work(
        self, orders: Iterable[Order], control: Control, *, at_once: int | None = None
    ) -> Iterator[tuple[Order, dict[str, Any]]]:
        """Have the orders done; yields each with its answer, in the order in which they end."""
        waiting = list(reversed(list(orders)))
        pace = _Pace(control.speed)
        copiers = self.start()[: at_once or self._workers] if waiting else []
        with selectors.DefaultSelector() as selector:
            for copier in copiers:
                selector.register(copier.socket, selectors.EVENT_READ, copier)
            while self._given(waiting, pace, copiers, control):
                for order, answer in _answers(selector):
                    pace.add(answer.get("rows", 0))
                    yield order, answer
                self._beat(control)
                if control.stop():
                    waiting.clear()

    def _given(self, waiting: list[Order], pace: _Pace, copiers: list[_Copier], control: Control) -> bool:
        """Whether anything is still to be waited for, after each has got orders."""
        for copier in copiers:
            while waiting and len(copier.orders) < ORDERS_AHEAD and pace.allows():
                copier.give(waiting.pop())
                control.given(copier.orders[-1])
        return bool(waiting) or any(copier.orders for copier in copiers)

    def _beat(self, control: Control) -> None:
        if time.monotonic() - self._beaten >= BEAT_SECONDS:
            self._beaten = time.monotonic()
            control.heartbeat()


def _answers(selector: selectors.BaseSelector) -> Iterator[tuple[Order, dict[str, Any]]]:
    for key, _events in selector.select(BEAT_SECONDS):
        yield from key.data.answers()


class _Pace:
    """Whether rows may go on at the wanted speed; what has been slow before is not caught up."""

    def __init__(self, speed: Callable[[], int]) -> None:
        self._speed = speed
        self._free_at = time.monotonic()

    def allows(self) -> bool:
        return time.monotonic() >= self._free_at

    def add(self, rows: int) -> None:
        if speed := self._speed():
            self._free_at = max(self._free_at, time.monotonic()) + rows / speed
        else:
            self._free_at = time.monotonic()


class _Nest:
    """The process that becomes the copiers, and they."""

    def __init__(self, setup: dict[str, Any], count: int) -> None:
        pairs = [socket.socketpair() for _ in range(count)]
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        # Our own program. In the child the function calls the kernel and nothing else.
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "migrations_ops.move.copier", *(str(theirs.fileno()) for _ours, theirs in pairs)],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            pass_fds=[theirs.fileno() for _ours, theirs in pairs],
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
        self._pids: list[int] = []
        for _ours, theirs in pairs:
            theirs.close()
        self.copiers = [_Copier(ours, number, self._last_words) for number, (ours, _theirs) in enumerate(pairs)]
        with suppress(BrokenPipeError):  # it has ended, which its copiers tell
            cast(IO[bytes], self._process.stdin).write(json.dumps(setup).encode() + b"\n")
            cast(IO[bytes], self._process.stdin).flush()

    @property
    def pids(self) -> list[int]:
        """Those of the copiers; waits until they are there."""
        if not self._pids and (said := self._said()):
            self._pids = said["pids"]
        return self._pids

    def end(self) -> None:
        """Have all of them killed and wait for it; what they have not committed is undone."""
        self._process.terminate()
        for copier in self.copiers:
            copier.end()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream:
                stream.close()

    def _last_words(self, number: int) -> str:
        """Of the copier with this number, which has ended."""
        code = self._code(number)
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace")[-ERROR_CHARS:].strip()
        return said or f"it ended with {code}"

    def _code(self, number: int) -> int:
        if pids := self.pids:
            while said := self._said():
                if said["ended"] == pids[number]:
                    return int(said["code"])
        return self._process.wait()

    def _said(self) -> dict[str, Any]:
        """What the first process says next; nothing when it has ended."""
        line = cast(IO[bytes], self._process.stdout).readline()
        return cast(dict[str, Any], json.loads(line)) if line.endswith(b"\n") else {}


class _Copier:
    """One copier process and the orders that it has."""

    def __init__(self, ours: socket.socket, number: int, last_words: Callable[[int], str]) -> None:
        self.orders: list[Order] = []
        self.socket = ours
        self._number = number
        self._last_words = last_words
        self._rest = b""

    def give(self, order: Order) -> None:
        """Let it do this when it has done what it was given before."""
        self.orders.append(order)
        message = {"range" if isinstance(order, KeyRange) else "later": order.as_dict()}
        try:
            self.socket.sendall(json.dumps(message).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError) as error:
            raise CopierError(reason=self._last_words(self._number)) from error

    def answers(self) -> Iterator[tuple[Order, dict[str, Any]]]:
        """What it has answered since. Raises what it has failed with."""
        if not (block := _received(self.socket)):
            raise CopierError(reason=self._last_words(self._number))
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            yield self.orders.pop(0), _checked(json.loads(line))

    def end(self) -> None:
        """Return when it has ended: killed, or for want of orders."""
        with suppress(OSError):  # it has already
            self.socket.shutdown(socket.SHUT_WR)
        while _received(self.socket):
            pass
        self.socket.close()


def _received(connection: socket.socket) -> bytes:
    """What is there to be read; nothing when the other side has closed it."""
    try:
        return connection.recv(65_536)
    except ConnectionResetError:  # it has ended without reading everything
        return b""


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer; raises the error that it is."""
    if "failure" in answer:
        raise CopierError(reason=answer["failure"])
    for error in OpsError.__subclasses__():
        if error.code == answer.get("code"):
            raise error(**answer["facts"])
    return answer
