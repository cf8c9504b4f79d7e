"""People, plans, runs and checkpoints for the tests of the console, by keywords."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.utils import timezone

from migrations_ops.models import (
    ACTIVE_STATES,
    Checkpoint,
    EventLevel,
    Finding,
    Move,
    MoveState,
    Plan,
    PlanKind,
    Run,
    RunEvent,
    RunState,
    StepRecord,
    StepState,
)
from migrations_ops.move.ledger import Difference, DifferenceKind, Ledger, TableLedger
from migrations_ops.move.reports import ledger_keep
from migrations_ops.planning import (
    assessment_document,
    plan_create,
    plan_document,
    plan_fingerprint,
    steps_of,
)

#: An address at which no server is.
TARGET_URL = "postgresql://kb@127.0.0.1:9/kb"


def a_staff_member(*permissions: str, name: str = "ada", is_staff: bool = True) -> User:
    """Somebody with these permissions of the engine, by codename."""
    user = User.objects.create_user(name, password="right", is_staff=is_staff)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="migrations_ops", codename__in=permissions)
    )
    return user


def a_plan(**values: Any) -> Plan:
    """A plan of the way to MVP2 that needs no worker, with nothing in its way."""
    plan = plan_create(to_level=2, actor="ada", inline=True)
    for name, value in values.items():
        setattr(plan, name, value)
    plan.save()
    return plan


def a_run(plan: Plan | None = None, *, state: str = RunState.RUNNING, done: int = 3, **values: Any) -> Run:
    """A run whose first `done` steps are over and whose next one stands as the state says."""
    plan = plan or a_plan()
    given = {"started_by": "ada", "started_at": timezone.now(), "active": True if state in ACTIVE_STATES else None}
    run = Run.objects.create(plan=plan, state=state, **{**given, **values})
    for position, step in enumerate(plan.document["steps"]):
        over, here = position < done, position == done
        StepRecord.objects.create(
            run=run,
            position=position,
            name=step["name"],
            title=step["title"],
            kind=step["kind"],
            critical=step["critical"],
            state=StepState.DONE if over else _state_here(state) if here else StepState.PENDING,
            started_at=timezone.now() if over or here else None,
            error="Traceback, in full\nValueError: too <large>" if here and state == RunState.FAILED else "",
        )
    return run


def _state_here(state: str) -> str:
    return {RunState.FAILED: StepState.FAILED, RunState.QUEUED: StepState.PENDING}.get(state, StepState.RUNNING)  # type: ignore[call-overload]


def a_rehearsal(plan: Plan) -> Run:
    """A rehearsal of a plan that came back equal."""
    rehearsal = Plan.objects.create(
        kind=PlanKind.REHEARSAL,
        from_level=1,
        to_level=2,
        options={"plan": plan.pk},
        document={"steps": [], "rollback": []},
        fingerprint="-",
        created_by="ada",
    )
    run = Run.objects.create(plan=rehearsal, state=RunState.SUCCEEDED, active=None, started_by="ada")
    StepRecord.objects.create(
        run=run,
        position=0,
        name="rehearsal/up-and-back",
        title="Up and back",
        kind="assessment",
        state=StepState.DONE,
        result={"measured": {"mvp2/schema": {"rows": 2_000, "seconds": 4.0}}, "manifest_equal": True},
    )
    return run


def journal_lines(run: Run, count: int) -> None:
    """This many lines in the journal of a run."""
    RunEvent.objects.bulk_create(
        RunEvent(run=run, plan=run.plan, level=EventLevel.INFO, message=f"line {number}") for number in range(count)
    )


def a_checkpoint(**values: Any) -> Checkpoint:
    """The record of a checkpoint; its file does not exist."""
    given = {
        "label": "Before the upgrade",
        "level": 1,
        "file_name": f"{Checkpoint.objects.count()}.zip",
        "sha256": "0" * 64,
        "size_bytes": 2048,
        "manifest": {
            "tables": {"kb_entries": {"rows": 7, "sha256": "abc", "columns": ["id"]}},
            "migrations": {"knowledge": ["0001_initial"]},
        },
        "created_by": "ada",
        "verified_at": timezone.now(),
    }
    return Checkpoint.objects.create(**{**given, **values})


#: One line of an assessment, which a repair mends.
VALUE_FINDING = {
    "table": "kb_entries",
    "column": "problem",
    "code": "nul_character",
    "title": "A NUL character, which PostgreSQL keeps in no text",
    "count": 1,
    "examples": ["1: a\\x00b"],
    "repair": "Take the NUL characters out",
    "repairable": 1,
    "blocks": True,
}


def a_ledger(move: Move) -> None:
    """The files of a verification that found one difference."""
    difference = Difference(
        kind=DifferenceKind.CHANGED, table="kb_tags", key=7, key_column="id", column="name", source="a", target="b"
    )
    table = TableLedger(table="kb_tags", rows_source=2, rows_target=2, differences=1)
    now = timezone.now()
    given = {"source": "sqlite:///kb.sqlite3", "target": TARGET_URL, "started_at": now, "finished_at": now}
    ledger_keep(move, Ledger(**given, tables=[table], differences=[difference]))


def a_failed_finding(plan: Plan) -> Finding:
    """A check of the plan that failed."""
    return Finding.objects.create(
        plan=plan,
        code="disk_space",
        title="Disk space",
        status="fail",
        evidence="1 MB free, 65 MB needed.",
        remedy="Free some space.",
    )


def a_move(*, state: str = MoveState.COPYING, run_state: str = RunState.RUNNING, **values: Any) -> Move:
    """A move of the database to another server, with its plan and its run; nothing listens there."""
    plan = Plan(kind=PlanKind.MOVE, from_level=1, to_level=1, options={"inline": True, "target": TARGET_URL})
    given = {"site": "5" * 32, "epoch": 0, "source_url": "sqlite:kb.sqlite3", "target_url": TARGET_URL}
    move = Move(plan=plan, state=state, **{**given, **values})
    steps = steps_of(plan)
    plan.document, plan.fingerprint = plan_document(plan, steps), plan_fingerprint(plan, steps)
    plan.assessment, plan.assessed_at, plan.created_by = assessment_document([], [], []), timezone.now(), "ada"
    plan.save()
    move.plan = plan
    move.run = a_run(plan, state=run_state)
    move.save()
    return move
