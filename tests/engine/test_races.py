"""What people and workers do at the same moment, and what each finds afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from knowledge.models import Tag
from migrations_ops import runner
from migrations_ops.errors import RunStateError
from migrations_ops.lease import run_claim
from migrations_ops.models import Checkpoint, CheckpointKind, Direction, Intent, Run, RunState, StepState
from migrations_ops.runner import run_inline
from migrations_ops.runs import (
    actions_legal,
    rollback_confirmation_expected,
    run_cancel,
    run_enqueue,
    run_pause,
    run_retry,
    run_rollback,
    step_skip,
)
from tests.engine.builders import TagStep, run_back, run_of, run_queued, run_up, searches_made

pytestmark = pytest.mark.django_db(transaction=True)


def tags() -> list[str]:
    return list(Tag.objects.values_list("name", flat=True))


def asked_right_before_the_end(monkeypatch: Any, ask: Any) -> None:
    """Has `ask(run)` commit after the loop has read the run and found no step left."""
    finish = runner._finish

    def late(lease: Any, run: Run) -> Any:
        if run.direction == Direction.FORWARD and Run.objects.get(pk=run.pk).state == RunState.RUNNING:
            ask(Run.objects.get(pk=run.pk))
        return finish(lease, run)

    monkeypatch.setattr(runner, "_finish", late)


@pytest.mark.parametrize(
    ("ask", "state"), [(run_pause, RunState.PAUSED), (run_cancel, RunState.CANCELLED)], ids=["pause", "cancel"]
)
def test_what_is_asked_for_in_the_last_moment_of_a_run_is_obeyed(monkeypatch: Any, ask: Any, state: RunState) -> None:
    asked_right_before_the_end(monkeypatch, lambda run: ask(run=run, actor="ada"))

    run = run_inline(run_of(monkeypatch, TagStep(name="a", title="A")).pk)

    assert (run.state, run.intent) == (state, Intent.NONE)


def test_a_rollback_asked_for_in_the_last_moment_of_a_run_is_carried_out(monkeypatch: Any) -> None:
    def ask(run: Run) -> None:
        run_rollback(run=run, actor="ada", confirmation=rollback_confirmation_expected(run))

    asked_right_before_the_end(monkeypatch, ask)

    run = run_inline(run_of(monkeypatch, TagStep(name="a", title="A")).pk)

    assert run.state == RunState.ROLLED_BACK
    assert tags() == []


def test_a_rollback_asked_for_while_a_step_fails_is_carried_out(monkeypatch: Any) -> None:
    def trouble(number: int, ctx: Any) -> None:
        if number == 1:
            Run.objects.filter(pk=ctx.run.pk).update(intent=Intent.ROLL_BACK, state=RunState.PAUSING)
            ctx.record.refresh_from_db()
            raise ValueError("no such field")

    # The request commits on its own, whatever becomes of the batch.
    monkeypatch.setattr(runner, "_fail", asking(runner._fail))
    run = run_inline(run_of(monkeypatch, TagStep(name="a", title="A", trouble=trouble)).pk)

    assert run.state == RunState.ROLLED_BACK
    assert tags() == []


def asking(fail: Any) -> Any:
    def failing(lease: Any, run: Run, *rest: Any) -> Any:
        if run.direction == Direction.FORWARD:
            fresh = Run.objects.get(pk=run.pk)
            run_rollback(run=fresh, actor="ada", confirmation=rollback_confirmation_expected(fresh))
        return fail(lease, run, *rest)

    return failing


def test_the_last_batch_of_parked_rows_is_not_done_twice_after_a_crash(closed_site: Any, monkeypatch: Any) -> None:
    from knowledge.phases.mvp2_analytics.models import SearchAnalytics

    searches_made(30)
    run_back(run_up())
    run = run_queued()
    journal = runner._journal

    def crash(ctx: Any, batch: Any) -> None:
        if batch is None and ctx.record.name == "mvp2/parked-rows":
            raise SystemExit
        journal(ctx, batch)

    monkeypatch.setattr(runner, "_journal", crash)
    with pytest.raises(SystemExit):
        run_inline(run.pk)
    monkeypatch.undo()
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timezone.timedelta(hours=1))

    run = run_inline(run.pk)

    assert run.state == RunState.SUCCEEDED, run.error
    assert SearchAnalytics.objects.count() == 30


def test_a_cancelled_run_is_not_taken_up_when_another_one_has_moved_the_site_since(closed_site: Any) -> None:
    old = run_queued()
    run_cancel(run=old, actor="ada")
    run_up()
    old.refresh_from_db()

    with pytest.raises(RunStateError, match="newest run that changed the site"):
        run_retry(run=old, actor="ada")
    with pytest.raises(RunStateError, match="newest run that changed the site"):
        run_rollback(run=old, actor="ada", confirmation=rollback_confirmation_expected(old))

    assert actions_legal(old) == []


def test_a_rollback_does_not_need_the_checkpoint_that_retention_has_cleared(closed_site: Any) -> None:
    from migrations_ops.checkpoints import checkpoints_trim

    run = run_up()
    checkpoints_trim(keep=0, actor="ada")

    run = run_back(run)

    assert run.state == RunState.ROLLED_BACK, run.error


def test_a_rollback_that_fails_can_be_given_up_and_a_checkpoint_be_restored(closed_site: Any, monkeypatch: Any) -> None:
    from migrations_ops.gate import site_level
    from migrations_ops.planning import plan_create, restore_plan_create
    from migrations_ops.runs import confirmation_expected

    def broken(*args: Any, **options: Any) -> None:
        raise ValueError("disk on fire")

    monkeypatch.setattr("migrations_ops.steps.schema.rows_park", broken)
    run = run_back(run_up())
    assert (run.state, run.direction) == (RunState.FAILED, Direction.BACK)
    assert actions_legal(run) == ["retry", "cancel"]

    run_cancel(run=run, actor="ada", reason="restore instead")
    checkpoint = Checkpoint.objects.filter(kind=CheckpointKind.FULL, run=run).get()
    plan = restore_plan_create(checkpoint_id=str(checkpoint.pk), actor="ada", inline=True)
    restored = run_inline(run_enqueue(plan=plan, actor="ada", confirmation=confirmation_expected(plan)).pk)

    assert restored.state == RunState.SUCCEEDED, restored.error
    assert site_level() == 1
    assert actions_legal(Run.objects.get(pk=run.pk)) == []
    assert plan_create(to_level=2, actor="ada", inline=True).assessment["ready"]


def test_a_step_is_not_skipped_on_the_way_back_and_the_journal_names_a_skipped_one(monkeypatch: Any) -> None:
    def trouble(number: int, ctx: Any) -> None:
        raise ValueError("no")

    hard, soft = TagStep(name="a", title="A", trouble=trouble), TagStep(name="b", title="B", critical=False)
    run = run_inline(run_of(monkeypatch, hard, soft).pk)
    Run.objects.filter(pk=run.pk).update(direction=Direction.BACK)

    with pytest.raises(RunStateError, match="on its way up"):
        step_skip(run=Run.objects.get(pk=run.pk), step_name="b", actor="ada")

    Run.objects.filter(pk=run.pk).update(direction=Direction.FORWARD)
    step_skip(run=Run.objects.get(pk=run.pk), step_name="b", actor="ada")
    assert run.events.filter(action="skip", step="b", message="Asked to skip b").exists()
    assert run.steps.get(name="b").state == StepState.SKIPPED


def test_rows_that_never_stop_changing_are_parked_with_their_writers_held(closed_site: Any, monkeypatch: Any) -> None:
    from knowledge.phases.mvp2_analytics.models import IgnoredQuery
    from migrations_ops.checkpoints import checkpoint_path, rows_park
    from migrations_ops.steps import schema as schema_step

    parks: list[int] = []

    def park_and_write(**options: Any) -> Checkpoint:
        parked = rows_park(**options)
        if len(parks) < schema_step.PARK_TRIES:
            IgnoredQuery.objects.create(normalized=f"late {len(parks)}")
        parks.append(1)
        return parked

    run = run_up()
    monkeypatch.setattr(schema_step, "rows_park", park_and_write)

    run = run_back(run)

    assert run.state == RunState.ROLLED_BACK, run.error
    assert len(parks) == schema_step.PARK_TRIES + 1
    kept = Checkpoint.objects.exclude(state="deleted").get(kind=CheckpointKind.PARKED)
    assert kept.manifest["tables"]["ignored_queries"]["rows"] == schema_step.PARK_TRIES
    superseded = Checkpoint.objects.filter(kind=CheckpointKind.PARKED, state="deleted")
    assert len(superseded) == schema_step.PARK_TRIES
    assert not any(checkpoint_path(checkpoint).exists() for checkpoint in superseded)


def test_a_worker_that_lost_its_run_while_it_wrote_does_not_replace_the_file_of_the_next_one(
    closed_site: Any, monkeypatch: Any
) -> None:
    from migrations_ops import archive
    from migrations_ops.checkpoints import checkpoint_verify
    from migrations_ops.errors import LeaseLostError
    from migrations_ops.runner import execute

    run = run_queued()
    sleeper = run_claim(run.pk, worker="sleeper")
    assert sleeper
    sha256 = archive.file_sha256
    slept: list[bool] = []

    def long(path: Any) -> str:
        """The sleeper's lease runs out after its last row; another worker does the step."""
        digest = sha256(path)
        if not slept:
            slept.append(True)
            Tag.objects.create(name="written meanwhile")
            Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timezone.timedelta(hours=1))
            run_inline(run.pk)
        return digest

    monkeypatch.setattr(archive, "file_sha256", long)
    with pytest.raises(LeaseLostError):
        execute(sleeper, until=float("inf"))

    assert slept
    assert checkpoint_verify(checkpoint=Checkpoint.objects.get()).manifest["tables"]["kb_tags"]["rows"] == 1


