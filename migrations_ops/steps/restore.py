"""The step that makes the site what a checkpoint holds, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from migrations_ops.archive import manifest_differences, tables_manifest
from migrations_ops.checkpoints import (
    checkpoint_create,
    checkpoint_get,
    checkpoint_restore,
    checkpoint_verify,
    lock_writers,
    tables_open,
)
from migrations_ops.gate import site_level
from migrations_ops.models import Checkpoint, Direction
from migrations_ops.steps.base import Batch, Commit, Cursor, RollbackOperation, Step, StepContext, StepKind


@dataclass(frozen=True, kw_only=True)
class RestoreStep(Step):
    """Restores `checkpoint`; on the way back, what the site was right before.

    1. Reads the file for proof, with no lock held.
    2. Holds the writers. What they wrote after `safety_step` made its checkpoint goes into one more,
       so that nothing that the site has confirmed to anybody is lost.
    3. Restores.
    """

    checkpoint: str
    safety_step: str
    kind: StepKind = StepKind.DATABASE

    def commit_for(self, direction: str, cursor: Cursor) -> Commit:
        """Reading the file holds no lock; the restore changes tables."""
        return Commit.OUTSIDE if cursor is None else Commit.DDL

    def rollback_operation(self) -> RollbackOperation:
        return RollbackOperation(
            kind="data-restore", description="Restore the checkpoint that this run makes before it starts"
        )

    def loss(self) -> str:
        return (
            "What was written since the checkpoint was made leaves the site; it is kept in a checkpoint of this run. "
            "A rollback brings that back, and keeps what is written after the restore in one more checkpoint."
        )

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        present = ctx.result_of(self.safety_step)["checkpoint"]
        yield from self._restore(ctx, cursor, wanted=self.checkpoint, present=present)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if (ctx.record.cursor or {}).get("restored"):
            wanted = ctx.record.result[f"kept_{Direction.FORWARD}"]
            yield from self._restore(ctx, cursor, wanted=wanted, present=self.checkpoint)

    def _restore(self, ctx: StepContext, cursor: Cursor, *, wanted: str, present: str) -> Iterator[Batch]:
        """Make the site what `wanted` holds; `present` is what it should hold now."""
        checkpoint = checkpoint_get(wanted)
        if cursor is None:
            checkpoint_verify(checkpoint=checkpoint, heartbeat=ctx.heartbeat)
            cursor = {"kept": str(uuid4())}
            yield Batch(cursor)  # the name is journaled first: a crash finds the same file again
        if cursor.get("restored"):
            return
        ctx.remember(**{f"kept_{ctx.run.direction}": self._keep(ctx, UUID(cursor["kept"]), present)})
        counts = checkpoint_restore(checkpoint=checkpoint, heartbeat=ctx.heartbeat)
        ctx.log(f"Restored {sum(counts.values())} rows to MVP{checkpoint.level}; every table equals the manifest")
        yield Batch({**cursor, "restored": str(checkpoint.pk)}, sum(counts.values()))

    def _keep(self, ctx: StepContext, kept_id: UUID, present: str) -> str:
        """Id of a checkpoint that holds every row as of now, the writers held: `present` if it does."""
        tables = tables_open(site_level())
        lock_writers(tables)
        expected: dict[str, Any] = Checkpoint.objects.get(pk=present).manifest["tables"]
        differences = manifest_differences(expected, tables_manifest(tables))
        if not differences:
            return present
        kept = checkpoint_create(
            label=f"At the moment of the restore of run {ctx.run.pk}",
            actor=ctx.run.started_by,
            checkpoint_id=kept_id,
            run=ctx.run,
            heartbeat=ctx.heartbeat,
        )
        ctx.log(f"Written meanwhile and kept in checkpoint {kept.pk}: {'; '.join(differences)}")
        return str(kept.pk)
