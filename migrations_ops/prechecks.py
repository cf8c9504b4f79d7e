"""Prerequisites of a run: named checks with evidence, at plan time and again right before the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Exists, Max, OuterRef, QuerySet

from migrations_ops import queue
from migrations_ops.checkpoints import checkpoints_space_needed, database_size, disk_free
from migrations_ops.gate import site_level
from migrations_ops.models import (
    Finding,
    FindingStatus,
    Move,
    MoveState,
    Plan,
    PlanKind,
    Run,
    RunState,
    StepRecord,
    StepState,
)
from migrations_ops.phase import phases_open
from migrations_ops.schema import migrations_applied, migrations_known
from migrations_ops.snapshot import connection_beside
from migrations_ops.steps.base import Step
from migrations_ops.steps.plugin import PluginStep

PASS, WARN, FAIL = FindingStatus.PASS, FindingStatus.WARN, FindingStatus.FAIL
#: An open transaction older than this is a reason to look before tables change.
TRANSACTION_OLD_SECONDS = 60
#: Longest wait for the write lock of SQLite, in milliseconds.
LOCK_PROBE_MS = 2_000
MEGABYTE = 1024**2


def finding(code: str, title: str, status: FindingStatus, evidence: str, remedy: str = "") -> Finding:
    """A finding that is not saved yet."""
    return Finding(code=code, title=title, status=status, evidence=evidence, remedy=remedy)


def precheck_run(plan: Plan, steps: tuple[Step, ...], run: Run | None = None) -> list[Finding]:
    """Every prerequisite of a plan, unsaved; `run` is the run that asks, if it has started.

    A check that itself fails is a failed finding and not an error.
    """
    checks: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("level", lambda: [level_as_planned(plan, run)]),
        ("migrations", lambda: [migrations_current()]),
        ("active_runs", lambda: [active_runs(run), unfinished_runs(plan, run), moves_over(plan, run)]),
        ("worker_alive", lambda: [worker_alive(plan, run)]),
        ("step_order", lambda: [step_order(steps)]),
    ]
    checks += [(step.name, step.precheck) for step in steps]
    if plan.kind != PlanKind.TASK:  # a task changes no tables, and the request that starts it waits for its checks
        checks = [*_whole_site_checks(steps), *checks]
        checks += [(phase.app_label, check) for phase in phases_open(plan.from_level) for check in phase.checks]
    findings = [found for name, check in checks for found in _guarded(name, check)]
    for found in findings:
        found.plan, found.run = plan, run
    return findings


def _whole_site_checks(steps: tuple[Step, ...]) -> list[tuple[str, Callable[[], Iterable[Finding]]]]:
    return [
        ("database_answers", lambda: [database_answers(), *database_integrity()]),
        ("disk_space", lambda: [disk_space(), data_folder_writable()]),
        ("active_transactions", lambda: [active_transactions()]),
        ("plugin_dependencies", lambda: [plugin_dependencies(steps)]),
    ]


def _guarded(name: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except (DatabaseError, OSError) as error:
        evidence = f"The check itself failed: {type(error).__name__}: {error}"
        return [finding(name, f"Check {name}", FAIL, evidence, "Mend the cause, then check again.")]


def database_answers() -> Finding:
    """The database answers a query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    name = connection.display_name
    return finding("database_answers", "Database answers", PASS, f"{name}, {database_size() / MEGABYTE:.1f} MB.")


def database_integrity() -> list[Finding]:
    """The database's own check of its structure, and of its foreign keys."""
    return [_structure(), _foreign_keys()]


def _structure() -> Finding:
    if connection.vendor == "postgresql":
        query = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
        sound: Any = 0
    else:
        query, sound = "PRAGMA quick_check(1)", "ok"
    with connection.cursor() as cursor:
        cursor.execute(query)
        answer = cursor.fetchone()[0]
    if answer == sound:
        return finding("database_integrity", "Database passes its own check", PASS, f"{query}: {answer}")
    remedy = "Restore a checkpoint or a backup (SQLite), or REINDEX the invalid indexes (PostgreSQL)."
    return finding("database_integrity", "Database passes its own check", FAIL, f"{query}: {answer}", remedy)


