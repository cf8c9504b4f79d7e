"""The steps that carry the site over, ask the new database, and bring the site back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from migrations_ops.errors import CutoverBusyError, CutoverLateError, DatabaseGoneError, SmokeError
from migrations_ops.models import GoMode, Move, MoveState, Run, StepState
from migrations_ops.move.cutover import cutover
from migrations_ops.move.diary import move_note, move_state
from migrations_ops.move.drain import drain
from migrations_ops.move.ends import Ends, data_dir, ends_open, is_at_target, place_of_return, place_of_target
from migrations_ops.move.smoke import smoke
from migrations_ops.move.target_schema import target_left, target_live
from migrations_ops.place.pointer import Place, place_read, places_prepared_clear
from migrations_ops.queue import schedule_remove, schedule_set
from migrations_ops.steps.base import Batch, Cursor, RollbackOperation, StepContext, StepKind
from migrations_ops.steps.move.base import MoveStep, move_of, patiently
from migrations_ops.steps.move.verify import StopAskedError, verified

CUTOVER = "move/cutover"
#: Longest time that one attempt holds the writers.
PATIENCE = timedelta(milliseconds=500)
#: The schedule that keeps the old database up to date.
FOLLOW = "ops-move-follow"
FOLLOW_FUNCTION = "migrations_ops.moves.return_path_follow"
WRONG_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class CutoverStep(MoveStep):
    """Carries changes over until someone says go, then makes the target the site's database."""

    def rollback_operation(self) -> RollbackOperation:
        return RollbackOperation(
            kind="data-restore",
            description="If the site has gone over: go back with everything written since, every row compared before",
        )

    def wakes(self, run: Run) -> bool:
        move = Move.objects.get(plan_id=run.plan_id)
        return move.state == MoveState.READY and move.go_given(timezone.now())

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if not cursor:
            yield from patiently(self._over(ctx), cursor)

    def _over(self, ctx: StepContext) -> Iterator[Batch]:
        move = move_of(ctx)
        while (waiting_for := self._attempt(ctx, move)) or not is_at_target(move):
            yield Batch(None, waiting_for=waiting_for)
            move_note(move)
        move_state(move, MoveState.MOVED, lag_changes=0, lag_at=timezone.now())
        yield Batch({"moved": True}, 1)

    def _attempt(self, ctx: StepContext, move: Move) -> str:
        """Carry changes over, and the site when someone said go; what it waits for, or nothing.

        After a crash behind the rename of the pointer it only finishes what was begun.
        """
        with ends_open(move) as ends:
            if not is_at_target(move):
                caught_up = carry_over(ctx, move, ends)
                if not move.go_given(timezone.now()):
                    move_state(move, MoveState.READY)
                    return "your go: copied 100 %, every row verified"
                if not caught_up:
                    return ""
            waiting_for = switch(ctx, move, ends, place_of_target(move))
            if not waiting_for:
                target_live(ends.target)
            return waiting_for

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if not cursor:
            yield from patiently(go_back(ctx), cursor)


@dataclass(frozen=True, kw_only=True)
class SmokeStep(MoveStep):
    """Asks the new database, and takes the site back by itself when an answer is wrong."""

    kind: StepKind = StepKind.VERIFICATION

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if not cursor:
            yield from patiently(self._ask(ctx), cursor)

    def _ask(self, ctx: StepContext) -> Iterator[Batch]:
        move = move_of(ctx)
        with ends_open(move) as ends:
            # After a crash on the way back there is nothing left to ask.
            wrong = list(smoke(ctx.run, ends.tables)) if is_at_target(move) else ["an answer was wrong."]
            if wrong:
                while waiting_for := switch(ctx, move, ends.turned, place_of_return(move)):
                    yield Batch(None, waiting_for=waiting_for)
                target_left(ends.target)
                begin_again(ctx, move)
                raise SmokeError(reason="; ".join(wrong[:WRONG_SHOWN]))
        schedule_set(name=FOLLOW, function=FOLLOW_FUNCTION, every=timedelta(minutes=1))
        ctx.log("The new database answers as it should; the old one follows every change")
        yield Batch({"asked": True}, 1)