def test_parked_rows_that_are_damaged_stop_the_next_upgrade_and_are_not_passed_over(closed_site: Any) -> None:
    from migrations_ops.checkpoints import checkpoint_delete, checkpoint_path

    searches_made(3)
    run_back(run_up())
    parked = Checkpoint.objects.get(kind=CheckpointKind.PARKED)
    checkpoint_path(parked).write_bytes(b"PK")

    run = run_up()
    assert run.state == RunState.FAILED and "is damaged" in run.error
    parked.refresh_from_db()
    assert parked.state == "corrupt"
    run_retry(run=run, actor="ada")
    assert run_inline(run.pk).state == RunState.FAILED

    checkpoint_delete(checkpoint=parked, actor="ada")
    run_retry(run=run, actor="ada")
    assert run_inline(run.pk).state == RunState.SUCCEEDED


def test_a_level_does_not_open_while_a_newer_release_has_tables_for_it(closed_site: Any, monkeypatch: Any) -> None:
    from migrations_ops.gate import site_level
    from migrations_ops.steps import level

    known = level.migrations_known
    monkeypatch.setattr(level, "migrations_known", lambda label: [*known(label), "0099_newer"])

    run = run_up()

    assert run.state == RunState.FAILED and "0099_newer of analytics" in run.error
    assert site_level() == 1
    monkeypatch.undo()
    run_retry(run=run, actor="ada")
    assert run_inline(run.pk).state == RunState.SUCCEEDED