def _foreign_keys() -> Finding:
    title = "No orphaned rows"
    try:
        connection.check_constraints()
    except DatabaseError as error:
        remedy = "Remove or mend the rows that point to nothing, then check again."
        return finding("orphans", title, FAIL, str(error), remedy)
    return finding("orphans", title, PASS, "Every foreign key points to a row.")


def level_as_planned(plan: Plan, run: Run | None) -> Finding:
    """The site is where the plan starts."""
    level, title = site_level(), "Level as planned"
    if level == plan.from_level:
        return finding("level", title, PASS, f"The site is at MVP{level}.")
    evidence = f"The site is at MVP{level}; the plan starts at MVP{plan.from_level}."
    return finding("level", title, FAIL, evidence, "Make a new plan.")


def migrations_current() -> Finding:
    """The tables of the open levels are those of this release."""
    title, behind = "Tables match the release", []
    for phase in phases_open(site_level()):
        behind += [f"{phase.app_label}.{name}" for name in _missing(phase.app_label)]
    if not behind:
        return finding("migrations", title, PASS, "Every migration of the open levels is applied.")
    return finding("migrations", title, FAIL, f"Not applied: {', '.join(behind)}.", "Run `manage.py migrate`.")


def _missing(app_label: str) -> list[str]:
    applied = set(migrations_applied(app_label))
    return [name for name in migrations_known(app_label) if name not in applied]


def disk_space() -> Finding:
    """Room for a checkpoint, the new tables and the database's log."""
    needed = 2 * checkpoints_space_needed() + database_size() + 64 * MEGABYTE
    free = disk_free()
    evidence = f"{free / MEGABYTE:.0f} MB free, {needed / MEGABYTE:.0f} MB needed (checkpoint, new tables, log)."
    if free >= needed:
        return finding("disk_space", "Disk space", PASS, evidence)
    return finding("disk_space", "Disk space", FAIL, evidence, "Free some space or trim old checkpoints.")


def data_folder_writable() -> Finding:
    """Checkpoints can be written."""
    folder = Path(settings.OPS_CHECKPOINT_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK):
        return finding("data_folder", "Checkpoint folder", PASS, "It can be written.")
    remedy = "Give the user of the worker the right to write there."
    return finding("data_folder", "Checkpoint folder", FAIL, f"{folder.name} cannot be written.", remedy)


def active_runs(run: Run | None) -> Finding:
    """No other run holds the site."""
    other = Run.objects.filter(active=True).exclude(pk=run.pk if run else 0).first()
    if other is None:
        return finding("active_runs", "No other run", PASS, "No other run holds the site.")
    evidence = f"Run {other.pk} is {other.get_state_display().lower()}."
    return finding("active_runs", "No other run", FAIL, evidence, "Finish it, cancel it or roll it back.")


def unfinished_runs(plan: Plan, run: Run | None) -> Finding:
    """No cancelled run left a part of its work behind; a restore clears such a part away."""
    title = "No unfinished work"
    other = runs_unfinished().exclude(pk=run.pk if run else 0).first()
    if other is None:
        return finding("unfinished_runs", title, PASS, "No cancelled run left a part of its work.")
    evidence = f"Run {other.pk} was cancelled and its finished steps were kept."
    if plan.kind == PlanKind.RESTORE:
        return finding("unfinished_runs", title, WARN, evidence, "The restore replaces what that run has left.")
    return finding("unfinished_runs", title, FAIL, evidence, "Retry that run or roll it back.")


def moves_over(plan: Plan, run: Run | None) -> Finding:
    """No move of the database watches the tables: they must stay as they are until its way back is closed."""
    title = "No open database move"
    other = (
        Move.objects.filter(is_open=True).exclude(run=run).first() if run else Move.objects.filter(is_open=True).first()
    )
    if other is None:
        return finding("open_move", title, PASS, "No database move is under way, and no way back is open.")
    evidence = f"Run {other.run_id} moves the database ({other.get_state_display().lower()})."
    if plan.kind == PlanKind.TASK and other.state == MoveState.MOVED:
        return finding("open_move", title, PASS, evidence + " Both databases get what a task writes.")
    if plan.kind == PlanKind.REHEARSAL:
        return finding("open_move", title, WARN, evidence, "A rehearsal leaves the tables alone; its plan has to wait.")
    return finding("open_move", title, FAIL, evidence, "Finish it and close its way back, or roll it back.")


