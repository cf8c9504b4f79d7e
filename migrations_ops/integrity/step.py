"""Cleanups as runs: the steps of the task "cleanup"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from migrations_ops.errors import CleanupUnknownError
from migrations_ops.integrity.cleaning import cleanup_apply, cleanup_get, cleanup_named, undo_apply
from migrations_ops.integrity.parking import rows_park
from migrations_ops.models import CleanupRecord, CleanupState, Direction
from migrations_ops.steps.base import Batch, Commit, Cursor, RollbackOperation, Step, StepContext, StepKind
from migrations_ops.tasks import TaskKind

TASK = "cleanup"


@dataclass(frozen=True, kw_only=True)
class CleanupStep(Step):
    """Changes the rows and keeps each as it was; its way back is the undo of the cleanup."""

    #: Number of the CleanupRecord.
    cleanup: int
    kind: StepKind = StepKind.DATA

    def commit_for(self, direction: str, cursor: Cursor) -> Commit:
        """Work that cannot be in a transaction commits for itself."""
        outside = direction == Direction.FORWARD and cleanup_named(cleanup_get(self.cleanup).name).outside
        return Commit.OUTSIDE if outside else Commit.ROWS

    def estimate(self) -> int | None:
        record = cleanup_get(self.cleanup)
        return cleanup_named(record.name).preview(record.options, 0).count

    def rollback_operation(self) -> RollbackOperation:
        return RollbackOperation(kind="data-restore", description="Put back every row as it was")

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        record = cleanup_get(self.cleanup)
        if record.state == CleanupState.DONE:
            return
        for batch in cleanup_apply(record, ctx.heartbeat):
            if record.state == CleanupState.DONE:
                ctx.log(f"{record.title}: {record.done} done, {record.rows_changed} rows written")
                ctx.remember(done=record.done, rows_changed=record.rows_changed)
            yield Batch({"batches": record.batches}, batch.rows)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        record = cleanup_get(self.cleanup)
        if record.state in {CleanupState.READY, CleanupState.UNDONE}:
            yield Batch()
            return
        for batch in undo_apply(record):
            if record.state == CleanupState.UNDONE:
                ctx.log(f"{record.title}: undone; {record.kept_count} rows stay as somebody has changed them since")
                ctx.remember(kept=record.kept_count)
            yield Batch({"batches": record.batches}, batch.rows)


@dataclass(frozen=True, kw_only=True)
class ParkStep(Step):
    """Moves the rows as they were out of the database into the cleanup's file."""

    cleanup: int
    kind: StepKind = StepKind.DATA
    commit = Commit.OUTSIDE

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        record = cleanup_get(self.cleanup)
        rows_park(record, ctx.heartbeat)
        if record.file_name:
            ctx.log(f"Rows as they were are in {record.file_name}, sha256 {record.sha256}")
        yield Batch({"parked": True})

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        yield Batch()  # the undo reads the file, which stays until its time is over


def cleanup_steps(options: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps of a cleanup."""
    number = options["cleanup"]
    return (
        CleanupStep(name="cleanup/rows", title="Clean up, keeping every row as it was", cleanup=number),
        ParkStep(name="cleanup/park", title="Park the old rows in a file", cleanup=number, requires=("cleanup/rows",)),
    )


def rollback_refused(options: Mapping[str, Any]) -> str:
    """Why a cleanup can no longer be undone; empty when it can."""
    record = CleanupRecord.objects.filter(pk=options["cleanup"]).first()
    if record is None or record.state == CleanupState.EXPIRED:
        return _("Its time is over: the rows that it parked are deleted.")
    try:
        cleanup_named(record.name)
    except CleanupUnknownError as error:
        return str(error)
    return "" if record.undoable else _("It changed no row that could come back.")


CLEANUP_TASK = TaskKind(
    name=TASK,
    steps=cleanup_steps,
    permission="migrations_ops.run_cleanup",
    permission_back="migrations_ops.undo_cleanup",
    rollback_refused=rollback_refused,
)
