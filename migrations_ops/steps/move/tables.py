"""The steps that prepare both databases: tables in the target, triggers in the source."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from migrations_ops.errors import StepFailedError
from migrations_ops.models import Finding, Move, MoveState
from migrations_ops.move.capture import capture_install, capture_remove
from migrations_ops.move.diary import move_state
from migrations_ops.move.ends import connection_to, ends_open, is_at_target, place_of_source, place_of_target
from migrations_ops.move.tables import tables_moved
from migrations_ops.move.target import target_checks
from migrations_ops.move.target_schema import target_drop, target_prepare
from migrations_ops.steps.base import Batch, Cursor, RollbackOperation, StepContext, StepKind
from migrations_ops.steps.move.base import MoveStep, move_of, patiently

#: How long somebody may still read from a database that the site has left.
READERS = timedelta(seconds=5)
LOOK_SECONDS = 0.5


def readers_gone(ctx: StepContext, move: Move) -> None:
    """Wait until pages that were begun in the database that the site has left are made."""
    while timezone.now() - move.state_since < READERS and move.figures.get("held_ms") is not None:
        time.sleep(LOOK_SECONDS)
        ctx.heartbeat()


@dataclass(frozen=True, kw_only=True)
class TargetStep(MoveStep):
    """Makes the site's tables in the target, without what is cheaper once the rows are there."""

    kind: StepKind = StepKind.SCHEMA

    def precheck(self) -> Iterable[Finding]:
        return target_checks(self.target)

    def rollback_operation(self) -> RollbackOperation:
        return RollbackOperation(kind="schema-drop", description=f"Drop what the move has made in {self.target.url}")

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if not cursor:
            yield from patiently(self._prepare(ctx), cursor)

    def _prepare(self, ctx: StepContext) -> Iterator[Batch]:
        move = move_of(ctx)
        with ends_open(move) as ends:
            target_prepare(ends.source, ends.target, site=move.site, heartbeat=ctx.heartbeat)
        ctx.log("The new database has the site's tables")
        yield Batch({"prepared": True}, 1)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        move = move_of(ctx)
        if is_at_target(move):
            raise StepFailedError(reason=f"The site lives in {self.target.url}: nothing is dropped there.")
        readers_gone(ctx, move)
        try:
            with connection_to(place_of_target(move)) as target:
                target_drop(target, site=move.site)
        except (OperationalError, InterfaceError) as error:
            reason = (
                f"{self.target.url} does not answer ({str(error).strip()}). Retry when it does; or cancel, "
                "and drop its tables yourself. The site itself is as it was before."
            )
            raise StepFailedError(reason=reason) from error
        ctx.log("The new database is as empty as it was")
        move_state(move, MoveState.WITHDRAWN)
        yield Batch({"dropped": True}, 1)


@dataclass(frozen=True, kw_only=True)
class CaptureStep(MoveStep):
    """Has the source record which rows change, from before the first of them is copied."""

    kind: StepKind = StepKind.SCHEMA

    def rollback_operation(self) -> RollbackOperation:
        return RollbackOperation(
            kind="schema-drop", description="Remove the triggers and the list of changes from the database of the site"
        )

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if cursor:
            return
        move = move_of(ctx)
        move_state(move, MoveState.COPYING, is_open=True)
        with connection_to(place_of_source(move)) as source:
            tables = tables_moved(source)
            capture_install(source, tables)
        ctx.log(f"Changes of {len(tables)} tables are recorded")
        yield Batch({"captured": True}, len(tables))

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        move = move_of(ctx)
        with connection_to(place_of_source(move)) as source:
            capture_remove(source)
        ctx.log("Nothing records changes any more")
        move_state(move, MoveState.WITHDRAWN, is_open=None)
        yield Batch({"removed": True}, 1)
