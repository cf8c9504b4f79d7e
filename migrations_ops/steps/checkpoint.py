"""The step that copies the site's rows into a checkpoint before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID, uuid4

from migrations_ops.checkpoints import checkpoint_create, checkpoint_verify, tables_open
from migrations_ops.gate import site_level
from migrations_ops.models import Checkpoint, CheckpointState, PlanKind, Run
from migrations_ops.steps.base import Batch, Commit, Cursor, Step, StepContext, StepKind


def label_of(run: Run) -> str:
    """What the checkpoint of a run is called."""
    if run.plan.kind == PlanKind.MOVE:
        return f"Before run {run.pk} (move of the database)"
    return f"Before run {run.pk} (MVP{run.plan.from_level} to MVP{run.plan.to_level})"


@dataclass(frozen=True, kw_only=True)
class CheckpointStep(Step):
    """A full checkpoint, verified by reading it back."""

    kind: StepKind = StepKind.CHECKPOINT
    commit: ClassVar[Commit] = Commit.OUTSIDE

    def estimate(self) -> int:
        return sum(model._base_manager.count() for model in tables_open(site_level()))

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if cursor is None:
            cursor = {"checkpoint": str(uuid4())}
            yield Batch(cursor)  # the name is journaled first: a crash finds the same file again
        if cursor.get("verified"):
            return
        checkpoint = checkpoint_create(
            label=label_of(ctx.run),
            actor=ctx.run.started_by,
            checkpoint_id=UUID(cursor["checkpoint"]),
            run=ctx.run,
            heartbeat=ctx.heartbeat,
        )
        checkpoint_verify(checkpoint=checkpoint, heartbeat=ctx.heartbeat)
        rows = sum(table["rows"] for table in checkpoint.manifest["tables"].values())
        ctx.remember(checkpoint=str(checkpoint.pk))
        ctx.log(f"Checkpoint {checkpoint.pk}: {rows} rows, {checkpoint.size_bytes} bytes, read back and equal")
        yield Batch({**cursor, "verified": True}, rows)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        # The file stays: it is what the operator falls back on if the rollback itself went wrong.
        # It may be gone nevertheless, deleted by a person; a rollback does not need it.
        if Checkpoint.objects.filter(pk=ctx.record.result.get("checkpoint"), state=CheckpointState.COMPLETE).exists():
            ctx.log(f"Checkpoint {ctx.record.result['checkpoint']} is kept")
        yield Batch()
