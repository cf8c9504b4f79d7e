"""The engine's own tables: where the site is, what is planned, what ran, what can be restored.

Journal rows name people by user name and not by key, so that they outlive accounts and restores.
"""

from migrations_ops.models.checkpoints import Checkpoint, CheckpointKind, CheckpointState
from migrations_ops.models.integrity import (
    CheckResult,
    CheckRun,
    CheckStatus,
    CleanupRecord,
    CleanupRow,
    CleanupState,
    HealthState,
)
from migrations_ops.models.moves import GoMode, Move, MoveState
from migrations_ops.models.plans import Finding, FindingStatus, Plan, PlanKind, SiteState
from migrations_ops.models.runs import (
    ACTIVE_STATES,
    RESTING_STATES,
    Direction,
    EventLevel,
    Intent,
    Run,
    RunEvent,
    RunState,
    StepRecord,
    StepState,
)

__all__ = [
    "ACTIVE_STATES",
    "RESTING_STATES",
    "CheckResult",
    "CheckRun",
    "CheckStatus",
    "Checkpoint",
    "CheckpointKind",
    "CheckpointState",
    "CleanupRecord",
    "CleanupRow",
    "CleanupState",
    "Direction",
    "EventLevel",
    "Finding",
    "FindingStatus",
    "GoMode",
    "HealthState",
    "Intent",
    "Move",
    "MoveState",
    "Plan",
    "PlanKind",
    "Run",
    "RunEvent",
    "RunState",
    "SiteState",
    "StepRecord",
    "StepState",
]
