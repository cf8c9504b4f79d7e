"""The risks of a plan, each with the measured fact behind it and what would lower it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from migrations_ops.checkpoints import checkpoints_space_needed, database_size, disk_free
from migrations_ops.models import (
    Checkpoint,
    CheckpointKind,
    CheckpointState,
    Finding,
    FindingStatus,
    Plan,
    PlanKind,
    Run,
    RunState,
)
from migrations_ops.phase import phase_at, phases_open
from migrations_ops.steps.base import Step, StepKind

GIGABYTE = 1024**3
CHECKPOINT_FRESH = timedelta(hours=24)
PLUGINS_MANY = 2


class RiskLevel(models.TextChoices):
    """How much a risk weighs; NONE is a risk that was measured and is not there."""

    NONE = "none", _("None")
    LOW = "low", _("Low")
    MEDIUM = "medium", _("Medium")
    HIGH = "high", _("High")


ORDER = [RiskLevel.NONE, RiskLevel.LOW, RiskLevel.MEDIUM, RiskLevel.HIGH]


@dataclass(frozen=True, kw_only=True)
class Risk:
    """One risk; `fact` is what was measured, `mitigation` what would lower it."""

    type: str
    level: RiskLevel
    description: str
    mitigation: str
    fact: str

    def as_json(self) -> dict[str, Any]:
        """The risk as it is stored with a plan."""
        return {**asdict(self), "level": self.level.value}


def risk_level(risks: list[Risk]) -> RiskLevel:
    """The level of a plan: that of its worst risk."""
    return max((risk.level for risk in risks), key=ORDER.index, default=RiskLevel.NONE)


def risk_assess(plan: Plan, steps: tuple[Step, ...], findings: list[Finding]) -> list[Risk]:
    """Every risk that was measured for a plan, worst first; `findings` are those of the same moment."""
    if plan.kind == PlanKind.TASK:
        return [reversible_risk(steps)]
    risks = [
        data_size_risk(),
        plugins_risk(plan),
        checkpoint_risk(),
        rehearsal_risk(plan),
        disk_risk(),
        orphans_risk(findings),
        reversible_risk(steps),
        engine_change_risk(steps),
    ]
    for phase in phases_open(plan.from_level):
        for measure in phase.risks:
            risks.extend(measure())
    return sorted(risks, key=lambda risk: -ORDER.index(risk.level))


def data_size_risk() -> Risk:
    """Large data make every step long."""
    size = database_size()
    return Risk(
        type="data_size",
        level=RiskLevel.MEDIUM if size > GIGABYTE else RiskLevel.NONE,
        description="Large data make backfills and checkpoints long; over 1 GB a run takes a while.",
        mitigation="Rehearse to know the time; start in a quiet hour; archive what nobody uses.",
        fact=f"The database takes {size / 1024**2:.1f} MB.",
    )


def plugins_risk(plan: Plan) -> Risk:
    """Many new plugins at once make a failure hard to place."""
    new = [name for level in range(plan.from_level + 1, plan.to_level + 1) for name in phase_at(level).plugins]
    return Risk(
        type="new_plugins",
        level=RiskLevel.MEDIUM if len(new) > PLUGINS_MANY else RiskLevel.NONE,
        description="More than two new plugins in one run make a failure harder to place.",
        mitigation="Go up one level at a time.",
        fact=f"{len(new)} new plugin(s): {', '.join(new) or 'none'}.",
    )


def checkpoint_risk() -> Risk:
    """Without a proven checkpoint the only way back is the run's own."""
    good = Checkpoint.objects.filter(kind=CheckpointKind.FULL, state=CheckpointState.COMPLETE)
    latest = good.exclude(verified_at__isnull=True).order_by("-created_at").first()
    fresh = latest is not None and timezone.now() - latest.created_at < CHECKPOINT_FRESH
    tested = latest is not None and latest.restore_tested_at is not None
    level = RiskLevel.NONE if fresh and tested else RiskLevel.LOW if fresh else RiskLevel.MEDIUM
    if latest is None:
        fact = "There is no verified checkpoint."
    else:
        proof = "its restore was tested" if tested else "its restore was not tested"
        fact = f"The last verified checkpoint is of {latest.created_at:%Y-%m-%d %H:%M} UTC; {proof}."
    return Risk(
        type="no_fresh_checkpoint",
        level=level,
        description="The run makes a checkpoint of its own first, but one that has been restored once is worth more.",
        mitigation="Rehearse the plan: that restores a fresh checkpoint into an empty database and compares every row.",
        fact=fact,
    )


