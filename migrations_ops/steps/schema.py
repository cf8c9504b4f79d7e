"""The step that makes the tables of a level, and on the way back parks their rows and drops them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from migrations_ops.archive import manifest_differences, tables_manifest
from migrations_ops.checkpoints import (
    checkpoint_discard,
    checkpoint_get,
    checkpoint_verify,
    lock_writers,
    rows_park,
)
from migrations_ops.models import Direction
from migrations_ops.phase import Phase, phase_at
from migrations_ops.schema import migration_apply, migration_unapply, migrations_applied, migrations_known
from migrations_ops.steps.base import Batch, Commit, Cursor, RollbackOperation, Step, StepContext, StepKind

#: How often rows that changed after they were parked are parked anew while people go on writing;
#: once more, and they are parked with their writers held.
PARK_TRIES = 3


@dataclass(frozen=True, kw_only=True)
class SchemaStep(Step):
    """Applies the migrations of one phase, each with its journal row in one commit."""

    level: int
    #: Name of the ParkedRowsStep of the same phase.
    rows_step: str
    kind: StepKind = StepKind.SCHEMA

    @property
    def phase(self) -> Phase:
        """The phase whose tables these are."""
        return phase_at(self.level)

    def commit_for(self, direction: str, cursor: Cursor) -> Commit:
        """Tables change with foreign key checks off; parking writes a file and holds no lock."""
        state = cursor or {"tries": 1}
        parking = direction == Direction.BACK and not state.get("parked") and state["tries"] <= PARK_TRIES
        return Commit.OUTSIDE if parking else Commit.DDL

    def estimate(self) -> int:
        return len(migrations_known(self.phase.app_label))

    def rollback_operation(self) -> RollbackOperation:
        tables = ", ".join(model._meta.db_table for model in self.phase.models())
        return RollbackOperation(kind="schema-drop", description=f"Park the rows of {tables}, then drop these tables")

    def loss(self) -> str:
        tables = ", ".join(model._meta.db_table for model in self.phase.models())
        return f"The pages of MVP{self.level} close. Rows of {tables} are parked and return with the next upgrade."

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        label = self.phase.app_label
        done = set(migrations_applied(label))
        for name in migrations_known(label):
            if name not in done:
                migration_apply(label, name)
                ctx.log(f"Applied {label}.{name}")
                yield Batch({"applied": name}, 1)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        state = cursor or self._fresh_archive(tries=1)
        if cursor is None:
            yield Batch(state)  # journaled first: a crash parks into the same file again
        while not state.get("dropped"):
            state, migrations = self._revert_once(ctx, state)
            yield Batch(state, migrations)

    def _revert_once(self, ctx: StepContext, state: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """One batch of the way back: the next state and how many migrations were undone."""
        applied = migrations_applied(self.phase.app_label)
        held = state["tries"] > PARK_TRIES
        if not state.get("parked"):
            if held and applied:
                lock_writers(self.phase.models())
            state = {**state, "parked": self._park(ctx, UUID(state["checkpoint"]))}
            if not held:
                return state, 0
        if applied and not held and (change := self._changed_since(state["parked"])):
            checkpoint_discard(checkpoint_get(state["parked"]))
            ctx.log(f"{change}: parked again")
            return self._fresh_archive(tries=state["tries"] + 1), 0
        for name in reversed(applied):
            migration_unapply(self.phase.app_label, name)
            ctx.log(f"Dropped the tables of {self.phase.app_label}.{name}")
        return {**state, "dropped": True}, len(applied)

    def _fresh_archive(self, *, tries: int) -> dict[str, Any]:
        return {"tries": tries, "checkpoint": str(uuid4())}

    def _park(self, ctx: StepContext, checkpoint_id: UUID) -> str:
        """Id of the checkpoint that holds the rows, or "nothing" when there is nothing to keep."""
        if not migrations_applied(self.phase.app_label):
            return "nothing"
        if not ctx.result_of(self.rows_step).get("complete"):
            # No later step ran, so the tables hold at most a part of what an older archive holds.
            ctx.log("No rows were collected: nothing to park")
            return "nothing"
        parked = rows_park(
            phase=self.phase,
            actor=ctx.run.started_by,
            checkpoint_id=checkpoint_id,
            run=ctx.run,
            heartbeat=ctx.heartbeat,
        )
        checkpoint_verify(checkpoint=parked, heartbeat=ctx.heartbeat)
        rows = sum(table["rows"] for table in parked.manifest["tables"].values())
        ctx.log(f"Parked {rows} rows in {parked.pk}, read back and equal")
        return str(parked.pk)

    def _changed_since(self, parked: str) -> str:
        """The first table that differs from what was parked, its writers held from now on."""
        if parked == "nothing":
            return ""
        tables = self.phase.models()
        lock_writers(tables)
        expected = checkpoint_get(parked).manifest["tables"]
        return next(iter(manifest_differences(expected, tables_manifest(tables))), "")
