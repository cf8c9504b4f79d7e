"""States as coloured badges: the class decides the colour, the label says it in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from migrations_ops.models import CheckpointState, EventLevel, FindingStatus, RunState, StepState
from migrations_ops.risk import RiskLevel
from migrations_ops.steps.base import StepKind

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

RUN_TONES = {
    RunState.QUEUED: "info",
    RunState.RUNNING: "running",
    RunState.PAUSING: "warn",
    RunState.PAUSED: "warn",
    RunState.ROLLING_BACK: "running",
    RunState.FAILED: "fail",
    RunState.ROLLED_BACK: "neutral",
    RunState.CANCELLED: "neutral",
    RunState.SUCCEEDED: "ok",
}
#: The marker in the list of steps, and the badge, of each state.
STEP_TONES = {
    StepState.PENDING: ("pending", "neutral"),
    StepState.RUNNING: ("running", "running"),
    StepState.DONE: ("done", "ok"),
    StepState.WARNING: ("warn", "warn"),
    StepState.FAILED: ("failed", "fail"),
    StepState.SKIPPED: ("skipped", "neutral"),
    StepState.REVERTING: ("running", "running"),
    StepState.REVERTED: ("reverted", "neutral"),
}
FINDING_TONES = {FindingStatus.PASS: "ok", FindingStatus.WARN: "warn", FindingStatus.FAIL: "fail"}
RISK_TONES = {RiskLevel.NONE: "ok", RiskLevel.LOW: "info", RiskLevel.MEDIUM: "warn", RiskLevel.HIGH: "fail"}
CHECKPOINT_TONES = {
    CheckpointState.COMPLETE: "ok",
    CheckpointState.CORRUPT: "fail",
    CheckpointState.DELETED: "neutral",
}
EVENT_TONES = {
    EventLevel.INFO: "",
    EventLevel.WARN: "warn",
    EventLevel.ERROR: "error",
    EventLevel.AUDIT: "audit",
}


@dataclass(frozen=True)
class Badge:
    """A word and its colour."""

    label: StrOrPromise
    tone: str


def run_badge(state: str) -> Badge:
    """The state of a run."""
    value = RunState(state)
    return Badge(value.label, RUN_TONES[value])


def step_badge(state: str) -> Badge:
    """The state of a step."""
    value = StepState(state)
    return Badge(value.label, STEP_TONES[value][1])


def step_marker(state: str) -> str:
    """The class of the marker beside a step."""
    return STEP_TONES[StepState(state)][0]


def finding_badge(status: str) -> Badge:
    """The verdict of a check."""
    value = FindingStatus(status)
    return Badge(value.label, FINDING_TONES[value])


def risk_badge(level: str) -> Badge:
    """How much one risk weighs."""
    value = RiskLevel(level)
    return Badge(value.label, "neutral" if value is RiskLevel.NONE else RISK_TONES[value])


def overall_risk_badge(level: str) -> Badge:
    """How much the worst risk of a plan weighs."""
    value = RiskLevel(level)
    return Badge(_("No risk found") if value is RiskLevel.NONE else value.label, RISK_TONES[value])


def checkpoint_badge(state: str) -> Badge:
    """Whether the file of a checkpoint can be used."""
    value = CheckpointState(state)
    return Badge(value.label, CHECKPOINT_TONES[value])


def kind_label(kind: str) -> StrOrPromise:
    """The kind of a step in words; a kind that this release does not know as it is."""
    return StepKind(kind).label if kind in StepKind.values else kind