def carry_over(ctx: StepContext, move: Move, ends: Ends) -> bool:
    """Carry changes from source to target until few are left; False when a person asked to stop before."""
    while True:
        drained = drain(ends.source, ends.target, ends.tables)
        note_lag(move, drained.left)
        if not drained.changes or not drained.left:
            return True
        ctx.heartbeat()
        if ctx.stop_asked():
            return False


def note_lag(move: Move, changes: int) -> None:
    """How many changes the other database does not have yet."""
    if changes != move.lag_changes:
        move_note(move, lag_changes=changes, lag_at=timezone.now())


def switch(ctx: StepContext, move: Move, ends: Ends, place: Place) -> str:
    """Make the target of `ends`, which is `place`, the site's database; what it waits for, or nothing."""
    try:
        report = cutover(
            source=ends.source,
            target=ends.target,
            tables=ends.tables,
            place_new=place,
            data_dir=data_dir(),
            patience=PATIENCE,
        )
    except (CutoverBusyError, CutoverLateError, DatabaseGoneError) as error:
        return f"a moment for the cut-over: {error}"
    held_ms = round(report.held.total_seconds() * 1000, 1)
    move_note(move)
    if report.tries:  # 0: an earlier attempt, cut off behind the rename, had moved the site
        move_note(move, figures={**move.figures, "held_ms": held_ms, "tries": report.tries})
    ctx.log(f"The site lives in {place.url}; writers were held for {held_ms} ms")
    for table, key in report.strays:
        ctx.log(f"Written to the old database when the site was gone, and not kept: {table}, key {key}")
    return ""


def begin_again(ctx: StepContext, move: Move) -> None:
    """After an automatic return: another try begins with the cut-over, and needs a go of its own."""
    with transaction.atomic():
        ctx.run.steps.filter(name=CUTOVER).update(
            state=StepState.PENDING, cursor=None, rows_done=0, started_at=None, finished_at=None
        )
        returned(move, go_mode=GoMode.MANUAL, go_asked_at=None, go_asked_by="")


def go_back(ctx: StepContext) -> Iterator[Batch]:
    """Carry everything back, compare every row, and make the source the site's database again."""
    move = move_of(ctx)
    places_prepared_clear(data_dir())
    if move.state != MoveState.MOVED and not is_at_target(move):
        yield Batch({"returned": True})  # it has never gone over
        return
    schedule_remove(name=FOLLOW)
    if move.state != MoveState.MOVED:  # another mover was killed before it could say so; this one may be, behind the
        move_state(move, MoveState.MOVED)  # rename back, where nothing else tells that there is something to finish
    with ends_open(move) as ends:
        while (waiting_for := _attempt_back(ctx, move, ends.turned)) or is_at_target(move):
            yield Batch(None, waiting_for=waiting_for)
    returned(move)
    yield Batch({"returned": True}, 1)


def _attempt_back(ctx: StepContext, move: Move, back: Ends) -> str:
    """Compare, carry over and go back; what it waits for, or nothing. A person may have asked to stop."""
    try:
        if is_at_target(move):  # else a crash behind the rename of the pointer left something to finish
            verified(ctx, move, back)
            if not carry_over(ctx, move, back):
                return ""
    except StopAskedError:
        return ""
    waiting_for = switch(ctx, move, back, place_of_return(move))
    if not waiting_for:
        target_left(back.source)
    return waiting_for


def returned(move: Move, **changes: Any) -> None:
    """The site is back where it was; another try goes on from the place that the pointer names now."""
    here = place_read(data_dir())
    move_state(move, MoveState.RETURNED, epoch=here.epoch if here else move.epoch, **changes)
