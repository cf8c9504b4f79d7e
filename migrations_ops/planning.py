"""Makes plans: what would run, what it needs, what it risks, how it is undone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.utils import timezone

from migrations_ops import audit
from migrations_ops.checkpoints import checkpoint_fit, checkpoint_get
from migrations_ops.errors import (
    AlreadyAtLevelError,
    DownwardPlanError,
    PlanNotFoundError,
    PlanOutdatedError,
)
from migrations_ops.estimates import StepEstimate, estimate_steps
from migrations_ops.gate import site_level
from migrations_ops.models import Finding, FindingStatus, Move, Plan, PlanKind, Run
from migrations_ops.phase import Phase, phase_at
from migrations_ops.prechecks import precheck_run
from migrations_ops.rehearsal import rehearsal_steps
from migrations_ops.risk import Risk, RiskLevel, risk_assess, risk_level
from migrations_ops.schema import migrations_applied, migrations_known
from migrations_ops.steps.assess import AssessStep
from migrations_ops.steps.base import Step
from migrations_ops.steps.checkpoint import CheckpointStep
from migrations_ops.steps.level import LevelStep
from migrations_ops.steps.move import move_steps
from migrations_ops.steps.move.rehearse import RehearseMoveStep
from migrations_ops.steps.plugin import PluginStep
from migrations_ops.steps.restore import RestoreStep
from migrations_ops.steps.rows import ParkedRowsStep
from migrations_ops.steps.schema import SchemaStep
from migrations_ops.tasks import task_kind, task_kind_open


def steps_of(plan: Plan) -> tuple[Step, ...]:
    """The steps of a plan, in the order in which they run, as this release has them."""
    if plan.kind == PlanKind.UPGRADE:
        return upgrade_steps(plan.from_level, plan.to_level)
    if plan.kind == PlanKind.RESTORE:
        return restore_steps(plan.options["checkpoint"])
    if plan.kind == PlanKind.TASK:
        return task_kind(plan.options["task"]).steps(plan.options)
    if plan.kind == PlanKind.MOVE:
        return (_assess_step("move/assess"), *move_steps(plan.move))
    if "target" in plan.options:
        trial = RehearseMoveStep(name="rehearsal/move", title="Copy into a scratch place of the target, compare, drop")
        return (_assess_step("rehearsal/assess"), trial)
    return (_assess_step("rehearsal/assess"), *rehearsal_steps())


def upgrade_steps(from_level: int, to_level: int) -> tuple[Step, ...]:
    """The checks and a checkpoint first; then each phase: tables, rows, its own steps, its level last."""
    first = phase_at(from_level + 1)
    steps: list[Step] = [
        _assess_step(f"mvp{first.level}/assess"),
        CheckpointStep(name=f"mvp{first.level}/checkpoint", title="Checkpoint of the whole site"),
    ]
    for level in range(from_level + 1, to_level + 1):
        steps += phase_steps(phase_at(level))
    return tuple(steps)


def phase_steps(phase: Phase) -> list[Step]:
    """The steps that open one level."""
    prefix = f"mvp{phase.level}"
    rows = f"{prefix}/parked-rows"
    return [
        SchemaStep(name=f"{prefix}/schema", title=f"Tables of MVP{phase.level}", level=phase.level, rows_step=rows),
        ParkedRowsStep(
            name=rows,
            title="Rows parked by an earlier rollback",
            level=phase.level,
            requires=(f"{prefix}/schema",),
        ),
        *phase.steps(),
        LevelStep(
            name=f"{prefix}/level", title=f"Open MVP{phase.level}", level=phase.level, requires=(f"{prefix}/schema",)
        ),
    ]


def restore_steps(checkpoint_id: str) -> tuple[Step, ...]:
    """Checks, a checkpoint of what is there now, then the restore."""
    return (
        _assess_step("restore/assess"),
        CheckpointStep(name="restore/safety-checkpoint", title="Checkpoint of the site as it is"),
        RestoreStep(
            name="restore/restore",
            title="Restore rows and level",
            checkpoint=checkpoint_id,
            safety_step="restore/safety-checkpoint",
            requires=("restore/safety-checkpoint",),
        ),
    )


def _assess_step(name: str) -> Step:
    return AssessStep(name=name, title="Repeat the checks", check=_findings_of_run)


def _findings_of_run(run: Run) -> list[Finding]:
    return precheck_run(run.plan, steps_of(run.plan), run)


def plan_create(*, to_level: int, actor: str, reason: str = "", inline: bool = False) -> Plan:
    """Plan the way up from the site's level to `to_level`, checked and assessed.

    `inline` is for a command that does the work itself and needs no worker.
    Raises LevelUnknownError, AlreadyAtLevelError, DownwardPlanError.
    """
    phase_at(to_level)
    level = site_level()
    if to_level == level:
        raise AlreadyAtLevelError(level=level)
    if to_level < level:
        raise DownwardPlanError(from_level=level, to_level=to_level)
    plan = Plan(kind=PlanKind.UPGRADE, from_level=level, to_level=to_level, options={"inline": inline})
    return plan_save(plan, actor, reason)


def restore_plan_create(*, checkpoint_id: str, actor: str, reason: str = "", inline: bool = False) -> Plan:
    """Plan the restore of a checkpoint. Raises CheckpointNotFoundError, CheckpointUnfitError."""
    checkpoint = checkpoint_get(checkpoint_id)
    checkpoint_fit(checkpoint)
    options = {"checkpoint": str(checkpoint.pk), "inline": inline}
    plan = Plan(kind=PlanKind.RESTORE, from_level=site_level(), to_level=checkpoint.level, options=options)
    return plan_save(plan, actor, reason)


def rehearsal_plan_create(*, plan: Plan, actor: str, reason: str = "", inline: bool = False) -> Plan:
    """Plan the rehearsal of an upgrade or of a move of the database. Raises PlanOutdatedError."""
    plan_current(plan)
    options: dict[str, Any] = {"plan": plan.pk, "inline": inline}
    if plan.kind == PlanKind.MOVE:
        options["target"] = plan.options["target"]
    rehearsal = Plan(kind=PlanKind.REHEARSAL, from_level=plan.from_level, to_level=plan.to_level, options=options)
    return plan_save(rehearsal, actor, reason)


def task_plan_create(
    *,
    task: str,
    label: str,
    actor: str,
    options: dict[str, Any],
    page: str = "",
    reason: str = "",
    inline: bool = False,
) -> Plan:
    """Plan a task of an open phase; `label` says what it does, `page` is the address that shows what came of it.

    Raises TaskUnknownError, LevelClosedError.
    """
    kind, level = task_kind_open(task), site_level()
    given = {**options, "task": kind.name, "label": label, "page": page, "inline": inline}
    return plan_save(Plan(kind=PlanKind.TASK, from_level=level, to_level=level, options=given), actor, reason)


def plan_save(plan: Plan, actor: str, reason: str, move: Move | None = None) -> Plan:
    """Freeze a plan, check and assess it, and keep it; with the move of a plan that moves the database."""
    plan.created_by = actor
    steps = steps_of(plan)
    plan.document = plan_document(plan, steps)
    plan.fingerprint = plan_fingerprint(plan, steps)
    findings = _assess(plan, steps)
    with transaction.atomic():
        plan.save(force_insert=True)
        if move is not None:
            move.plan = plan
            move.save(force_insert=True)
        Finding.objects.bulk_create(findings)
        audit.record(plan=plan, action="plan", actor=actor, reason=reason, message=f"Made plan {plan}")
    return plan


def plan_check(*, plan: Plan, actor: str, reason: str = "") -> Plan:
    """Repeat checks, risks and estimate of a plan; its steps stay as planned. Raises PlanOutdatedError."""
    plan_current(plan)
    findings = _assess(plan, steps_of(plan))
    with transaction.atomic():
        plan.findings.filter(run__isnull=True).delete()
        plan.save(update_fields=["assessment", "assessed_at"])
        Finding.objects.bulk_create(findings)
        audit.record(plan=plan, action="check", actor=actor, reason=reason, message=f"Checked plan {plan.pk}")
    return plan


def plan_rehearsed(rehearsal: Plan) -> None:
    """Weigh the plan that a rehearsal has tried again, with its checks as they are: what it has measured counts now.

    The checks are not repeated: a rehearsal that failed holds the site, which says nothing about the plan.
    """
    plan = Plan.objects.filter(pk=rehearsal.options["plan"]).first()
    if plan is None:
        return
    steps, findings = steps_of(plan), list(plan.findings.filter(run__isnull=True))
    plan.assessment = assessment_document(findings, risk_assess(plan, steps, findings), estimate_steps(steps))
    plan.save(update_fields=["assessment"])


def _assess(plan: Plan, steps: tuple[Step, ...]) -> list[Finding]:
    findings = precheck_run(plan, steps)
    risks = risk_assess(plan, steps, findings)
    estimates = estimate_steps(steps)
    plan.assessment = assessment_document(findings, risks, estimates)
    plan.assessed_at = timezone.now()
    return findings


def assessment_document(findings: list[Finding], risks: list[Risk], estimates: list[StepEstimate]) -> dict[str, Any]:
    """What is known of a plan's chances as of now, as JSON."""
    failed = [finding for finding in findings if finding.status == FindingStatus.FAIL]
    measured = [estimate.seconds for estimate in estimates if estimate.seconds is not None]
    return {
        "ready": not failed,
        "risk": risk_level(risks).value,
        "risks": [risk.as_json() for risk in risks],
        "recommendations": recommendations(findings, risks),
        "estimates": [estimate.as_json() for estimate in estimates],
        "seconds": round(sum(measured), 1) if measured else None,
        "seconds_complete": len(measured) == len(estimates),
    }


