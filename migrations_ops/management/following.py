"""A run that a command has started: moved here, or watched while a worker moves it, with what it has done."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from django.core.management.base import OutputWrapper

from migrations_ops.management.reporting import EXIT_RUN_FAILED, POLL_SECONDS, RESTING
from migrations_ops.models import Run, RunState, StepRecord, StepState
from migrations_ops.place.follow import place_follow
from migrations_ops.reports import step_report
from migrations_ops.runner import run_inline
from migrations_ops.runs import MOVING, run_get, run_pause

#: Between two looks on a terminal, and between two lines elsewhere.
LOOK_SECONDS, LINE_SECONDS = 0.5, 10.0


class RunProgress:
    """Says what a run does: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(
        self, stream: OutputWrapper, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.stream, self.quiet, self.clock = stream, quiet, clock
        self.live = stream.isatty()
        self.every = LOOK_SECONDS if self.live else LINE_SECONDS
        self.looked, self.shown = clock(), False
        self.said = ""

    def look(self, run_id: int) -> None:
        """Say what is done, unless that was said a moment ago."""
        if self.quiet or (now := self.clock()) - self.looked < self.every:
            return
        self.looked = now
        record = StepRecord.objects.filter(run=run_id, state__in=[StepState.RUNNING, StepState.REVERTING]).first()
        if record is not None:
            self.say(_line(record))

    def say(self, text: str) -> None:
        """A line that the next one replaces, where that can be; the same line is said once."""
        if self.quiet or text == self.said:
            return
        self.said = text
        self.stream.write(f"\r\x1b[K{text}" if self.live else text, ending="" if self.live else "\n")
        self.stream.flush()
        self.shown = True

    def end(self) -> None:
        """Leave the line that changes."""
        if self.shown and self.live:
            self.stream.write("")
        self.shown = False


def _line(record: StepRecord) -> str:
    """How far a step is, how fast, and how long it still takes."""
    if record.state == StepState.REVERTING:
        return f"Taking back: {record.title}"
    report = step_report(record)
    done, rate, left = report["rows_done"], report["rows_per_second"], report["eta_seconds"]
    known = report["rows_total"] if report["rows_total"] and report["rows_total"] >= done else None
    text = f"{record.title}: {done:,}{f' of {known:,}' if known else ''} rows"
    if not rate:
        return text
    return f"{text}, {rate:,.0f} a second{f', {_left(left)} left' if known and left is not None else ''}"


def _left(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def run_followed(run: Run, progress: RunProgress, *, actor: str) -> Run:
    """Move the run here until it rests, or wait while a worker moves it; Ctrl-C pauses it, a second one only ends."""
    watch = partial(progress.look, run.pk)
    try:
        return _rested(run.pk, watch)
    except KeyboardInterrupt:
        found = run_get(run.pk)
        if found.state in MOVING:
            run_pause(run=found, actor=actor, reason="Ctrl-C")
        return _rested(run.pk, watch)
    finally:
        progress.end()


def _rested(run_id: int, watch: Callable[[], None]) -> Run:
    while (run := run_inline(run_id, watch=watch)).state not in RESTING:
        watch()
        time.sleep(POLL_SECONDS)
        place_follow()
    return run


def run_facts(run: Run, *, wanted: RunState = RunState.SUCCEEDED) -> dict[str, object]:
    """What a command says of the run that it has followed; how to go on and exit code 4 where it rests before its end."""
    facts: dict[str, object] = {"run": run.pk, "run_state": run.state}
    if run.state == wanted:
        return facts
    verb = "resume" if run.state == RunState.PAUSED else "retry"
    if run.state in {RunState.PAUSED, RunState.FAILED, RunState.CANCELLED}:
        facts["next"] = f"manage.py mvp {verb} {run.pk} --inline"
    if run.error:
        facts["error"] = run.error
    return facts | {"exit_code": EXIT_RUN_FAILED}