def runs_unfinished() -> QuerySet[Run]:
    """Cancelled upgrades that left a part of their work, which no restore has replaced since."""
    started = [StepState.RUNNING, StepState.DONE, StepState.WARNING, StepState.FAILED, StepState.REVERTING]
    changing = ["schema", "data", "plugin", "component", "feature", "database"]
    restored = Run.objects.filter(plan__kind=PlanKind.RESTORE, state=RunState.SUCCEEDED).aggregate(last=Max("pk"))
    left = Run.objects.filter(state=RunState.CANCELLED, plan__kind=PlanKind.UPGRADE, pk__gt=restored["last"] or 0)
    return left.filter(Exists(StepRecord.objects.filter(run=OuterRef("pk"), state__in=started, kind__in=changing)))


def active_transactions() -> Finding:
    """Nobody holds the locks that the run will need."""
    return _old_transactions() if connection.vendor == "postgresql" else _write_lock()


def _old_transactions() -> Finding:
    query = (
        "SELECT count(*), coalesce(max(extract(epoch FROM now() - xact_start)), 0) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL "
        "AND backend_type = 'client backend'"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        count, oldest = cursor.fetchone()
    evidence = f"{count} open transaction(s), the oldest {oldest:.0f} s old."
    if oldest < TRANSACTION_OLD_SECONDS:
        return finding("active_transactions", "Active transactions", PASS, evidence)
    remedy = "Tables cannot change while it holds them: end it, or wait until it is over."
    return finding("active_transactions", "Active transactions", FAIL, evidence, remedy)


def _write_lock() -> Finding:
    title = "Active transactions"
    if connection.in_atomic_block:
        return finding("active_transactions", title, PASS, "Asked inside a transaction, which holds the lock itself.")
    try:
        with connection_beside() as beside, beside.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {LOCK_PROBE_MS}")
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("ROLLBACK")
    except DatabaseError as error:
        remedy = "Another process writes for long: end it, or wait until it is over."
        return finding("active_transactions", title, FAIL, f"No write lock in {LOCK_PROBE_MS} ms: {error}.", remedy)
    return finding("active_transactions", title, PASS, "The write lock was free.")


def worker_alive(plan: Plan, run: Run | None = None) -> Finding:
    """Somebody will take the run from the queue, or has taken it."""
    title = "Worker"
    if run is not None and run.lease_token:
        # A worker that has just been started works before its first heartbeat.
        return finding("worker_alive", title, PASS, f"{run.worker} works on this run.")
    if plan.options.get("inline"):
        return finding("worker_alive", title, PASS, "The command itself does the work.")
    alive = [worker for worker in queue.workers() if worker.alive]
    if alive:
        names = ", ".join(f"{worker.name} {worker.age.total_seconds():.0f} s ago" for worker in alive)
        return finding("worker_alive", title, PASS, f"Last heartbeat: {names}.")
    return finding("worker_alive", title, FAIL, "No worker has a heartbeat.", "Start one: `manage.py qcluster`.")


def plugin_dependencies(steps: tuple[Step, ...]) -> Finding:
    """Every plugin that the plan enables finds those that it needs enabled."""
    title, coming, lines = "Plugin dependencies", set[str](), []
    for step in (step for step in steps if isinstance(step, PluginStep)):
        missing = [name for name in step.depends_on if name not in coming and not step.is_enabled(name)]
        if missing:
            evidence = f"{step.plugin} needs {', '.join(missing)}, which is not enabled."
            return finding("plugin_dependencies", title, FAIL, evidence, "Enable it on the plugins page of the admin.")
        coming.add(step.plugin)
        lines.append(f"{step.plugin} needs {', '.join(step.depends_on) or 'nothing'}")
    return finding("plugin_dependencies", title, PASS, f"{'; '.join(lines) or 'No plugin is enabled'}.")


def step_order(steps: tuple[Step, ...]) -> Finding:
    """Every step comes after the steps that it needs."""
    seen: set[str] = set()
    for step in steps:
        if missing := [name for name in step.requires if name not in seen]:
            evidence = f"{step.name} needs {', '.join(missing)} before it."
            return finding("step_order", "Order of steps", FAIL, evidence, "The phase declares a wrong order: mend it.")
        seen.add(step.name)
    return finding("step_order", "Order of steps", PASS, f"{len(steps)} steps, each after those that it needs.")
