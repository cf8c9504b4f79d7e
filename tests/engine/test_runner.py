"""The loop: batches, leases, failures, and what people ask for meanwhile."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from knowledge.models import Tag
from migrations_ops import runner
from migrations_ops.console.present.runs import rested_text, took_text
from migrations_ops.errors import LeaseLostError, RunActiveError, RunBusyError, RunStateError, StepCriticalError
from migrations_ops.lease import LEASE, run_claim, runs_watch
from migrations_ops.models import Direction, Plan, Run, RunState, StepState
from migrations_ops.planning import plan_create
from migrations_ops.runner import Outcome, execute, run_inline, run_slice
from migrations_ops.runs import (
    actions_legal,
    rehearsal_enqueue,
    rollback_confirmation_expected,
    run_cancel,
    run_force_stop,
    run_pause,
    run_resume,
    run_retry,
    run_rollback,
    step_skip,
)
from migrations_ops.schema import app_close, app_open, ddl_transaction
from migrations_ops.snapshot import connection_beside
from tests.engine.builders import TagStep, run_back, run_of

pytestmark = pytest.mark.django_db(transaction=True)


def tags() -> list[str]:
    return list(Tag.objects.values_list("name", flat=True))


def states(run: Run) -> list[str]:
    return list(run.steps.order_by("position").values_list("state", flat=True))


def test_a_run_applies_its_steps_in_order_and_counts_their_rows(monkeypatch: Any) -> None:
    run = run_of(monkeypatch, TagStep(name="a", title="A"), TagStep(name="b", title="B", count=2))

    run = run_inline(run.pk)

    assert run.state == RunState.SUCCEEDED
    assert run.active is None and run.lease_token is None and run.finished_at
    assert tags() == ["a-0", "a-1", "a-2", "b-0", "b-1"]
    assert list(run.steps.values_list("rows_done", "rows_total")) == [(3, 3), (2, 2)]


def test_the_time_that_a_run_was_at_rest_is_no_time_of_work(monkeypatch: Any) -> None:
    run = run_of(monkeypatch, TagStep(name="a", title="A"))

    def ago(**times: int) -> None:
        Run.objects.filter(pk=run.pk).update(**{name: timezone.now() - timedelta(hours=n) for name, n in times.items()})

    run_pause(run=run, actor="ada")
    ago(started_at=9, state_since=8)
    run_resume(run=run, actor="ada")
    run = run_inline(run.pk)
    assert (took_text(run), rested_text(run)) == ("1 h 0 min", "8 h 0 min")
    ago(started_at=12, finished_at=3, state_since=3)
    run = run_back(Run.objects.get(pk=run.pk))
    assert (took_text(run), rested_text(run)) == ("1 h 0 min", "11 h 0 min")


def test_a_plan_is_weighed_again_when_its_rehearsal_has_ended(monkeypatch: Any) -> None:
    failing = [1]

    def trouble(number: int, ctx: Any) -> None:
        if number in failing:
            raise ValueError("no such field")
        ctx.remember(measured={"mvp2/schema": {"rows": 3, "seconds": 4.0}})

    plan = plan_create(to_level=2, actor="ada", inline=True)
    checks = list(plan.findings.values_list("pk", flat=True))
    assert rehearsed(plan) == "This plan was not rehearsed."
    monkeypatch.setattr(
        "migrations_ops.planning.rehearsal_steps", lambda: (TagStep(name="up", title="Up", trouble=trouble),)
    )
    run = run_inline(rehearsal_enqueue(plan=plan, actor="ada", inline=True).pk)
    assert rehearsed(plan) == f"Run {run.pk} rehearsed this plan and did not succeed."
    failing.clear()
    run_inline(run_retry(run=run, actor="ada").pk)
    assert rehearsed(plan) == f"Run {run.pk} rehearsed this plan."
    assert "rehearsal" in [line["source"] for line in plan.assessment["estimates"]]
    assert list(plan.findings.values_list("pk", flat=True)) == checks


def rehearsed(plan: Plan) -> str:
    """What the plan, as it is kept, says of its rehearsals."""
    plan.refresh_from_db()
    fact: str = next(risk["fact"] for risk in plan.assessment["risks"] if risk["type"] == "no_rehearsal")
    return fact


def test_the_rate_is_that_of_the_latest_batches(monkeypatch: Any) -> None:
    def slow_at_first(number: int, ctx: Any) -> None:
        ctx.counted_until -= 100.0 if number == 0 else 1.0

    run = run_inline(run_of(monkeypatch, TagStep(name="a", title="A", count=12, trouble=slow_at_first)).pk)

    step = run.steps.get()
    assert step.rows_done / step.busy_seconds < 0.12
    assert 0.8 < step.recent_rows / step.recent_seconds < 1.1


def test_a_failed_batch_is_undone_and_a_retry_goes_on_behind_the_last_commit(monkeypatch: Any) -> None:
    failing = [1]

    def trouble(number: int, ctx: Any) -> None:
        if number in failing:
            raise ValueError("no such field")

    run = run_inline(run_of(monkeypatch, TagStep(name="a", title="A", trouble=trouble)).pk)

    assert run.state == RunState.FAILED and run.active is True
    assert run.error == "no such field"
    assert "ValueError" in run.steps.get().error and "Traceback" in run.steps.get().error
    assert tags() == ["a-0"]

    failing.clear()
    run_retry(run=run, actor="ada")
    run = run_inline(run.pk)

    assert run.state == RunState.SUCCEEDED and run.error == ""
    assert tags() == ["a-0", "a-1", "a-2"]


def test_a_step_that_is_not_critical_may_fail_and_the_run_goes_on(monkeypatch: Any) -> None:
    def trouble(number: int, ctx: Any) -> None:
        if number == 1:
            raise ValueError("not today")

    soft = TagStep(name="a", title="A", critical=False, trouble=trouble)
    run = run_inline(run_of(monkeypatch, soft, TagStep(name="b", title="B")).pk)

    assert run.state == RunState.SUCCEEDED
    assert states(run) == [StepState.WARNING, StepState.DONE]
    assert "a-0" in tags() and "a-1" not in tags()


def test_the_rollback_of_a_failed_run_reverts_what_was_begun_last_one_first(monkeypatch: Any) -> None:
    def trouble(number: int, ctx: Any) -> None:
        if number == 1:
            raise ValueError("stop")

    steps = (TagStep(name="a", title="A"), TagStep(name="b", title="B", trouble=trouble), TagStep(name="c", title="C"))
    run = run_inline(run_of(monkeypatch, *steps).pk)

    run_rollback(run=run, actor="ada", confirmation=rollback_confirmation_expected(run), reason="try")
    run = run_inline(run.pk)

    assert run.state == RunState.ROLLED_BACK
    assert states(run) == [StepState.REVERTED, StepState.REVERTED, StepState.PENDING]
    assert tags() == []


def test_a_pause_is_obeyed_between_two_batches_and_resume_goes_on_there(monkeypatch: Any) -> None:
    def pause(number: int, ctx: Any) -> None:
        if number == 1 and Run.objects.get(pk=ctx.run.pk).state == RunState.RUNNING:
            # in the batch's own transaction: it commits together with the batch
            run_pause(run=ctx.run, actor="ada")

    run = run_inline(run_of(monkeypatch, TagStep(name="a", title="A", trouble=pause)).pk)

    assert run.state == RunState.PAUSED
    assert tags() == ["a-0", "a-1"]
    run_resume(run=run, actor="ada")
    assert run_inline(run.pk).state == RunState.SUCCEEDED
    assert tags() == ["a-0", "a-1", "a-2"]


def test_a_run_that_nobody_moves_pauses_at_once(monkeypatch: Any) -> None:
    run = run_of(monkeypatch, TagStep(name="a", title="A"))

    assert run_pause(run=run, actor="ada").state == RunState.PAUSED


def test_cancel_keeps_what_is_done_and_gives_the_site_free(monkeypatch: Any) -> None:
    def cancel(number: int, ctx: Any) -> None:
        if number == 0:
            run_cancel(run=ctx.run, actor="ada", reason="wrong night")

    run = run_inline(run_of(monkeypatch, TagStep(name="a", title="A", trouble=cancel)).pk)

    assert run.state == RunState.CANCELLED and run.active is None
    assert tags() == ["a-0"]
    assert actions_legal(run) == ["retry", "roll_back"]
    assert run.events.filter(action="cancel", actor="ada", reason="wrong night").exists()


def test_a_rollback_asked_for_while_the_run_moves_starts_at_the_next_safe_point(monkeypatch: Any) -> None:
    def turn(number: int, ctx: Any) -> None:
        if number == 1:
            run_rollback(run=ctx.run, actor="ada", confirmation=rollback_confirmation_expected(ctx.run))

    run = run_inline(run_of(monkeypatch, TagStep(name="a", title="A", trouble=turn)).pk)

    assert run.state == RunState.ROLLED_BACK
    assert tags() == []


def test_a_failed_way_back_is_retried_backwards(monkeypatch: Any) -> None:
    broken = [True]

    def trouble_back(number: int, ctx: Any) -> None:
        if broken and number == 1:
            raise ValueError("still in use")

    run = run_inline(run_of(monkeypatch, TagStep(name="a", title="A", trouble_back=trouble_back)).pk)
    # the plan leads from MVP1 to MVP1, so the site is where it led to
    run_rollback(run=run, actor="ada", confirmation=rollback_confirmation_expected(run))
    run = run_inline(run.pk)
    assert run.state == RunState.FAILED and run.direction == Direction.BACK
    assert actions_legal(run) == ["retry", "cancel"]

    broken.clear()
    run_retry(run=run, actor="ada")

    assert run_inline(run.pk).state == RunState.ROLLED_BACK
    assert tags() == []


def test_a_critical_step_cannot_be_skipped_and_another_one_can(monkeypatch: Any) -> None:
    def trouble(number: int, ctx: Any) -> None:
        raise ValueError("no")

    hard, soft = TagStep(name="a", title="A", trouble=trouble), TagStep(name="b", title="B", critical=False)
    run = run_inline(run_of(monkeypatch, hard, soft, TagStep(name="c", title="C")).pk)

    with pytest.raises(StepCriticalError, match="Retry it, or roll the run back"):
        step_skip(run=run, step_name="a", actor="ada")
    assert Run.objects.get(pk=run.pk).state == RunState.FAILED
    step_skip(run=run, step_name="b", actor="ada")

    assert states(run)[1] == StepState.SKIPPED


def test_only_one_worker_gets_a_run(monkeypatch: Any) -> None:
    run = run_of(monkeypatch, TagStep(name="a", title="A"))

    first = run_claim(run.pk, worker="one")

    assert first is not None
    assert run_claim(run.pk, worker="two") is None
    assert run_slice(run.pk) == "not to be moved, or another worker moves it"
    assert tags() == []


def test_a_worker_that_slept_longer_than_its_lease_cannot_commit(monkeypatch: Any) -> None:
    taken = []

    def sleep(number: int, ctx: Any) -> None:
        if number == 1 and not taken:
            taken.append(True)

    run = run_of(monkeypatch, TagStep(name="a", title="A", trouble=sleep))
    sleeper = run_claim(run.pk, worker="sleeper")
    assert sleeper
    assert execute(sleeper, until=time.monotonic()) is Outcome.SLICE_OVER
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    other = run_claim(run.pk, worker="other")
    assert other

    with pytest.raises(LeaseLostError, match="sleeper lost run"):
        execute(sleeper, until=float("inf"))

    assert tags() == ["a-0"]
    assert execute(other, until=float("inf")) is Outcome.STOPPED
    assert tags() == ["a-0", "a-1", "a-2"]


def test_the_batch_of_a_worker_whose_run_was_taken_is_undone(monkeypatch: Any) -> None:
    def taken_away(number: int, ctx: Any) -> None:
        if number == 1:
            # what a force-stop commits just before the fence of the next batch
            Run.objects.filter(pk=ctx.run.pk).update(lease_token=None)

    run = run_of(monkeypatch, TagStep(name="a", title="A", trouble=taken_away))
    lease = run_claim(run.pk)
    assert lease
    with pytest.raises(LeaseLostError):
        execute(lease, until=float("inf"))

    assert "a-2" not in tags()


def test_force_stop_takes_the_run_from_its_worker(monkeypatch: Any) -> None:
    run = run_of(monkeypatch, TagStep(name="a", title="A"))
    stuck = run_claim(run.pk, worker="stuck")
    assert stuck
    run.refresh_from_db()

    assert run_force_stop(run=run, actor="ada", reason="stuck").state == RunState.PAUSED

    with pytest.raises(LeaseLostError):
        execute(stuck, until=float("inf"))
    assert tags() == []


def test_two_runs_never_hold_the_site_whoever_asks_the_database(monkeypatch: Any) -> None:
    run = run_of(monkeypatch, TagStep(name="a", title="A"))

    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.create(plan=run.plan, started_by="eve")


def test_a_cancelled_run_is_not_retried_while_another_one_holds_the_site(monkeypatch: Any) -> None:
    first = run_of(monkeypatch, TagStep(name="a", title="A"))
    run_cancel(run=first, actor="ada")
    run_of(monkeypatch, TagStep(name="a", title="A"))

    with pytest.raises(RunActiveError, match="is queued and holds the site"):
        run_retry(run=first, actor="ada")


@pytest.mark.parametrize("action", [run_resume, run_retry])
def test_an_action_that_the_state_does_not_allow_says_what_would(monkeypatch: Any, action: Any) -> None:
    run = run_of(monkeypatch, TagStep(name="a", title="A"))

    with pytest.raises(RunStateError, match=r"is queued; .* is possible only when it is"):
        action(run=run, actor="ada")

    assert Run.objects.get(pk=run.pk).state == RunState.QUEUED


def test_a_locked_database_is_tried_again_and_then_the_step_fails(monkeypatch: Any) -> None:
    locked = [True]

    def trouble(number: int, ctx: Any) -> None:
        if locked:
            raise OperationalError("database is locked")

    monkeypatch.setattr(runner, "RETRY_SECONDS", 0)
    run = run_inline(run_of(monkeypatch, TagStep(name="a", title="A", trouble=trouble)).pk)

    assert run.state == RunState.FAILED
    assert "was started 5 times" in run.error and "database is locked" in run.error
    assert tags() == []
    locked.clear()
    run_retry(run=run, actor="ada")
    assert run_inline(run.pk).state == RunState.SUCCEEDED


def test_the_watchdog_queues_a_run_whose_worker_is_silent(monkeypatch: Any) -> None:
    kicked: list[int] = []
    monkeypatch.setattr("migrations_ops.lease.queue.kick", kicked.append)
    run = run_of(monkeypatch, TagStep(name="a", title="A"))
    run_claim(run.pk)

    assert runs_watch() == 0
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - LEASE)
    assert runs_watch() == 1
    assert kicked == [run.pk]


def test_a_slice_ends_at_a_safe_point_and_queues_the_next_one(monkeypatch: Any) -> None:
    kicked: list[int] = []
    monkeypatch.setattr(runner.queue, "kick", kicked.append)
    monkeypatch.setattr(runner, "SLICE_SECONDS", -1)
    run = run_of(monkeypatch, TagStep(name="a", title="A"))

    run_slice(run.pk)

    assert tags() == ["a-0"]
    assert kicked == [run.pk]
    assert Run.objects.get(pk=run.pk).lease_token is None


def test_a_person_does_not_wait_for_ever_for_a_batch_that_holds_the_run(monkeypatch: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite locks the whole database, and its busy timeout ends the wait")
    run = run_of(monkeypatch, TagStep(name="a", title="A"))
    monkeypatch.setattr("migrations_ops.runs.LOCK_MS", 200)
    with connection_beside() as worker, worker.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE ops_runs SET worker = 'long batch' WHERE id = %s", [run.pk])

        with pytest.raises(RunBusyError, match="Try again in a moment"):
            run_pause(run=run, actor="ada")

        cursor.execute("ROLLBACK")
    assert run_pause(run=run, actor="ada").state == RunState.PAUSED


def test_a_level_gives_way_to_a_visitor_who_waits_for_it_while_it_waits_for_them(closed_site: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one lock, so nobody waits for another one with it")
    errors: list[Exception] = []

    def visit(visitor: Any) -> None:
        try:
            time.sleep(0.2)  # the change has its first tables by now and waits for this one
            visitor.cursor().execute("SELECT 1 FROM kb_entries FOR KEY SHARE")
            visitor.cursor().execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - looked at below
            errors.append(error)

    with ddl_transaction():
        app_open("analytics")
    with connection_beside() as visitor:
        visitor.inc_thread_sharing()
        with visitor.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE search_history IN ROW EXCLUSIVE MODE")
        thread = Thread(target=visit, args=[visitor])
        thread.start()
        with ddl_transaction():
            app_close("analytics")
        thread.join()
    assert errors == []
