"""The step that brings back the rows that an earlier rollback has parked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Model
from django.utils import timezone

from migrations_ops.archive import archive_lines, rows_insert, rows_with_parents
from migrations_ops.checkpoints import (
    checkpoint_get,
    checkpoint_path,
    checkpoint_verify,
    columns_unknown,
    sequences_reset,
)
from migrations_ops.models import Checkpoint, CheckpointKind, CheckpointState, Direction, Finding, FindingStatus
from migrations_ops.phase import phase_at
from migrations_ops.steps.base import Batch, Commit, Cursor, RollbackOperation, Step, StepContext, StepKind

ROWS_PER_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class ParkedRowsStep(Step):
    """Inserts the newest parked rows of a phase into its new tables.

    A row whose parent was deleted meanwhile cannot come back; it stays in the archive and is
    counted in the journal.
    """

    level: int
    kind: StepKind = StepKind.DATA

    def parked(self) -> Checkpoint | None:
        """The newest archive of this phase that has not come back yet; a damaged one is not passed over."""
        waiting = Checkpoint.objects.filter(
            kind=CheckpointKind.PARKED, phase_level=self.level, restored_at__isnull=True
        )
        return waiting.exclude(state=CheckpointState.DELETED).order_by("-created_at").first()

    def precheck(self) -> Iterable[Finding]:
        if parked := self.parked():
            lost = columns_unknown(parked, phase_at(self.level).models())
            yield Finding(
                code="parked_rows",
                title="Parked rows fit this release",
                status=FindingStatus.FAIL if lost else FindingStatus.PASS,
                evidence=f"It has no {', '.join(lost)}." if lost else f"Checkpoint {parked.pk} fits.",
                remedy=f"Install a release that has them, or delete checkpoint {parked.pk} with its rows."
                if lost
                else "",
            )

    def commit_for(self, direction: str, cursor: Cursor) -> Commit:
        """Reading the archive for proof comes first and holds no lock."""
        return Commit.OUTSIDE if direction == Direction.FORWARD and cursor is None else Commit.ROWS

    def estimate(self) -> int:
        parked = self.parked()
        return sum(table["rows"] for table in parked.manifest["tables"].values()) if parked else 0

    def rollback_operation(self) -> RollbackOperation:
        return RollbackOperation(
            kind="data-restore",
            description=f"Keep the rows of MVP{self.level} in an archive that the next upgrade restores",
        )

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if cursor is None:
            if parked := self.parked():
                checkpoint_verify(checkpoint=parked, heartbeat=ctx.heartbeat)
            cursor = {"checkpoint": str(parked.pk) if parked else None, "table": 0, "row": 0, "left": 0}
            yield Batch(cursor)
        if cursor.get("complete"):
            return
        if cursor["checkpoint"]:
            yield from self._restore(ctx, checkpoint_get(cursor["checkpoint"]), cursor)
        else:
            ctx.log("No parked rows wait for this level")
        ctx.remember(complete=True)
        yield Batch({**cursor, "complete": True})

    def _restore(self, ctx: StepContext, parked: Checkpoint, cursor: dict[str, Any]) -> Iterator[Batch]:
        tables = phase_at(self.level).models()
        left = cursor["left"]
        for position in range(cursor["table"], len(tables)):
            skip = cursor["row"] if position == cursor["table"] else 0
            for read, rows, missing in self._batches(tables[position], parked, skip):
                left += missing
                yield Batch({**cursor, "table": position, "row": read, "left": left}, rows)
        sequences_reset(tables)
        Checkpoint.objects.filter(pk=parked.pk).update(restored_at=timezone.now())
        ctx.log(f"Rows parked on {parked.created_at:%Y-%m-%d} are back; {left} without a parent stay in the archive")
        ctx.remember(restored=str(parked.pk), left_in_archive=left)

    def _batches(self, model: type[Model], parked: Checkpoint, skip: int) -> Iterator[tuple[int, int, int]]:
        table = model._meta.db_table
        facts = parked.manifest["tables"].get(table)
        if not facts:
            return
        lines = archive_lines(checkpoint_path(parked), table, skip=skip)
        while batch := list(islice(lines, ROWS_PER_BATCH)):
            kept = rows_with_parents(model, batch, facts["columns"])
            rows_insert(model, kept, facts["columns"])
            skip += len(batch)
            yield skip, len(kept), len(batch) - len(kept)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        # SchemaStep parks every row of the phase, these with them, right before it drops the tables.
        yield Batch()
