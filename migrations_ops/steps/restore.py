"""The step that makes the site what a checkpoint holds, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from migrations_ops.checkpoints import checkpoint_get, checkpoint_restore, checkpoint_verify
from migrations_ops.steps.base import Batch, Commit, Cursor, RollbackOperation, Step, StepContext, StepKind


@dataclass(frozen=True, kw_only=True)
class RestoreStep(Step):
    """Restores `checkpoint`; on the way back, the one that `safety_step` made before."""

    checkpoint: str
    safety_step: str
    kind: StepKind = StepKind.DATABASE
    commit: ClassVar[Commit] = Commit.DDL

    def rollback_operation(self) -> RollbackOperation:
        return RollbackOperation(
            kind="data-restore", description="Restore the checkpoint that this run makes before it starts"
        )

    def loss(self) -> str:
        return "A rollback gives back what was there before the restore; what is written after it is lost then."

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if not cursor:
            yield self._restore(ctx, self.checkpoint)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if not cursor:
            yield self._restore(ctx, ctx.result_of(self.safety_step)["checkpoint"])

    def _restore(self, ctx: StepContext, checkpoint_id: str) -> Batch:
        checkpoint = checkpoint_get(checkpoint_id)
        checkpoint_verify(checkpoint=checkpoint)
        counts = checkpoint_restore(checkpoint=checkpoint, heartbeat=ctx.heartbeat)
        ctx.log(f"Restored {sum(counts.values())} rows to MVP{checkpoint.level}; every table equals the manifest")
        return Batch({"restored": str(checkpoint.pk)}, sum(counts.values()))
