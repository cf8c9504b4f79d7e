"""A run as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from migrations_ops import queue
from migrations_ops.console.present.badges import (
    Badge,
    kind_label,
    run_badge,
    step_badge,
    step_marker,
)
from migrations_ops.console.present.journal import findings_context, journal_context
from migrations_ops.console.present.quantities import age_text, count_text, duration_text, rate_text
from migrations_ops.gate import site_level
from migrations_ops.models import (
    Direction,
    Plan,
    PlanKind,
    Run,
    RunState,
    StepState,
)
from migrations_ops.phase import highest_level, phase_at
from migrations_ops.reports import run_report
from migrations_ops.steps.base import StepKind

#: States in which a page has something new to show every other second.
MOVING = {RunState.QUEUED, RunState.RUNNING, RunState.PAUSING, RunState.ROLLING_BACK}
#: A worker that has been silent for this long is shown as such; its lease is a little longer.
SILENT = timedelta(seconds=20)
ROWS_FOR_RATE = 100

RUN_TONE_OF_BAR = {RunState.FAILED: "fail", RunState.SUCCEEDED: "ok", RunState.PAUSED: "warn", RunState.PAUSING: "warn"}


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run in a list."""

    run: Run
    badge: Badge
    what: str
    took: str
    rested: str
    age: str


def run_row(run: Run) -> RunRow:
    """One line of a list of runs."""
    return RunRow(
        run=run,
        badge=run_badge(run.state),
        what=what_text(run),
        took=took_text(run),
        rested=rested_text(run),
        age=age_text(run.created_at),
    )


def took_text(run: Run) -> str:
    """How long it was worked on, so far or in all; empty before the beginning."""
    if run.started_at is None:
        return ""
    end = run.finished_at or (timezone.now() if run.state in MOVING else run.state_since)
    return duration_text(max(0.0, (end - run.started_at).total_seconds() - run.rested_seconds))


def rested_text(run: Run) -> str:
    """How long it was at rest before it went on; empty below a second."""
    return duration_text(run.rested_seconds) if run.rested_seconds >= 1 else ""


def what_text(run: Run) -> str:
    """What a run does, in one line."""
    plan = run.plan
    levels = {"kind": plan.get_kind_display(), "from": plan.from_level, "to": plan.to_level}
    if plan.kind == PlanKind.TASK:
        return str(plan.options.get("label", ""))
    if target := plan.options.get("target"):  # a move, or its rehearsal
        return _("%(kind)s to %(target)s") % {**levels, "kind": plan_kind_text(plan), "target": target}
    if plan.kind == PlanKind.RESTORE:
        return _("%(kind)s, to MVP%(to)d") % levels
    return _("%(kind)s, MVP%(from)d to MVP%(to)d") % levels


def plan_kind_text(plan: Plan) -> str:
    """What kind of plan it is; a rehearsal says of what."""
    if plan.kind == PlanKind.REHEARSAL and plan.options.get("target"):
        return _("Rehearsal of the move")
    return str(plan.get_kind_display())


def run_context(run: Run) -> dict[str, Any]:
    """Everything that the live part of a run's page prints."""
    report = run_report(run)
    steps = [step_context(step, run) for step in report["steps"]]
    moving = run.state in MOVING
    return {
        "run": run,
        "plan": run.plan,
        "badge": run_badge(run.state),
        "what": what_text(run),
        "meaning": report["meaning"],
        "moving": moving,
        "since": age_text(run.state_since),
        "took": took_text(run),
        "rested": rested_text(run),
        "waiting_for": "" if run.state == RunState.QUEUED else run.waiting_for,  # which its meaning says
        "worker": worker_context(run, moving),
        "percent": percent(report["progress"]),
        "bar_tone": RUN_TONE_OF_BAR.get(RunState(run.state), ""),
        "left": left_text(run, report) if moving else "",
        "steps": steps,
        "steps_over": steps_over(run, report),
        "legal": report["actions"],
        "skippable": set(report["skippable"]),
        "summary": summary(run, report),
        "is_back": run.direction == Direction.BACK,
        "task_page": run.plan.options.get("page", "") if run.plan.kind == PlanKind.TASK else "",
        "is_rehearsal": run.plan.kind == PlanKind.REHEARSAL,
        **journal_context(run),
        **findings_context(run),
        "checkpoints": list(run.checkpoints.all()),
    }


def percent(share: float) -> int:
    """Whole percent, 100 only when all is done."""
    return int(share * 100)


