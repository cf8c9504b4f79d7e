"""The processes that `kbsite.serve` looks after, each the leader of a process group of its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h

#: A child that lived for longer than this died of something new: the wait before its restart is short again.
STEADY_SECONDS = 30.0
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0


def end_with_parent() -> None:
    """Have the kernel send this process SIGTERM when its parent is gone; for `preexec_fn`. Linux only.

    Not SIGKILL: the children then end their own children in order.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """One supervised process: started, started again after a wait that doubles, stopped with its group."""

    name: str
    command: list[str]
    folder: Path
    keep_fds: tuple[int, ...] = ()
    #: Called before every start but the first, when the whole group is gone.
    before_restart: Callable[[], object] = lambda: None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    #: Deaths in a row, each within STEADY_SECONDS.
    deaths: int = 0
    start_at: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int | None:
        """The process id of the leader, or None while there is none."""
        return self.process.pid if self.process else None

    @property
    def age_seconds(self) -> float:
        """How long the present process has been there."""
        return time.monotonic() - self.started_at

    def tend(self) -> str | None:
        """Start it when it is due; returns a sentence when it was found dead."""
        if self.process is None:
            if time.monotonic() >= self.start_at:
                self._start()
            return None
        status = self.process.poll()
        if status is None:
            return None
        return f"{self.name} {_ending(status)}; starting it again in {self._lost():.1f} s"

    def kill(self) -> float:
        """End the whole group at once; it starts again after the returned seconds."""
        return self._lost()

    def ask_to_stop(self) -> None:
        """Ask the leader alone to stop: it knows in which order its own children end."""
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def stopped(self) -> bool:
        """Whether the leader has ended."""
        return self.process is None or self.process.poll() is not None

    def clear(self) -> None:
        """Kill what is left of the group and wait for the leader."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def _start(self) -> None:
        if self.started_at:
            self.before_restart()
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own programs
            self.command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            pass_fds=self.keep_fds,
            process_group=0,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - one thread only, and the kernel offers no other way
        )

    def _lost(self) -> float:
        self.deaths = 1 if self.age_seconds > STEADY_SECONDS else self.deaths + 1
        self.clear()
        wait_seconds: float = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (self.deaths - 1))
        self.start_at = time.monotonic() + wait_seconds
        return wait_seconds


def _ending(status: int) -> str:
    if status < 0:
        return f"was killed ({signal.Signals(-status).name})"
    return f"ended with status {status}"