def recommendations(findings: list[Finding], risks: list[Risk]) -> list[str]:
    """What to do before the run, most pressing first."""
    pressing = [
        f"{found.title}: {found.remedy}" for found in findings if found.remedy and found.status != FindingStatus.PASS
    ]
    return pressing + [risk.mitigation for risk in risks if risk.level is not RiskLevel.NONE]


def plan_document(plan: Plan, steps: tuple[Step, ...]) -> dict[str, Any]:
    """The frozen part of a plan, as JSON."""
    phases = [phase_at(level) for level in range(plan.from_level + 1, plan.to_level + 1)]
    return {
        "phases": [
            {
                "level": phase.level,
                "title": str(phase.title),
                "summary": str(phase.summary),
                "opens": [str(line) for line in phase.opens],
                "plugins": list(phase.plugins),
            }
            for phase in phases
        ],
        "steps": [
            {
                "name": step.name,
                "title": step.title,
                "kind": str(step.kind),
                "critical": step.critical,
                "reversible": step.reversible,
                "requires": list(step.requires),
                "needs_plugins": list(step.depends_on) if isinstance(step, PluginStep) else [],
            }
            for step in steps
        ],
        "requirements": requirements(plan),
        "rollback": [
            {"step": step.name, **asdict(operation)}
            for step in reversed(steps)
            if (operation := step.rollback_operation())
        ],
        "loss": [loss for step in steps if (loss := step.loss())],
    }


