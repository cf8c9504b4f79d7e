"""The overview, the workers, and the state of the site as JSON."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from migrations_ops import queue
from migrations_ops.console.access import console_page, permitted
from migrations_ops.console.present.checkpoints import checkpoint_row
from migrations_ops.console.present.home import ladder, tiles
from migrations_ops.console.present.moves import database_context
from migrations_ops.console.present.quantities import age_text, duration_text
from migrations_ops.console.present.runs import MOVING, run_context, run_row
from migrations_ops.gate import site_level
from migrations_ops.models import Checkpoint, CheckpointState, PlanKind, Run
from migrations_ops.phase import highest_level, phase_at
from migrations_ops.reports import site_report
from migrations_ops.runs import actions_legal

FAILED_SHOWN = 20


@require_safe
@console_page
def home(request: HttpRequest) -> HttpResponse:
    """Where the site is, what runs, what comes next."""
    level = site_level()
    active = Run.objects.filter(active=True).select_related("plan").first()
    if active is None and request.headers.get("HX-Target") == "active-run":
        return HttpResponse(headers={"HX-Refresh": "true"})  # the run is over: level and figures changed with it
    latest = Run.objects.select_related("plan")[:6]
    checkpoints = Checkpoint.objects.exclude(state=CheckpointState.DELETED)[:5]
    context = {
        "level": level,
        "ladder": ladder(level),
        "next_phase": phase_at(level + 1) if level < highest_level() else None,
        "tiles": tiles(),
        "active": run_context(active) if active else None,
        "active_moves": active is not None and active.state in MOVING,
        "runs": [run_row(run) for run in latest],
        "rollback_run": _rollback_run(request) if not active else None,
        "checkpoints": [checkpoint_row(checkpoint) for checkpoint in checkpoints],
        "database": database_context(request.user),
        "may_move": permitted(request.user, "move_database"),
        "may_plan": permitted(request.user, "create_plan"),
        "may_checkpoint": permitted(request.user, "create_checkpoint"),
    }
    return render(request, "migrations_ops/home.html", context)


def _rollback_run(request: HttpRequest) -> Run | None:
    """The finished run that can be rolled back now, for those who may; tasks are undone on their own pages."""
    if not permitted(request.user, "roll_back_run"):
        return None
    moves = Run.objects.filter(state="succeeded").exclude(plan__kind__in=[PlanKind.REHEARSAL, PlanKind.TASK])
    newest = moves.select_related("plan").first()
    return newest if newest and actions_legal(newest) else None


@require_safe
@console_page
def status_json(request: HttpRequest) -> HttpResponse:
    """Level, active run, workers, database, disk, last checkpoint."""
    return JsonResponse(site_report())


@require_safe
@console_page
def workers(request: HttpRequest) -> HttpResponse:
    """Who works, what waits, what failed."""
    found = queue.workers()
    clusters = [
        {
            "worker": worker,
            "tone": "ok" if worker.alive else "fail",
            "age": duration_text(max(1, round(worker.age.total_seconds()))),
        }
        for worker in found
    ]
    failed = [{"task": task, "age": age_text(task.stopped_at)} for task in queue.failed_tasks(FAILED_SHOWN)]
    schedules = [
        {
            "task": task,
            "every": duration_text(task.every.total_seconds()),
            "due": duration_text(max(0, round((task.next_at - timezone.now()).total_seconds()))),
        }
        for task in queue.scheduled_tasks()
    ]
    context = {
        "clusters": clusters,
        "any_alive": any(worker.alive for worker in found),
        "waiting": queue.waiting_tasks(),
        "failed": failed,
        "schedules": schedules,
    }
    return render(request, "migrations_ops/workers.html", context)
