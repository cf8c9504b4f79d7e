"""A plan as its page shows it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q
from django.utils.translation import gettext as _

from migrations_ops.console.access import permitted
from migrations_ops.console.present.badges import kind_label, overall_risk_badge, risk_badge
from migrations_ops.console.present.journal import finding_context, line_context
from migrations_ops.console.present.moves import assessment_context
from migrations_ops.console.present.quantities import age_text, count_text, duration_text
from migrations_ops.console.present.runs import has_perm, run_row
from migrations_ops.errors import OpsError
from migrations_ops.gate import site_level
from migrations_ops.models import FindingStatus, Plan, PlanKind, Run, RunState
from migrations_ops.phase import highest_level
from migrations_ops.planning import plan_current
from migrations_ops.risk import RiskLevel
from migrations_ops.tasks import task_kind

#: What a person needs to start a plan of each kind.
START_PERMISSIONS = {
    PlanKind.UPGRADE: ("start_run",),
    PlanKind.RESTORE: ("start_run", "restore_checkpoint"),
    PlanKind.REHEARSAL: ("rehearse_plan",),
    PlanKind.MOVE: ("start_run", "move_database"),
}


def may_start(user: AbstractBaseUser | AnonymousUser, plan: Plan) -> bool:
    """Whether a person may start this plan."""
    if plan.kind == PlanKind.TASK:
        return has_perm(user, task_kind(plan.options["task"]).permission)
    return permitted(user, *START_PERMISSIONS[PlanKind(plan.kind)])


def plan_title(plan: Plan) -> str:
    """What a plan does, in a few words."""
    if plan.kind == PlanKind.TASK:
        return str(plan.options.get("label", ""))
    if plan.kind == PlanKind.RESTORE:
        return _("Restore of a checkpoint, to MVP%(to)d") % {"to": plan.to_level}
    if plan.kind == PlanKind.MOVE or plan.options.get("target"):
        words_move = {"kind": plan.get_kind_display(), "target": plan.options.get("target", "")}
        return _("%(kind)s to %(target)s") % words_move
    words = {"from": plan.from_level, "to": plan.to_level}
    text = (
        _("Rehearsal of MVP%(from)d to MVP%(to)d") if plan.kind == PlanKind.REHEARSAL else _("MVP%(from)d to MVP%(to)d")
    )
    return text % words


def plan_row(plan: Plan) -> dict[str, Any]:
    """One line of a list of plans."""
    return {
        "plan": plan,
        "title": plan_title(plan),
        "risk": overall_risk_badge(plan.assessment.get("risk", RiskLevel.NONE)),
        "ready": plan.assessment.get("ready", False),
        "age": age_text(plan.created_at),
        "runs": [run_row(run) for run in plan.runs.all()],
    }


def plan_context(plan: Plan, user: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
    """Everything that a plan's page prints."""
    findings = list(plan.findings.filter(run__isnull=True))
    failed = [found for found in findings if found.status == FindingStatus.FAIL]
    assessment = plan.assessment
    return {
        "plan": plan,
        "title": plan_title(plan),
        "phases": plan.document.get("phases", []),
        "steps": steps_context(plan),
        "estimate": estimate_text(assessment),
        "risk": overall_risk_badge(assessment.get("risk", RiskLevel.NONE)),
        "risks": [risk_context(risk) for risk in assessment.get("risks", [])],
        "findings": sorted((finding_context(found) for found in findings), key=_worst_first),
        "findings_failed": len(failed),
        "recommendations": list(dict.fromkeys(assessment.get("recommendations", []))),
        "requirements": plan.document.get("requirements", []),
        "rollback": plan.document.get("rollback", []),
        "loss": plan.document.get("loss", []),
        "audit": [line_context(event) for event in plan.events.filter(action__gt="").order_by("id")[:200]],
        "runs": [run_row(run) for run in plan_runs(plan)],
        "assessed": age_text(plan.assessed_at),
        "replan_level": replan_level(plan),
        "blockers": blockers(plan, [found.title for found in failed]),
        "is_upgrade": plan.kind == PlanKind.UPGRADE,
        "can_be_rehearsed": plan.kind in {PlanKind.UPGRADE, PlanKind.MOVE},
        "values": assessment_context(plan.move, user) if plan.kind == PlanKind.MOVE else None,
        "is_rehearsal": plan.kind == PlanKind.REHEARSAL,
    }


def _worst_first(finding: dict[str, Any]) -> int:
    return [FindingStatus.FAIL, FindingStatus.WARN, FindingStatus.PASS].index(finding["status"])


def plan_runs(plan: Plan) -> list[Run]:
    """Runs of a plan and of its rehearsals, newest first."""
    mine = Q(plan=plan) | Q(plan__kind=PlanKind.REHEARSAL, plan__options__plan=plan.pk)
    return list(Run.objects.filter(mine).select_related("plan").order_by("-pk")[:20])


def steps_context(plan: Plan) -> list[dict[str, Any]]:
    """The steps in run order with their estimates."""
    estimates = {line["step"]: line for line in plan.assessment.get("estimates", [])}
    titles = {step["name"]: step["title"] for step in plan.document.get("steps", [])}
    rows = []
    for step in plan.document.get("steps", []):
        estimate = estimates.get(step["name"], {})
        rows.append(
            {
                **step,
                "kind_label": kind_label(step["kind"]),
                "requires_titles": [
                    *(titles.get(name, name) for name in step["requires"]),
                    *(_("plugin %(name)s") % {"name": name} for name in step.get("needs_plugins", [])),
                ],
                "units": count_text(estimate.get("units")),
                "seconds": duration_text(estimate.get("seconds")),
                "source": estimate.get("source", ""),
            }
        )
    return rows


def estimate_text(assessment: dict[str, Any]) -> str:
    """The time that the plan takes, as far as it was measured."""
    seconds = assessment.get("seconds")
    if seconds is None:
        return _("not measured yet")
    text = _("about %(time)s") if assessment.get("seconds_complete") else _("at least %(time)s")
    return text % {"time": duration_text(max(seconds, 1))}


def replan_level(plan: Plan) -> int | None:
    """The level to plan anew when an upgrade plan is outdated and its level is not open yet."""
    if plan.kind != PlanKind.UPGRADE or not outdated_reason(plan):
        return None
    return plan.to_level if site_level() < plan.to_level <= highest_level() else None


def risk_context(risk: dict[str, Any]) -> dict[str, Any]:
    """One risk with its badge and its type in words."""
    return {
        **risk,
        "badge": risk_badge(risk["level"]),
        "type_label": risk["type"].replace("_", " "),
        "is_clear": risk["level"] == RiskLevel.NONE,
    }


def outdated_reason(plan: Plan) -> str:
    """Why the plan is not for the site as it is now; empty when it is."""
    try:
        plan_current(plan)
    except OpsError as error:
        return str(error)
    return ""


def blockers(plan: Plan, failed: list[str]) -> list[str]:
    """Why the plan cannot start now, one sentence each; empty when it can."""
    if outdated := outdated_reason(plan):
        return [outdated]
    reasons = []
    if failed:
        reasons.append(_("Failed: %(titles)s. Fix it, then check again.") % {"titles": ", ".join(failed)})
    if holder := Run.objects.filter(active=True).first():
        state = RunState(holder.state).label
        reasons.append(_("Run %(run)d (%(state)s) holds the site.") % {"run": holder.pk, "state": state})
    return reasons
