"""Tasks as runs: the pages and commands of a phase start them here; the console moves them like any other run."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from migrations_ops.errors import RunActiveError
from migrations_ops.models import PlanKind, Run
from migrations_ops.planning import task_plan_create
from migrations_ops.runs import run_enqueue


def task_enqueue(
    *,
    task: str,
    label: str,
    actor: str,
    options: dict[str, Any],
    page: str = "",
    reason: str = "",
    inline: bool = False,
) -> Run:
    """Queue a task of an open phase; its plan is kept only when the run is.

    `label` says what it does, `page` is the address that shows what came of it. `inline` is for a command,
    which then calls run_inline. Raises TaskUnknownError, LevelClosedError, PlanBlockedError, RunActiveError.
    """
    run_none_active()
    with transaction.atomic():
        plan = task_plan_create(
            task=task, label=label, actor=actor, options=options, page=page, reason=reason, inline=inline
        )
        return run_enqueue(plan=plan, actor=actor, confirmation="", reason=reason)


def run_none_active() -> None:
    """Raises RunActiveError while a run holds the site."""
    if holder := Run.objects.filter(active=True).first():
        raise RunActiveError(run=holder.pk, state=holder.get_state_display().lower())


def task_runs(task: str, **options: Any) -> QuerySet[Run]:
    """The runs of a kind of task whose options have these values, newest first."""
    chosen = {f"plan__options__{name}": value for name, value in options.items()}
    return Run.objects.filter(plan__kind=PlanKind.TASK, plan__options__task=task, **chosen).select_related("plan")