def step_context(step: dict[str, Any], run: Run) -> dict[str, Any]:
    """One step of a run's page."""
    total, done = step["rows_total"], step["rows_done"]
    under_way = step["state"] in {StepState.RUNNING, StepState.REVERTING}
    back = step["state"] in {StepState.REVERTING, StepState.REVERTED}
    stopped = under_way and run.state not in MOVING
    busy = step["revert_busy_seconds"] if back else step["busy_seconds"]
    return {
        "name": step["name"],
        "slug": step["name"].replace("/", "-"),
        "title": step["title"],
        "kind": kind_label(step["kind"]),
        "critical": step["critical"],
        "badge": Badge(_("Begun"), "neutral") if stopped else step_badge(step["state"]),
        "marker": step_marker(step["state"]),
        "rows": "" if step["kind"] == StepKind.ASSESSMENT else rows_text(done, total),
        # Over a few rows a rate says nothing.
        "rate": rate_text(step["rows_per_second"]) if done >= ROWS_FOR_RATE else "",
        "left": duration_text(step["eta_seconds"]),
        "busy": duration_text(busy) if busy else "",
        "bar": under_way and run.state in MOVING,
        "bar_value": done if total and not back else None,
        "bar_max": total,
        "under_way": under_way,
        "error": step["error"],
        "error_line": error_line(step["error"])[:300],
        # A preserved element is replaced only when its id changes.
        "error_key": len(step["error"]),
        # A refusal of the engine says all there is; its traceback is for those who want it.
        "error_open": step["state"] == StepState.FAILED and not refused(step["error"]),
    }


def error_line(error: str) -> str:
    """The last line of a traceback, without the name of an error of the engine."""
    last = (error.strip().splitlines() or [""])[-1]
    return last.partition(": ")[2] if refused(error) and ": " in last else last


def refused(error: str) -> bool:
    """Whether the engine itself refused, in words for people."""
    return (error.strip().splitlines() or [""])[-1].startswith("migrations_ops.errors.")


def rows_text(done: int, total: int | None) -> str:
    """Rows done of how many; empty where nothing is counted."""
    if total and total > 1:
        return _("%(done)s of %(total)s rows") % {"done": count_text(done), "total": count_text(total)}
    return _("%(done)s rows") % {"done": count_text(done)} if done > 1 else ""


def steps_over(run: Run, report: dict[str, Any]) -> int:
    """How many steps are behind the run in its direction."""
    if run.direction == Direction.BACK:
        return sum(step["state"] == StepState.REVERTED for step in report["steps"])
    over = {StepState.DONE, StepState.WARNING, StepState.SKIPPED}
    return sum(step["state"] in over for step in report["steps"])


def left_text(run: Run, report: dict[str, Any]) -> str:
    """Seconds that the rest takes by the plan's estimate and the measured rate; empty while unknown."""
    if run.direction == Direction.BACK:
        return ""
    planned = {line["step"]: line["seconds"] for line in run.plan.assessment.get("estimates", [])}
    seconds, known = 0.0, True
    for step in report["steps"]:
        if step["state"] == StepState.PENDING:
            known = known and planned.get(step["name"]) is not None
            seconds += planned.get(step["name"]) or 0.0
        elif step["state"] == StepState.RUNNING:
            estimate = planned.get(step["name"])
            rest = step["eta_seconds"]
            if rest is None and estimate is not None:
                rest = max(0.0, estimate - step["busy_seconds"])
            known = known and rest is not None
            seconds += rest or 0.0
    if not seconds:
        return ""
    text = _("about %(time)s left") if known else _("at least %(time)s left")
    return text % {"time": duration_text(max(1, round(seconds)))}


def summary(run: Run, report: dict[str, Any]) -> str:
    """What a screen reader says when it changes: the state and the step, no figures."""
    state = run.get_state_display()
    current = next(
        (step for step in report["steps"] if step["state"] in {StepState.RUNNING, StepState.REVERTING}), None
    )
    if current is None or run.state not in MOVING:
        return _("Run %(run)d: %(state)s") % {"run": run.pk, "state": state}
    return _("Run %(run)d: %(state)s, %(step)s") % {"run": run.pk, "state": state, "step": current["title"]}


def worker_context(run: Run, moving: bool) -> dict[str, Any]:
    """Who moves the run, when it last said so, and whether that is long ago."""
    if not moving:
        return {}
    held = run.lease_token is not None and run.state != RunState.QUEUED
    silent = held and run.heartbeat_at is not None and timezone.now() - run.heartbeat_at > SILENT
    # A run that a command moves itself needs no worker.
    unattended = not held and not run.plan.options.get("inline")
    nobody = unattended and not any(worker.alive for worker in queue.workers())
    return {
        "name": run.worker if held else "",
        "age": age_text(run.heartbeat_at) if held else "",
        "silent": silent,
        "lease_until": run.lease_until,
        "nobody": nobody,
    }


def opened_context(run: Run, user: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
    """Links to what a finished upgrade has opened for this person; empty while it is closed."""
    plan = run.plan
    if plan.kind != PlanKind.UPGRADE or run.state != RunState.SUCCEEDED or site_level() < plan.to_level:
        return {}
    levels = range(plan.from_level + 1, min(plan.to_level, highest_level()) + 1)
    links = [link for level in levels for link in phase_at(level).nav]
    return {"links": [link for link in links if not link.permission or has_perm(user, link.permission)]}


def has_perm(user: AbstractBaseUser | AnonymousUser, permission: str) -> bool:
    """Whether a person has a permission of any app."""
    return isinstance(user, (PermissionsMixin, AnonymousUser)) and user.has_perm(permission)


def state_counts() -> dict[str, int]:
    """How many runs there are, and how many of them hold the site."""
    return Run.objects.aggregate(total=Count("pk"), holding=Count("pk", filter=Q(active=True)))
