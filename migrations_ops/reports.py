"""The state of site, plans, runs and checkpoints as JSON; the same for commands and pages."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from django.utils import timezone

from migrations_ops import queue
from migrations_ops.checkpoints import database_size, disk_free
from migrations_ops.gate import site_level
from migrations_ops.models import (
    Checkpoint,
    Direction,
    Finding,
    Move,
    Plan,
    PlanKind,
    Run,
    RunState,
    StepRecord,
    StepState,
)
from migrations_ops.phase import phases
from migrations_ops.runs import actions_legal, steps_skippable

#: By what part of its cost a row costs more when the tables have twice as many rows: more pages of their indexes are
#: written for as many rows (measured, docs/decisions/imports.md).
DEARER_DOUBLED = 0.2
OVER = {StepState.DONE, StepState.WARNING, StepState.SKIPPED}

#: What a run does in each state, said to a person.
MEANING = {
    RunState.QUEUED: "It waits for a worker to take it.",
    RunState.RUNNING: "A worker moves it forward.",
    RunState.PAUSING: "It stops at the next safe point, when the batch that is under way is committed.",
    RunState.PAUSED: "It rests at a safe point until someone resumes it.",
    RunState.ROLLING_BACK: "A worker reverts its steps, the last one first.",
    RunState.FAILED: "A step failed; what it had not committed is undone. It waits for a decision.",
    RunState.ROLLED_BACK: "Every step was reverted.",
    RunState.CANCELLED: "It was given up; what was done is kept.",
    RunState.SUCCEEDED: "Every step is done.",
}


def site_report() -> dict[str, Any]:
    """Where the site is, who holds it, and what it has room for."""
    level = site_level()
    active = Run.objects.filter(active=True).first()
    latest = Checkpoint.objects.filter(kind="full", state="complete").order_by("-created_at").first()
    return {
        "level": level,
        "levels": [
            {"level": phase.level, "title": str(phase.title), "open": phase.level <= level} for phase in phases()
        ],
        "active_run": active.pk if active else None,
        "workers": [{"name": worker.name, "alive": worker.alive} for worker in queue.workers()],
        "database_bytes": database_size(),
        "disk_free_bytes": disk_free(),
        "last_checkpoint": checkpoint_report(latest) if latest else None,
    }


def plan_report(plan: Plan) -> dict[str, Any]:
    """A plan with its findings, risks, estimate and way back."""
    return {
        "plan": plan.pk,
        "kind": plan.kind,
        "from_level": plan.from_level,
        "to_level": plan.to_level,
        "created_by": plan.created_by,
        "created_at": _iso(plan.created_at),
        "assessed_at": _iso(plan.assessed_at),
        **plan.document,
        **plan.assessment,
        "findings": [finding_report(finding) for finding in plan.findings.filter(run__isnull=True)],
        **({"move": move_report(plan.move)} if plan.kind == PlanKind.MOVE else {}),
    }


def finding_report(finding: Finding) -> dict[str, Any]:
    """One check with its evidence."""
    return {
        "code": finding.code,
        "title": finding.title,
        "status": finding.status,
        "evidence": finding.evidence,
        "remedy": finding.remedy,
    }


def run_report(run: Run) -> dict[str, Any]:
    """A run with its steps, and what can be done with it now."""
    steps = [step_report(record) for record in run.steps.order_by("position")]
    return {
        "run": run.pk,
        "plan": run.plan_id,
        "kind": run.plan.kind,
        "from_level": run.plan.from_level,
        "to_level": run.plan.to_level,
        "state": run.state,
        "meaning": MEANING[RunState(run.state)],
        "since": _iso(run.state_since),
        "direction": run.direction,
        "waiting_for": run.waiting_for,
        "worker": run.worker if run.lease_token else "",
        "started_by": run.started_by,
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
        "error": run.error,
        "progress": progress(run, steps),
        "eta_seconds": eta_seconds(steps),
        "steps": steps,
        "actions": actions_legal(run),
        "skippable": steps_skippable(run),
        **({"move": move_report(run.plan.move)} if run.plan.kind == PlanKind.MOVE else {}),
    }


def move_report(move: Move) -> dict[str, Any]:
    """Where a move of the database is, without any secret."""
    figures = move.figures
    return {
        "run": move.run_id,
        "source": move.source_url,
        "target": move.target_url,
        "state": move.state,
        "since": _iso(move.state_since),
        "cut_over": move.go_mode,
        "cut_over_at": _iso(move.go_at),
        "go_asked_by": move.go_asked_by,
        "go_asked_at": _iso(move.go_asked_at),
        "rows_per_second_limit": move.rows_per_second,
        "quiet_hours": [move.quiet_from, move.quiet_until],
        "workers": move.workers,
        "held_back": move.held_back,
        "rows_done": figures.get("rows", 0),
        "rows_total": figures.get("rows_total"),
        "bytes_done": figures.get("bytes", 0),
        "writers_held_ms": figures.get("held_ms"),
        "assessment": move.assessment,
        "ledger": move.ledger,
        "lag_changes": move.lag_changes,
        "lag_at": _iso(move.lag_at),
    }


def step_report(record: StepRecord) -> dict[str, Any]:
    """One step: how far it is, how fast, and how long it still takes."""
    rate = _rate(record)
    left = _seconds_left(record, rate) if rate and record.state == StepState.RUNNING else None
    return {
        "name": record.name,
        "title": record.title,
        "kind": record.kind,
        "critical": record.critical,
        "state": record.state,
        "rows_done": record.rows_done,
        "rows_total": record.rows_total,
        "rows_per_second": round(rate, 1) if rate else None,
        "eta_seconds": round(left, 1) if left is not None else None,
        "busy_seconds": round(record.busy_seconds, 3),
        "revert_busy_seconds": round(record.revert_busy_seconds, 3),
        "started_at": _iso(record.started_at),
        "finished_at": _iso(record.finished_at),
        "error": record.error,
    }


def _seconds_left(record: StepRecord, rate: float) -> float | None:
    """Time that the rest of a step takes at this rate, which falls while tables grow; None where the rest is not known."""
    if record.rows_total is None:
        return None
    left = max(0, record.rows_total - record.rows_done)
    if not left or not record.rows_done or record.rows_before is None:
        return left / rate
    grown = 1 + left / (record.rows_before + record.rows_done)
    doublings = (grown * math.log(grown) / (grown - 1) - 1) / math.log(2)  # on average of all rows that are left
    return left / rate * (1 + DEARER_DOUBLED * doublings)


def _rate(record: StepRecord) -> float | None:
    """Rows a second: how fast it goes while it is under way, how fast it was when it is over; None where unknown."""
    if record.state == StepState.RUNNING and record.recent_rows:
        return record.recent_rows / record.recent_seconds
    return record.rows_done / record.busy_seconds if record.busy_seconds and record.rows_done else None


def progress(run: Run, steps: list[dict[str, Any]]) -> float:
    """Share of the steps that are over in the run's direction, 0 to 1, parts of a step included."""
    if not steps:
        return 0.0
    if run.direction == Direction.BACK:
        begun = [step for step in steps if step["started_at"]]
        reverted = sum(step["state"] == StepState.REVERTED for step in begun)
        return round(reverted / len(begun), 4) if begun else 1.0
    return round(sum(_share(step) for step in steps) / len(steps), 4)


