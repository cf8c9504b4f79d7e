"""The steps of a database move, in order."""

from __future__ import annotations

from migrations_ops.models import Move
from migrations_ops.move.ends import place_of_target
from migrations_ops.steps.base import Step
from migrations_ops.steps.checkpoint import CheckpointStep
from migrations_ops.steps.move.copy import CopyStep, IndexStep
from migrations_ops.steps.move.cutover import CutoverStep, SmokeStep
from migrations_ops.steps.move.tables import CaptureStep, TargetStep
from migrations_ops.steps.move.values import ValuesStep
from migrations_ops.steps.move.verify import VerifyStep


def move_steps(move: Move) -> tuple[Step, ...]:
    """Checkpoint, tables, triggers before the first row is copied, rows, indexes, proof, the cut-over, its trial."""
    to = place_of_target(move)
    return (
        ValuesStep(name="move/values", title="Read every value for what the target would refuse", target=to),
        CheckpointStep(name="move/checkpoint", title="Checkpoint of the whole site"),
        TargetStep(name="move/target", title="Tables in the new database", target=to, requires=("move/checkpoint",)),
        CaptureStep(name="move/capture", title="Record what changes", target=to, requires=("move/target",)),
        CopyStep(
            name="move/copy",
            title="Copy every row",
            target=to,
            requires=("move/capture",),
            limit=move.rows_per_second,
        ),
        IndexStep(name="move/indexes", title="Indexes and constraints", target=to, requires=("move/copy",)),
        VerifyStep(name="move/verify", title="Compare every row", target=to, requires=("move/indexes",)),
        CutoverStep(name="move/cutover", title="Cut over", target=to, requires=("move/verify",)),
        SmokeStep(name="move/smoke", title="Ask the new database", target=to, requires=("move/cutover",)),
    )
