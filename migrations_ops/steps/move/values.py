"""The step that reads every value before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migrations_ops.errors import StepFailedError
from migrations_ops.move.assess import values_assess
from migrations_ops.move.diary import move_note
from migrations_ops.move.ends import ends_open
from migrations_ops.steps.base import Batch, Cursor, StepContext, StepKind
from migrations_ops.steps.move.base import MoveStep, brake, move_of, patiently

BLOCKERS_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class ValuesStep(MoveStep):
    """Stops the run when the target would refuse or change a value."""

    kind: StepKind = StepKind.ASSESSMENT

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if not cursor:
            yield from patiently(self._read(ctx), cursor)

    def _read(self, ctx: StepContext) -> Iterator[Batch]:
        move = move_of(ctx)
        with ends_open(move) as ends:
            while reason := brake(move, ends):
                yield Batch(None, waiting_for=reason)
            assessment = values_assess(ends.source, ends.tables, ends.target, heartbeat=ctx.heartbeat)
        move_note(move, assessment=assessment.as_json())
        if assessment.blocks:
            reason = "; ".join(str(finding) for finding in assessment.blocking[:BLOCKERS_SHOWN])
            raise StepFailedError(reason=f"The target would refuse or change values: {reason}")
        ctx.log(f"{assessment.rows} rows read; the target takes every value")
        yield Batch({"read": True}, assessment.rows)
