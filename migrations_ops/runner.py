"""The loop that moves a run: one batch, one commit, one journal row at a time."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from migrations_ops import audit, queue
from migrations_ops.errors import LeaseLostError, StepFailedError, StepUnknownError
from migrations_ops.lease import Lease, lease_extend, lease_release, run_claim
from migrations_ops.models import (
    Direction,
    EventLevel,
    Intent,
    PlanKind,
    Run,
    RunEvent,
    RunState,
    StepRecord,
    StepState,
)
from migrations_ops.planning import plan_rehearsed, steps_of
from migrations_ops.schema import ddl_transaction
from migrations_ops.steps.base import Batch, Commit, Cursor, Step, StepContext

#: A slice gives the worker back to other tasks after this many seconds, at the next safe point.
SLICE_SECONDS = 20
#: Starts of a step without a committed batch between them; more mean that it kills its worker.
ATTEMPTS_MAX = 5
#: Room for what a run waits for.
WAITING_CHARS = 300
#: Pause before a command tries again what a lock or a lost connection has stopped, in seconds.
RETRY_SECONDS = 0.5
#: The rate of a step is that of about its last seconds, or of the last part of its time where that is longer.
RECENT_SECONDS = 3.0
RECENT_SHARE = 0.25

TO_APPLY = (StepState.PENDING, StepState.RUNNING, StepState.FAILED)
TO_REVERT = (
    StepState.RUNNING,
    StepState.DONE,
    StepState.WARNING,
    StepState.FAILED,
    StepState.SKIPPED,
    StepState.REVERTING,
)


class Outcome(Enum):
    """Why the loop came back."""

    STOPPED = "the run waits for a person, or is over"
    SLICE_OVER = "time is up; there is more to do"
    TRY_AGAIN = "the database did not let it go on"
    WAITING = "it waits for something and looks again within a minute"


def run_slice(run_id: int) -> str:
    """One task of the queue: move the run for a while, then queue the next slice."""
    lease = run_claim(run_id)
    if lease is None:
        return "not to be moved, or another worker moves it"
    outcome = execute(lease, until=time.monotonic() + SLICE_SECONDS)
    if outcome is Outcome.STOPPED:
        _stopped(run_id)
    elif outcome is Outcome.WAITING:
        _wait(lease)
    else:
        with transaction.atomic():
            lease_release(lease)
            queue.kick(run_id)
    return outcome.value


def _wait(lease: Lease) -> None:
    """Give the run back until the watchdog, or whoever brings what it waits for, queues it again.

    What came while the lease was held could not be taken up; so it looks once more afterwards.
    """
    with transaction.atomic():
        lease_release(lease)
    run = Run.objects.select_related("plan").get(pk=lease.run_id)
    record = next_record(run)
    if record is not None and _step_named(run, record).wakes(run):
        queue.kick(run.pk)


def _unwatched() -> None:
    """Nobody looks on."""


def run_inline(run_id: int, *, watch: Callable[[], None] = _unwatched) -> Run:
    """Move the run in this process until it waits for a person or is over; Ctrl-C pauses it.

    `watch` is called after every batch and sign of life; it does nothing slow. A run that another worker
    moves comes back as it is.
    """
    while lease := run_claim(run_id):
        try:
            outcome = execute(lease, until=float("inf"), watch=watch)
        except KeyboardInterrupt:
            _interrupted(lease)
            raise
        if outcome in {Outcome.TRY_AGAIN, Outcome.WAITING}:
            lease_release(lease)
            time.sleep(RETRY_SECONDS)
        else:
            _stopped(run_id)
    return Run.objects.get(pk=run_id)


def _stopped(run_id: int) -> None:
    """What comes after the state of a run that rests or is over."""
    run = Run.objects.select_related("plan").get(pk=run_id)
    if run.plan.kind == PlanKind.REHEARSAL:
        plan_rehearsed(run.plan)


def _interrupted(lease: Lease) -> None:
    """Pause a run whose command was stopped by its person; one that was over just then is left as it is."""
    if connection.connection is not None and not connection.is_usable():
        connection.close()
    with suppress(LeaseLostError), transaction.atomic(durable=True):
        lease_release(lease, state=RunState.PAUSED, state_since=timezone.now(), intent=Intent.NONE)
        audit.note(Run.objects.get(pk=lease.run_id), "Paused: its command was interrupted")


def intent_obey(run_id: int) -> None:
    """Do what a person asked for at once when no worker holds the run."""
    if lease := run_claim(run_id):
        run = Run.objects.select_related("plan").get(pk=run_id)
        if not run.intent or _obey(lease, run) is not Outcome.STOPPED:
            lease_release(lease)


def execute(lease: Lease, *, until: float, watch: Callable[[], None] = _unwatched) -> Outcome:
    """Move the run until it stops or `until` (time.monotonic) has passed.

    Raises LeaseLostError when another worker took the run; nothing of this one is left then.
    """
    while True:
        run = Run.objects.select_related("plan").get(pk=lease.run_id)
        if run.lease_token != lease.token:
            raise LeaseLostError(worker=lease.worker, run=run.pk)
        if run.intent and _obey(lease, run) is Outcome.STOPPED:
            return Outcome.STOPPED
        record = next_record(run)
        if record is None:
            if _finish(lease, run):
                return Outcome.STOPPED
            continue
        outcome = _advance(lease, run, record, until, watch)
        if outcome is not None:
            return outcome


def next_record(run: Run) -> StepRecord | None:
    """The step that is next: upwards the first unfinished one, back the last one that has begun."""
    if run.direction == Direction.FORWARD:
        return run.steps.filter(state__in=TO_APPLY).order_by("position").first()
    begun = run.steps.filter(state__in=TO_REVERT, started_at__isnull=False)
    return begun.order_by("-position").first()


def _obey(lease: Lease, run: Run) -> Outcome | None:
    """Do what a person asked for; None when the run goes on."""
    now = timezone.now()
    with transaction.atomic(durable=True):
        if run.intent == Intent.ROLL_BACK:
            lease_extend(
                lease, direction=Direction.BACK, state=RunState.ROLLING_BACK, state_since=now, intent=Intent.NONE
            )
            run.direction = Direction.BACK
            audit.note(run, "Rolling back")
            return None
        stopped: dict[str, Any] = {"state": RunState.PAUSED}
        if run.intent == Intent.CANCEL:
            stopped = {"state": RunState.CANCELLED, "active": None, "finished_at": now}
        lease_release(lease, intent=Intent.NONE, state_since=now, **stopped)
        audit.note(run, f"Run {stopped['state'].label.lower()} at a safe point")
    return Outcome.STOPPED


def _finish(lease: Lease, run: Run) -> bool:
    """End the run, unless a person asked for something since it was read."""
    state = RunState.SUCCEEDED if run.direction == Direction.FORWARD else RunState.ROLLED_BACK
    now = timezone.now()
    with transaction.atomic(durable=True):
        lease_extend(lease)  # holds the row: whoever asks from here on finds a run that is over
        if _intent(run) != Intent.NONE:
            return False
        lease_release(lease, state=state, state_since=now, finished_at=now, active=None, error="")
        audit.note(run, f"Run {state.label.lower()}")
    return True


def _advance(lease: Lease, run: Run, record: StepRecord, until: float, watch: Callable[[], None]) -> Outcome | None:
    """Move one step; None when it is over and the next one can begin."""
    try:
        step = _step_named(run, record)
        _begin(lease, run, record, step)
        return _batches(lease, run, record, step, until, watch)
    except LeaseLostError:
        raise
    except (OperationalError, InterfaceError) as error:
        return _database_trouble(lease, run, record, error)
    except Exception as error:  # noqa: BLE001 a step may fail in any way; the journal keeps how
        return _fail(lease, run, record, error)


def _step_named(run: Run, record: StepRecord) -> Step:
    for step in steps_of(run.plan):
        if step.name == record.name:
            return step
    raise StepUnknownError(run=run.pk, step=record.name)


def _begin(lease: Lease, run: Run, record: StepRecord, step: Step) -> None:
    """Journal that the step begins, or begins again after a crash."""
    if record.attempts >= ATTEMPTS_MAX:
        reason = f"{record.title} was started {record.attempts} times and never finished a batch. {record.error}"
        raise StepFailedError(reason=reason)
    forward = run.direction == Direction.FORWARD
    goes_on = record.state in {StepState.RUNNING, StepState.REVERTING}
    record.state = StepState.RUNNING if forward else StepState.REVERTING
    record.started_at = record.started_at or timezone.now()
    record.attempts += 1
    if forward and record.rows_total is None:
        record.rows_total, record.rows_before = step.estimate(), step.rows_before()
    with transaction.atomic(durable=True):
        lease_extend(lease)
        record.save(update_fields=["state", "started_at", "attempts", "rows_total", "rows_before"])
        if record.attempts == 1 and not goes_on:
            audit.note(run, f"{'Started' if forward else 'Reverting'}: {record.title}", step=record.name)


def _batches(
    lease: Lease, run: Run, record: StepRecord, step: Step, until: float, watch: Callable[[], None]
) -> Outcome | None:
    """Run batch after batch until the step is over, a person asks to stop, or time is up."""
    forward = run.direction == Direction.FORWARD

    def heartbeat() -> None:
        lease_extend(lease)
        watch()

    ctx = StepContext(run=run, record=record, heartbeat=heartbeat, stop_asked=lambda: _intent(run) != Intent.NONE)
    cursor: Cursor = record.cursor if forward else record.revert_cursor
    generator = step.apply(ctx, cursor) if forward else step.revert(ctx, cursor)
    until = max(until, time.monotonic() + step.slice_seconds)
    try:
        while batch := _batch(lease, ctx, generator, step.commit_for(run.direction, cursor)):
            cursor = batch.cursor
            watch()
            if _intent(run) != Intent.NONE:
                return None  # the loop obeys before it goes on with this step
            if batch.waiting_for:
                return Outcome.WAITING
            if time.monotonic() >= until:
                return Outcome.SLICE_OVER
    finally:
        generator.close()  # type: ignore[attr-defined]
    return None


def _intent(run: Run) -> str:
    """What a person asked for since the run was read."""
    return Run.objects.values_list("intent", flat=True).get(pk=run.pk)


def _batch(lease: Lease, ctx: StepContext, generator: Iterator[Batch], commit: Commit) -> Batch | None:
    """One batch with its journal row in one commit; None when the step is over."""
    if commit is Commit.OUTSIDE:
        batch = next(generator, None)
        with transaction.atomic(durable=True):
            lease_extend(lease, waiting_for=batch.waiting_for[:WAITING_CHARS] if batch else "")
            _journal(ctx, batch)
        return batch
    with _batch_transaction(commit):
        lease_extend(lease)
        batch = next(generator, None)
        _journal(ctx, batch)
    return batch


@contextmanager
def _batch_transaction(commit: Commit) -> Iterator[None]:
    with ddl_transaction() if commit is Commit.DDL else transaction.atomic(durable=True):
        yield


def _journal(ctx: StepContext, batch: Batch | None) -> None:
    """Write what the batch did to the step's row and to the run's journal.

    It took the time since the journal of the one before, whose commit is part of it.
    """
    now = time.monotonic()
    seconds, ctx.counted_until = now - ctx.counted_until, now
    forward = ctx.run.direction == Direction.FORWARD
    changes: dict[str, Any] = {"result": ctx.record.result, "attempts": 0, "error": ""}
    if forward:
        changes["busy_seconds"] = F("busy_seconds") + seconds
    else:
        changes["revert_busy_seconds"] = F("revert_busy_seconds") + seconds
    if batch is None:
        changes |= {"state": StepState.DONE if forward else StepState.REVERTED, "finished_at": timezone.now()}
    else:
        changes["cursor" if forward else "revert_cursor"] = batch.cursor
        if forward:
            changes["rows_done"] = F("rows_done") + batch.rows
            changes |= _rate_of_late(ctx.record, batch.rows, seconds)
    StepRecord.objects.filter(pk=ctx.record.pk).update(**changes)
    RunEvent.objects.bulk_create(
        RunEvent(run=ctx.run, plan=ctx.run.plan, step=ctx.record.name, message=line) for line in ctx.lines
    )
    ctx.lines.clear()


def _rate_of_late(record: StepRecord, rows: int, seconds: float) -> dict[str, Any]:
    """Rows and seconds of late, each moment counting less the longer ago it is."""
    window = max(RECENT_SECONDS, record.busy_seconds * RECENT_SHARE)
    fade = math.exp(-seconds / window)
    counts = window * (1 - fade) / seconds if seconds else 1.0
    return {
        "recent_rows": F("recent_rows") * fade + rows * counts,
        "recent_seconds": F("recent_seconds") * fade + seconds * counts,
    }


def _database_trouble(lease: Lease, run: Run, record: StepRecord, error: Exception) -> Outcome:
    """The database refused or went away: what was not committed is gone; try again in a moment.

    If it is still away here, this raises, the lease runs out and the watchdog queues the run again.
    """
    connection.close()
    with transaction.atomic(durable=True):
        lease_extend(lease, waiting_for=f"the database, which said: {error}"[:300])
        StepRecord.objects.filter(pk=record.pk).update(error=str(error))
        audit.note(run, f"The database stopped {record.title}: {error}", level=EventLevel.WARN, step=record.name)
    return Outcome.TRY_AGAIN


def _fail(lease: Lease, run: Run, record: StepRecord, error: Exception) -> Outcome | None:
    """Journal a failure: the run goes on behind a step that is not critical, else it waits for a person.

    It goes on, too, to what a person asked for meanwhile: to roll back or to give up.
    """
    if connection.connection is not None and not connection.is_usable():
        connection.close()
    tolerated = run.direction == Direction.FORWARD and not record.critical
    now, text = timezone.now(), "".join(traceback.format_exception(error))
    with transaction.atomic(durable=True):
        lease_extend(lease)
        goes_on = tolerated or _intent(run) in {Intent.ROLL_BACK, Intent.CANCEL}
        StepRecord.objects.filter(pk=record.pk).update(
            state=StepState.WARNING if tolerated else StepState.FAILED, error=text, attempts=0, finished_at=now
        )
        level = EventLevel.WARN if tolerated else EventLevel.ERROR
        audit.note(run, f"{record.title} failed: {error}", level=level, step=record.name)
        if not goes_on:
            lease_release(lease, state=RunState.FAILED, state_since=now, error=str(error), intent=Intent.NONE)
    return None if goes_on else Outcome.STOPPED
