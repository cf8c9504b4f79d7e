"""Several copier processes at once.

Processes and not threads, as most of the work is Python's; not multiprocessing, because the workers of the
task queue are daemons and may have no children of that kind.
"""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
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
    """What the caller may want meanwhile. Every function is asked about twice a second."""

    heartbeat: Callable[[], None] = lambda: None
    #: True ends the work when what has been begun is done.
    stop: Callable[[], bool] = lambda: False
    #: Rows a second; 0 is as fast as it can.
    speed: Callable[[], int] = lambda: 0


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
        self._copiers: list[_Copier] = []
        self._beaten = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for copier in self._copiers:
            copier.end()

    def start(self, count: int) -> None:
        """Have so many processes, as far as more than one makes sense. They get ready while the caller goes on."""
        while len(self._copiers) < min(count, self._workers):
            self._copiers.append(_Copier(self._setup))

    @property
    def pids(self) -> list[int]:
        """The processes that there are."""
        return [copier.process.pid for copier in self._copiers]

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
        wanted = min(at_once or self._workers, len(waiting))
        self.start(wanted)
        with selectors.DefaultSelector() as selector:
            for copier in self._copiers:
                selector.register(copier.output, selectors.EVENT_READ, copier)
            while self._given(waiting, pace, self._copiers[:wanted]):
                for order, answer in _answers(selector):
                    pace.add(answer.get("rows", 0))
                    yield order, answer
                self._beat(control)
                if control.stop():
                    waiting.clear()

    def _given(self, waiting: list[Order], pace: _Pace, copiers: list[_Copier]) -> bool:
        """Whether anything is still to be waited for, after each has got orders."""
        for copier in copiers:
            while waiting and len(copier.orders) < ORDERS_AHEAD and pace.allows():
                copier.give(waiting.pop())
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


class _Copier:
    """One copier process and the orders that it has."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self.orders: list[Order] = []
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        # Our own program. In the child the function calls the kernel and nothing else.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "migrations_ops.move.copier"],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
        self.output = cast(IO[bytes], self.process.stdout)
        self._rest = b""
        self._send(setup)

    def give(self, order: Order) -> None:
        """Let it do this when it has done what it was given before."""
        self.orders.append(order)
        self._send({"range" if isinstance(order, KeyRange) else "later": order.as_dict()})

    def answers(self) -> Iterator[tuple[Order, dict[str, Any]]]:
        """What it has answered since. Raises what it has failed with."""
        block = self.output.read1(65_536)  # type: ignore[attr-defined]
        if not block:
            raise CopierError(reason=self._last_words())
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            yield self.orders.pop(0), _checked(json.loads(line))

    def end(self) -> None:
        """Kill it; what it has not committed is undone."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.output, self._errors):
            if stream:
                stream.close()

    def _send(self, message: dict[str, Any]) -> None:
        stdin = cast(IO[bytes], self.process.stdin)
        try:
            stdin.write(json.dumps(message).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError as error:
            raise CopierError(reason=self._last_words()) from error

    def _last_words(self) -> str:
        self.process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace")[-ERROR_CHARS:].strip()
        return said or f"it ended with {self.process.returncode}"


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer; raises the error that it is."""
    if "failure" in answer:
        raise CopierError(reason=answer["failure"])
    for error in OpsError.__subclasses__():
        if error.code == answer.get("code"):
            raise error(**answer["facts"])
    return answer