def rehearsal_risk(plan: Plan) -> Risk:
    """A plan that never ran on a copy runs for the first time on the real data."""
    last = Run.objects.filter(plan__kind=PlanKind.REHEARSAL, plan__options__plan=plan.pk).order_by("-pk").first()
    if plan.kind not in {PlanKind.UPGRADE, PlanKind.MOVE} or (last and last.state == RunState.SUCCEEDED):
        level, fact = RiskLevel.NONE, f"Run {last.pk} rehearsed this plan." if last else "Nothing to rehearse."
    elif last and last.state in {RunState.FAILED, RunState.CANCELLED}:
        level, fact = RiskLevel.HIGH, f"Run {last.pk} rehearsed this plan and did not succeed."
    else:
        level, fact = RiskLevel.MEDIUM, "This plan was not rehearsed."
    return Risk(
        type="no_rehearsal",
        level=level,
        description="A plan that never ran on a copy of the data runs for the first time on the real data.",
        mitigation="Rehearse the plan; it runs in the background on a copy and changes nothing here.",
        fact=fact,
    )


def disk_risk() -> Risk:
    """Little room left over after the run."""
    needed, free = checkpoints_space_needed(), disk_free()
    little = free < needed * 4 + GIGABYTE
    return Risk(
        type="little_disk",
        level=RiskLevel.MEDIUM if little else RiskLevel.NONE,
        description="Little free disk: the checkpoint, the new tables and the log of the database need room.",
        mitigation="Free some space or trim old checkpoints.",
        fact=f"{free / 1024**2:.0f} MB free; a checkpoint takes up to {needed / 1024**2:.1f} MB.",
    )


def orphans_risk(findings: list[Finding]) -> Risk:
    """Rows that point to nothing cannot be copied into tables that check it."""
    found = next((finding for finding in findings if finding.code == "orphans"), None)
    failed = found is not None and found.status == FindingStatus.FAIL
    return Risk(
        type="orphans",
        level=RiskLevel.HIGH if failed else RiskLevel.NONE,
        description="A row that points to nothing stops a backfill or a restore in the middle.",
        mitigation="Remove or mend the rows, then check again.",
        fact=found.evidence if found else "Not checked.",
    )


def reversible_risk(steps: tuple[Step, ...]) -> Risk:
    """A step that declares itself irreversible."""
    oneway = [step.name for step in steps if not step.reversible]
    return Risk(
        type="irreversible_step",
        level=RiskLevel.HIGH if oneway else RiskLevel.NONE,
        description="A step that cannot be undone leaves the checkpoint as the only way back.",
        mitigation="Make sure that the checkpoint can be restored: rehearse.",
        fact=f"Steps without a way back: {', '.join(oneway) or 'none'}.",
    )


def engine_change_risk(steps: tuple[Step, ...]) -> Risk:
    """The data moves to another database."""
    moves = [step.name for step in steps if step.kind == StepKind.DATABASE]
    return Risk(
        type="database_change",
        level=RiskLevel.MEDIUM if moves else RiskLevel.NONE,
        description="Every row of the site is written again.",
        mitigation="Keep the checkpoint that the run makes first until you have looked at the result.",
        fact=f"Steps that rewrite the database: {', '.join(moves) or 'none'}.",
    )