def _share(step: dict[str, Any]) -> float:
    if step["state"] in OVER:
        return 1.0
    return min(1.0, step["rows_done"] / step["rows_total"]) if step["rows_total"] else 0.0


def eta_seconds(steps: list[dict[str, Any]]) -> float | None:
    """Seconds that the step under way still takes; None where its rate is not known yet."""
    return next((step["eta_seconds"] for step in steps if step["state"] == StepState.RUNNING), None)


def checkpoint_report(checkpoint: Checkpoint) -> dict[str, Any]:
    """A checkpoint with the proofs that it has passed."""
    return {
        "checkpoint": str(checkpoint.pk),
        "kind": checkpoint.kind,
        "label": checkpoint.label,
        "level": checkpoint.level,
        "state": checkpoint.state,
        "rows": sum(table["rows"] for table in checkpoint.manifest["tables"].values()),
        "size_bytes": checkpoint.size_bytes,
        "sha256": checkpoint.sha256,
        "protected": checkpoint.protected,
        "created_by": checkpoint.created_by,
        "created_at": _iso(checkpoint.created_at),
        "verified_at": _iso(checkpoint.verified_at),
        "restore_tested_at": _iso(checkpoint.restore_tested_at),
        "restored_at": _iso(checkpoint.restored_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return timezone.localtime(moment).isoformat(timespec="seconds") if moment else None