def requirements(plan: Plan) -> list[str]:
    """What must hold for the plan to run, in words."""
    lines = [f"The site is at MVP{plan.from_level} and no other run holds it."]
    if not plan.options.get("inline"):
        lines.append("A worker is running.")
    if plan.kind == PlanKind.MOVE:
        lines.append(f"{plan.options['target']} answers, may be written, and is empty or holds a part of this move.")
    if plan.kind == PlanKind.TASK:
        return lines
    return [
        *lines,
        "The disk has room for a checkpoint.",
        "The database passes its own check and no row points to nothing.",
    ]


def plan_fingerprint(plan: Plan, steps: tuple[Step, ...]) -> str:
    """sha256 of what a plan depends on: level, applied and known migrations, steps."""
    levels = range(1, max(plan.from_level, plan.to_level) + 1)
    labels = [phase_at(level).app_label for level in levels]
    state = {
        "level": plan.from_level,
        "applied": {label: migrations_applied(label) for label in labels},
        "known": {label: migrations_known(label) for label in labels},
        "steps": [step.name for step in steps],
        "options": {key: value for key, value in plan.options.items() if key != "inline"},
    }
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def plan_current(plan: Plan) -> None:
    """Raise PlanOutdatedError when the site is no longer what the plan was made for."""
    level = site_level()
    if level != plan.from_level:
        difference = f"the site is at MVP{level} and no longer at MVP{plan.from_level}"
        raise PlanOutdatedError(plan=plan.pk, difference=difference)
    if plan_fingerprint(plan, steps_of(plan)) != plan.fingerprint:
        raise PlanOutdatedError(plan=plan.pk, difference="its migrations or its steps have changed")


def plan_get(plan_id: int | str) -> Plan:
    """The plan with this number. Raises PlanNotFoundError."""
    plan = Plan.objects.filter(pk=int(plan_id)).first() if str(plan_id).isdecimal() else None
    if plan is None:
        raise PlanNotFoundError(plan=plan_id)
    return plan
