"""What people do with runs. The console, the commands and the tests call these and nothing else."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from migrations_ops import audit, queue
from migrations_ops.errors import (
    ConfirmationError,
    PlanBlockedError,
    RunActiveError,
    RunBusyError,
    RunNotFoundError,
    RunStateError,
    StepCriticalError,
)
from migrations_ops.gate import site_level
from migrations_ops.models import (
    RESTING_STATES,
    Direction,
    Finding,
    FindingStatus,
    Intent,
    Plan,
    PlanKind,
    Run,
    RunState,
    StepRecord,
    StepState,
)
from migrations_ops.moves import move_begin, move_open
from migrations_ops.planning import plan_current, rehearsal_plan_create, steps_of
from migrations_ops.prechecks import precheck_run, runs_unfinished
from migrations_ops.runner import intent_obey
from migrations_ops.schema import lock_briefly, lock_refused
from migrations_ops.tasks import RollbackRefusedError, task_kind

#: How long a person waits for the batch that is under way, in milliseconds. On SQLite it is the busy timeout.
LOCK_MS = 5_000

#: States in which a worker has, or may soon have, the run.
MOVING = (RunState.QUEUED, RunState.RUNNING, RunState.ROLLING_BACK)


def confirmation_expected(plan: Plan) -> str:
    """What a person types before a plan runs; empty where nothing can be lost."""
    if plan.kind == PlanKind.UPGRADE:
        return f"MVP{plan.to_level}"
    if plan.kind == PlanKind.MOVE:
        return f"MOVE {plan.pk}"
    return f"RESTORE {plan.options['checkpoint'][:8]}" if plan.kind == PlanKind.RESTORE else ""


def rollback_confirmation_expected(run: Run) -> str:
    """What a person types before a run is rolled back."""
    return f"ROLL BACK {run.pk}"


def run_enqueue(*, plan: Plan, actor: str, confirmation: str, reason: str = "") -> Run:
    """Queue a run of a plan, after repeating its checks.

    Raises ConfirmationError, PlanOutdatedError, PlanBlockedError, RunActiveError.
    """
    _confirm(confirmation, confirmation_expected(plan))
    if holder := Run.objects.filter(active=True).first():
        raise RunActiveError(run=holder.pk, state=holder.get_state_display().lower())
    plan_current(plan)
    steps = steps_of(plan)
    _refuse_failed(plan, precheck_run(plan, steps))
    try:
        with transaction.atomic():
            Plan.objects.filter(pk=plan.pk).update(options=plan.options)
            run = Run.objects.create(plan=plan, started_by=actor, started_at=timezone.now(), waiting_for="a worker")
            StepRecord.objects.bulk_create(
                StepRecord(
                    run=run, position=position, name=step.name, title=step.title, kind=step.kind, critical=step.critical
                )
                for position, step in enumerate(steps)
            )
            if plan.kind == PlanKind.MOVE:
                move_begin(plan.move, run)
            audit.record(run=run, action="start", actor=actor, reason=reason, message=f"Started plan {plan}")
            _kick(run)
    except IntegrityError as error:
        raise _active_error() from error
    return run


def rehearsal_enqueue(*, plan: Plan, actor: str, reason: str = "", inline: bool = False) -> Run:
    """Queue the rehearsal of an upgrade plan on a copy of the data. Raises as run_enqueue does."""
    rehearsal = rehearsal_plan_create(plan=plan, actor=actor, reason=reason, inline=inline)
    return run_enqueue(plan=rehearsal, actor=actor, confirmation="", reason=reason)


def _confirm(given: str, expected: str) -> None:
    if expected and given.strip() != expected:
        raise ConfirmationError(expected=expected)


def _refuse_failed(plan: Plan, findings: list[Finding]) -> None:
    failed = [found for found in findings if found.status == FindingStatus.FAIL]
    if failed:
        failures = "; ".join(f"{found.title}: {found.evidence} {found.remedy}" for found in failed)
        raise PlanBlockedError(plan=plan.pk, count=len(failed), failures=failures)


def _kick(run: Run) -> None:
    queue.watchdog_set()
    queue.kick(run.pk)


def _active_error() -> RunActiveError:
    holder = Run.objects.filter(active=True).first()
    return RunActiveError(run=holder.pk if holder else "?", state=holder.get_state_display().lower() if holder else "?")


def run_get(run_id: int | str) -> Run:
    """The run with this number. Raises RunNotFoundError."""
    run = Run.objects.select_related("plan").filter(pk=int(run_id)).first() if str(run_id).isdecimal() else None
    if run is None:
        raise RunNotFoundError(run=run_id)
    return run


def _change(run: Run, action: str, allowed: tuple[RunState, ...], **changes: Any) -> None:
    """Guarded update: one row changed, or someone else was first.

    Raises RunStateError, RunActiveError, and RunBusyError when a batch holds the row for too long.
    """
    if "state" in changes:
        changes = {"state_since": timezone.now(), "rested_seconds": F("rested_seconds") + _rest_seconds(run), **changes}
    try:
        with transaction.atomic():
            lock_briefly(LOCK_MS)
            changed = Run.objects.filter(pk=run.pk, state__in=allowed).update(**changes)
    except IntegrityError as error:
        raise _active_error() from error
    except OperationalError as error:
        if not lock_refused(error):
            raise
        raise RunBusyError(run=run.pk, action=action) from error
    run.refresh_from_db()
    if not changed:
        names = ", ".join(str(state.label).lower() for state in allowed)
        raise RunStateError(run=run.pk, state=run.get_state_display().lower(), action=action, allowed=names)


def _rest_seconds(run: Run) -> float:
    """How long the run has been at rest; 0 for one that is not."""
    state, since = Run.objects.values_list("state", "state_since").get(pk=run.pk)
    return (timezone.now() - since).total_seconds() if state in RESTING_STATES else 0.0


def run_pause(*, run: Run, actor: str, reason: str = "") -> Run:
    """Stop at the next safe point; what is done stays done. Raises RunStateError."""
    return _ask_to_stop(run, "pause", Intent.PAUSE, actor, reason)


def run_cancel(*, run: Run, actor: str, reason: str = "") -> Run:
    """Give up the rest of a run and keep what is done; it can be retried or rolled back later.

    A rollback goes on to its end, unless it failed: then giving it up is what lets a checkpoint be
    restored. Raises RunStateError.
    """
    if run.direction == Direction.BACK and run.state != RunState.FAILED:
        allowed = "going forward; a rollback goes on to its end unless it fails"
        raise RunStateError(run=run.pk, state=run.get_state_display().lower(), action="cancel", allowed=allowed)
    if run.state in {RunState.PAUSED, RunState.FAILED}:
        with transaction.atomic():
            _change(
                run,
                "cancel",
                (RunState.PAUSED, RunState.FAILED),
                state=RunState.CANCELLED,
                active=None,
                finished_at=timezone.now(),
            )
            audit.record(
                run=run, action="cancel", actor=actor, reason=reason, message="Cancelled; what is done is kept"
            )
        return run
    return _ask_to_stop(run, "cancel", Intent.CANCEL, actor, reason)


def _ask_to_stop(run: Run, action: str, intent: Intent, actor: str, reason: str) -> Run:
    with transaction.atomic():
        _change(run, action, MOVING, intent=intent, state=RunState.PAUSING)
        audit.record(run=run, action=action, actor=actor, reason=reason, message=f"Asked to {intent.label.lower()}")
        _kick(run)
    intent_obey(run.pk)
    run.refresh_from_db()
    return run


def run_resume(*, run: Run, actor: str, reason: str = "") -> Run:
    """Go on with a paused run, in the direction that it had. Raises RunStateError."""
    return _go_on(run, "resume", (RunState.PAUSED,), actor, reason)


def run_retry(*, run: Run, actor: str, reason: str = "") -> Run:
    """Go on with a failed or cancelled run from its last commit. Raises RunStateError, RunActiveError."""
    _refuse_stale(run, "retry")
    with transaction.atomic():
        run.steps.filter(state=StepState.FAILED).update(attempts=0)
        return _go_on(run, "retry", (RunState.FAILED, RunState.CANCELLED), actor, reason)


def _go_on(run: Run, action: str, allowed: tuple[RunState, ...], actor: str, reason: str, *, step: str = "") -> Run:
    state = RunState.QUEUED if run.direction == Direction.FORWARD else RunState.ROLLING_BACK
    with transaction.atomic():
        _change(
            run,
            action,
            allowed,
            state=state,
            active=True,
            finished_at=None,
            error="",
            waiting_for="a worker",
            intent=Intent.NONE,
            lease_token=None,
        )
        message = f"Asked to {action} {step}".rstrip()
        audit.record(run=run, action=action, actor=actor, reason=reason, message=message, step=step)
        _kick(run)
    return run


def step_skip(*, run: Run, step_name: str, actor: str, reason: str = "") -> Run:
    """Leave out the unfinished step of a paused or failed run, if it is not critical, and go on.

    Raises RunStateError, StepCriticalError.
    """
    record = run.steps.filter(
        name=step_name, state__in=[StepState.PENDING, StepState.RUNNING, StepState.FAILED]
    ).first()
    if record is None or run.direction == Direction.BACK:
        allowed = "paused or failed on its way up, and the step is not over"
        raise RunStateError(run=run.pk, state=run.get_state_display().lower(), action="skip", allowed=allowed)
    if record.critical:
        raise StepCriticalError(step=record.name)
    with transaction.atomic():
        _go_on(run, "skip", (RunState.PAUSED, RunState.FAILED), actor, reason, step=record.name)
        run.steps.filter(pk=record.pk).update(state=StepState.SKIPPED, finished_at=timezone.now())
    return run


def run_force_stop(*, run: Run, actor: str, reason: str = "") -> Run:
    """Take a run away from a worker that does not answer; its uncommitted batch can no longer commit.

    Raises RunStateError.
    """
    with transaction.atomic():
        allowed = (RunState.RUNNING, RunState.PAUSING, RunState.ROLLING_BACK)
        _change(
            run,
            "force-stop",
            allowed,
            state=RunState.PAUSED,
            intent=Intent.NONE,
            lease_token=None,
            lease_until=None,
            waiting_for="",
        )
        audit.record(run=run, action="force-stop", actor=actor, reason=reason, message="Taken away from its worker")
    return run


def run_rollback(*, run: Run, actor: str, confirmation: str, reason: str = "") -> Run:
    """Revert the steps of a run, finished or not, last one first.

    Raises ConfirmationError, RunStateError, RunActiveError.
    """
    _confirm(confirmation, rollback_confirmation_expected(run))
    if refused := rollback_refused(run):
        raise RollbackRefusedError(run=run.pk, reason=refused)
    if run.state in MOVING and run.direction == Direction.FORWARD:
        return _ask_to_stop(run, "roll_back", Intent.ROLL_BACK, actor, reason)
    _refuse_stale(run, "roll back")
    allowed = (RunState.SUCCEEDED, RunState.FAILED, RunState.PAUSED, RunState.CANCELLED)
    with transaction.atomic():
        run.steps.filter(state=StepState.FAILED).update(attempts=0)
        _change(
            run,
            "roll back",
            allowed,
            state=RunState.ROLLING_BACK,
            direction=Direction.BACK,
            active=True,
            finished_at=None,
            error="",
            waiting_for="a worker",
            intent=Intent.NONE,
        )
        audit.record(run=run, action="roll_back", actor=actor, reason=reason, message="Asked to roll back")
        _kick(run)
    return run


def rollback_refused(run: Run) -> str:
    """Why the run of a rehearsal or a task cannot be rolled back; empty when it can."""
    if run.plan.kind == PlanKind.REHEARSAL:
        return "a rehearsal changes nothing here; cancel it."
    if run.plan.kind != PlanKind.TASK:
        return ""
    if oneway := [step.title for step in steps_of(run.plan) if not step.reversible]:
        return f"{', '.join(oneway)} cannot be undone."
    return task_kind(run.plan.options["task"]).rollback_refused(run.plan.options)


def _refuse_stale(run: Run, action: str) -> None:
    """A run that has let the site go is taken up again only while nothing has changed the site since.

    A task looks after itself: it changes rows as people do, and its steps know what was changed since.
    """
    if run.plan.kind == PlanKind.TASK or run.state not in {RunState.SUCCEEDED, RunState.CANCELLED}:
        return
    # A move of the database changes no row; one that is open is looked at below.
    quiet = [PlanKind.REHEARSAL, PlanKind.MOVE, PlanKind.TASK]
    newer = Run.objects.filter(pk__gt=run.pk).exclude(plan__kind__in=quiet)
    changed = newer.filter(state=RunState.SUCCEEDED).exists() or newer.filter(pk__in=runs_unfinished()).exists()
    _refuse_moved(run, action)
    if changed or not _level_fits(run):
        allowed = "the newest run that changed the site, and the site is at the level it led to"
        raise RunStateError(run=run.pk, state=run.get_state_display().lower(), action=action, allowed=allowed)


def _refuse_moved(run: Run, action: str) -> None:
    """A finished move goes back only while its way back is open; nothing else goes back meanwhile."""
    state = run.get_state_display().lower()
    held = move_open()
    if held is not None and held.run_id != run.pk:
        allowed = f"the database move of run {held.run_id} is over and its way back is closed"
        raise RunStateError(run=run.pk, state=state, action=action, allowed=allowed)
    if run.plan.kind == PlanKind.MOVE and run.state == RunState.SUCCEEDED and held is None:
        raise RunStateError(run=run.pk, state=state, action=action, allowed="its way back is open")


def _level_fits(run: Run) -> bool:
    """Whether the site is where the run has left it."""
    if run.plan.kind == PlanKind.REHEARSAL:
        return run.state == RunState.CANCELLED
    if run.state == RunState.SUCCEEDED:
        return site_level() == run.plan.to_level
    ends = sorted([run.plan.from_level, run.plan.to_level])
    return ends[0] <= site_level() <= ends[1]


def actions_legal(run: Run) -> list[str]:
    """Names of what can be done with a run now, in the order of the buttons."""
    forward = run.direction == Direction.FORWARD
    legal = {
        RunState.QUEUED: ["pause", "cancel", "roll_back"],
        RunState.RUNNING: ["pause", "cancel", "roll_back", "force_stop"],
        RunState.PAUSING: ["force_stop"],
        RunState.PAUSED: ["resume", "cancel", "roll_back"] if forward else ["resume"],
        RunState.FAILED: ["retry", "cancel", "roll_back"] if forward else ["retry", "cancel"],
        RunState.ROLLING_BACK: ["pause", "force_stop"],
        RunState.CANCELLED: ["retry", "roll_back"] if forward else ["retry"],
        RunState.SUCCEEDED: ["roll_back"],
        RunState.ROLLED_BACK: [],
    }[RunState(run.state)]
    if "roll_back" in legal and rollback_refused(run):
        legal.remove("roll_back")
    if legal:
        try:
            _refuse_stale(run, legal[0])
        except RunStateError:
            return []
    return legal


def steps_skippable(run: Run) -> list[str]:
    """Names of the steps that can be left out now."""
    if run.state not in {RunState.PAUSED, RunState.FAILED} or run.direction == Direction.BACK:
        return []
    open_states = [StepState.PENDING, StepState.RUNNING, StepState.FAILED]
    return list(run.steps.filter(critical=False, state__in=open_states).values_list("name", flat=True))
