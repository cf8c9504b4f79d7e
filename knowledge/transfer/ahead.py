"""What is made of the texts of a file's rows, by a second process while the first one judges and writes.

HTML, codes and tokens of the texts are more than half of the work of an import, and need no database. What the
second process has not done, or has done for other texts, the first one does itself; so it can fail or be missing.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any, cast

from django.conf import settings

from knowledge.models import Import
from knowledge.remembered import Remembered
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.spool import SpooledRow
from migrations_ops.process import die_with_parent

logger = logging.getLogger(__name__)

#: Fewer rows are written before a second process is ready.
ROWS_WORTH = 2_000
#: Rows that nothing was to be made of, after which the second process is too far behind to be waited for.
ROWS_BEHIND = 1_000
#: Answers, of some rows each, that wait for the first process.
ANSWERS_AHEAD = 40
#: Longest wait for an answer, which takes some milliseconds; a run that stands still for longer loses its lease.
ANSWER_SECONDS = 20.0


class Ahead:
    """A second process, or none."""

    def __init__(self, process: subprocess.Popen[bytes] | None = None) -> None:
        self._process = process
        self._answers: Queue[Any] = Queue(ANSWERS_AHEAD)
        #: Whether it works on rows.
        self.begun = False
        self._place = 0
        if process:
            Thread(target=_answers_taken, args=(process, self._answers), daemon=True).start()

    def known(self, rows: Sequence[SpooledRow]) -> Remembered:
        """What has been made of the texts of these rows; it may be nothing, and the rows after them are begun."""
        if self._process is None:
            return {}
        return self._received(rows) if self.begun else self._begin_after(rows[-1])

    def end(self) -> None:
        """Do without from here on."""
        if self._process:
            self._process.kill()
            self._process.wait()
            with suppress(OSError):
                cast(IO[bytes], self._process.stdin).close()
            with suppress(Empty):
                while True:  # whoever takes the answers waits for room
                    self._answers.get_nowait()
            self._process = None

    def _begin_after(self, row: SpooledRow) -> Remembered:
        """Let it begin behind this row when it is ready."""
        with suppress(Empty):
            if self._answers.get_nowait() is None:
                self._failed()
            else:
                _told(cast("subprocess.Popen[bytes]", self._process), {"place": row.place, "offset": row.offset})
                self.begun, self._place = True, row.place
        return {}

    def _failed(self) -> None:
        logger.error("The process that works on texts ahead has ended or hangs; the import goes on without it")
        self.end()

    def _received(self, rows: Sequence[SpooledRow]) -> Remembered:
        found: Remembered = {}
        if rows[0].place - self._place > ROWS_BEHIND:  # of most rows nothing is made
            self.end()
        while self._process and self._place < rows[-1].place:
            answer = None
            with suppress(Empty):
                answer = self._answers.get(timeout=ANSWER_SECONDS)
            if answer is None:
                self._failed()
                break
            self._place, known = answer
            for name, results in known.items():
                found.setdefault(name, {}).update(results)
        return found


def _answers_taken(process: subprocess.Popen[bytes], answers: Queue[Any]) -> None:
    """Put each answer of the process into the queue, None behind the last one."""
    try:
        with cast(IO[bytes], process.stdout) as output, suppress(OSError, EOFError, pickle.UnpicklingError):
            while True:
                answers.put(pickle.load(output))  # noqa: S301 - of our own process, which reads texts only
    finally:
        answers.put(None)


@contextmanager
def texts_ahead(job: Import, rows: Path, cursor: dict[str, Any]) -> Iterator[Ahead]:
    """A second process for the rows of an import that come after the cursor, where that is worth it."""
    left = job.rows_total - cursor.get("place", 0)
    ahead = Ahead(_process(job, rows) if left >= ROWS_WORTH and (os.cpu_count() or 1) > 1 else None)
    try:
        yield ahead
    finally:
        ahead.end()


def _process(job: Import, rows: Path) -> subprocess.Popen[bytes] | None:
    try:
        # Our own program. In the child the function calls the kernel and nothing else.
        process = subprocess.Popen(
            [sys.executable, "-m", "knowledge.transfer.ahead_process"],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
    except (OSError, subprocess.SubprocessError) as error:  # no memory or no more processes
        logger.warning("The import goes on without a process that works on texts ahead: %s", error)
        return None
    _told(process, {"rows": str(rows), "columns": ImportOptions.of(job.options).columns})
    return process


def _told(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    stdin = cast(IO[bytes], process.stdin)
    with suppress(OSError):  # that it has ended is seen where its answers are read
        stdin.write(json.dumps(message).encode() + b"\n")
        stdin.flush()
