"""The step that tries a move out on a copy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from migrations_ops.errors import RehearsalError
from migrations_ops.models import Move, Plan
from migrations_ops.move.assess import values_assess
from migrations_ops.move.copiers import Control
from migrations_ops.move.copying import range_copy
from migrations_ops.move.diary import move_note
from migrations_ops.move.ends import Ends
from migrations_ops.move.filling import keys_make, target_finish
from migrations_ops.move.ranges import ranges, ranges_plan
from migrations_ops.move.rehearsing import ends_rehearsed
from migrations_ops.move.target_schema import target_prepare
from migrations_ops.move.verify import verify
from migrations_ops.steps.base import Batch, Commit, Cursor, Step, StepContext, StepKind
from migrations_ops.steps.move.verify import StopAskedError, parity_queries

DIFFERENCES_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class RehearseMoveStep(Step):
    """Copies one moment of the site into a scratch place of the target, compares every row, drops it again."""

    kind: StepKind = StepKind.ASSESSMENT
    commit: ClassVar[Commit] = Commit.OUTSIDE

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if cursor:
            return
        plan = Plan.objects.get(pk=ctx.options["plan"])
        try:
            with ends_rehearsed(plan.move) as ends:
                trial = Trial(ctx, plan.move, ends)
                trial.run()
        except StopAskedError:
            yield Batch()  # a rehearsal cannot go on in the middle
            return
        ctx.remember(measured=trial.measured, manifest_equal=trial.equal)
        if not trial.equal:
            raise RehearsalError(reason=f"rows differ on the copy: {trial.said}")
        yield Batch({"done": True}, 1)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        yield Batch()  # the scratch place went with the block that made it, or goes with the next one


class Trial:
    """One rehearsal: its measurements by the name of the step that will do the same."""

    def __init__(self, ctx: StepContext, move: Move, ends: Ends) -> None:
        self.ctx = ctx
        self.move = move
        self.ends = ends
        self.measured: dict[str, dict[str, Any]] = {}
        self.equal = False
        self.said = ""

    def run(self) -> None:
        """Everything that the move does before its cut-over. Raises StopAskedError and what these raise."""
        with self._timed("move/values") as figures:
            assessment = values_assess(self.ends.source, self.ends.tables, self.ends.target, heartbeat=self._beat)
            figures["rows"] = assessment.rows
        move_note(self.move, assessment=assessment.as_json())
        with self._timed("move/target"):
            target_prepare(self.ends.source, self.ends.target, site=self.move.site, heartbeat=self._beat)
        with self._timed("move/copy") as figures:
            figures["rows"] = self._copied()
        with self._timed("move/indexes") as figures:
            control = Control(heartbeat=self._beat)
            figures["rows"] = sum(
                1
                for make in (keys_make, target_finish)
                for _made in make(self.ends.source, self.ends.target, self.ends.tables, control=control)
            )
        with self._timed("move/verify") as figures:
            figures["rows"] = self._compared()

    def _copied(self) -> int:
        ranges_plan(self.ends.source, self.ends.target, self.ends.tables)
        rows = 0
        for table in self.ends.tables:
            for key_range in ranges(self.ends.source, table):
                self._beat()
                rows += range_copy(self.ends.source, self.ends.target, table, key_range).rows
        return rows

    def _compared(self) -> int:
        ledger = verify(
            self.ends.source,
            self.ends.target,
            self.ends.tables,
            heartbeat=self._beat,
            queries=parity_queries(self.ctx.run.plan.from_level),
        )
        self.equal = ledger.sound
        self.said = "; ".join(str(difference) for difference in ledger.differences[:DIFFERENCES_SHOWN])
        return ledger.rows

    def _beat(self) -> None:
        self.ctx.heartbeat()
        if self.ctx.stop_asked():
            raise StopAskedError

    @contextmanager
    def _timed(self, step: str) -> Iterator[dict[str, Any]]:
        """Measures one part under the name of its step."""
        figures: dict[str, Any] = {"rows": 1}
        began = time.monotonic()
        yield figures
        self.measured[step] = {**figures, "seconds": round(time.monotonic() - began, 3)}
        self.ctx.log(f"{step}: {figures['rows']} in {self.measured[step]['seconds']} s on the copy")