def test_migrate_brings_the_tables_of_a_resting_run_up_to_date(closed_site: Any, monkeypatch: Any) -> None:
    from django.core.management import CommandError, call_command

    monkeypatch.setattr("migrations_ops.steps.level.LevelStep.apply", broken_step)
    with pytest.raises(CommandError, match="is closed on this site"):
        call_command("migrate", "analytics", verbosity=0)

    assert run_up().state == RunState.FAILED

    call_command("migrate", "analytics", verbosity=0)


def broken_step(*args: Any, **options: Any) -> Any:
    raise ValueError("not today")


def test_parked_rows_with_a_column_that_the_release_does_not_know_block_the_plan(closed_site: Any) -> None:
    from migrations_ops.planning import plan_create

    run_back(run_up())
    parked = Checkpoint.objects.get(kind=CheckpointKind.PARKED)
    assert plan_create(to_level=2, actor="ada", inline=True).findings.get(code="parked_rows").status == "pass"
    parked.manifest["tables"]["ignored_queries"]["columns"].append("colour")
    parked.save()

    found = plan_create(to_level=2, actor="ada", inline=True).findings.get(code="parked_rows")

    assert found.status == "fail" and "ignored_queries.colour" in found.evidence


def test_an_estimate_is_the_mean_of_earlier_runs_and_not_their_sum(monkeypatch: Any) -> None:
    from migrations_ops.estimates import ran

    for seconds in (2.0, 4.0):
        run = run_inline(run_of(monkeypatch, TagStep(name="a", title="A", count=0)).pk)
        run.steps.update(busy_seconds=seconds)

    assert ran("a") == (0, 3.0)


def test_ctrl_c_in_a_command_pauses_its_run_at_the_last_commit(monkeypatch: Any) -> None:
    def interrupt(number: int, ctx: Any) -> None:
        if number == 1:
            raise KeyboardInterrupt

    run = run_of(monkeypatch, TagStep(name="a", title="A", trouble=interrupt))

    with pytest.raises(KeyboardInterrupt):
        run_inline(run.pk)

    run.refresh_from_db()
    assert (run.state, run.lease_token) == (RunState.PAUSED, None)
    assert tags() == ["a-0"]
