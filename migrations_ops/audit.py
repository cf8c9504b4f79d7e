"""Writes the journal: what happened, who did it and why."""

from __future__ import annotations

from migrations_ops.models import EventLevel, Plan, Run, RunEvent


def record(
    *,
    message: str,
    action: str,
    actor: str,
    plan: Plan | None = None,
    run: Run | None = None,
    reason: str = "",
    step: str = "",
) -> RunEvent:
    """Journal something that a person did; in the caller's transaction."""
    return RunEvent.objects.create(
        run=run,
        plan=plan or (run.plan if run else None),
        level=EventLevel.AUDIT,
        action=action,
        actor=actor,
        reason=reason[:500],
        step=step,
        message=message,
    )


def note(run: Run, message: str, *, level: EventLevel = EventLevel.INFO, step: str = "") -> RunEvent:
    """Journal something that the engine did."""
    return RunEvent.objects.create(run=run, plan=run.plan, level=level, step=step, message=message)
