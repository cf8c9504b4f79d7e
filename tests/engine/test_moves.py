"""Real moves between MVP1 and MVP2: up, back, up again, with the rows that people made meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from knowledge.models import Entry, Plugin, SearchQuery
from migrations_ops.archive import manifest_differences, tables_manifest
from migrations_ops.checkpoints import rows_park, tables_open
from migrations_ops.errors import (
    AlreadyAtLevelError,
    ConfirmationError,
    DownwardPlanError,
    LevelUnknownError,
    PlanBlockedError,
    PlanOutdatedError,
    RunActiveError,
    RunStateError,
)
from migrations_ops.gate import site_level, table_exists
from migrations_ops.models import Checkpoint, CheckpointKind, FindingStatus, Plan, Run, RunState
from migrations_ops.phase import phase_at
from migrations_ops.planning import plan_check, plan_create
from migrations_ops.prechecks import worker_alive
from migrations_ops.runner import run_inline
from migrations_ops.runs import run_cancel, run_enqueue, run_retry
from migrations_ops.steps import schema as schema_step
from tests.engine.builders import entry_made, run_back, run_queued, run_up, searches_made

pytestmark = pytest.mark.usefixtures("closed_site")


def site_tables() -> dict[str, Any]:
    """Digests of the tables of MVP1, without the plugins, which a move switches."""
    return tables_manifest(model for model in tables_open(1) if model is not Plugin)


def analytics() -> Any:
    from knowledge.phases.mvp2_analytics.models import SearchAnalytics

    return SearchAnalytics.objects


def test_a_run_opens_the_level_and_its_rollback_leaves_every_row_as_it_was() -> None:
    entry_made(usage_count=3)
    searches_made(620)
    before = site_tables()

    run = run_up()

    assert run.state == RunState.SUCCEEDED, run.error
    assert site_level() == 2
    assert analytics().count() == 620
    assert Plugin.objects.filter(enabled=True).count() == 2

    run = run_back(run)

    assert run.state == RunState.ROLLED_BACK, run.error
    assert site_level() == 1
    assert not table_exists("search_analytics")
    assert not Plugin.objects.filter(enabled=True).exists()
    assert manifest_differences(before, site_tables()) == []


def test_rows_collected_after_the_upgrade_are_parked_and_come_back_with_the_next_one() -> None:
    from knowledge.phases.mvp2_analytics.models import IgnoredQuery

    searches_made(30)
    first = run_up()
    IgnoredQuery.objects.create(normalized="s0c7 1")
    run_back(first)

    parked = Checkpoint.objects.get(kind=CheckpointKind.PARKED)
    assert parked.manifest["tables"]["ignored_queries"]["rows"] == 1
    assert parked.protected

    second = run_up()

    assert second.state == RunState.SUCCEEDED, second.error
    assert list(IgnoredQuery.objects.values_list("normalized", flat=True)) == ["s0c7 1"]
    parked.refresh_from_db()
    assert parked.restored_at is not None


def test_parked_rows_whose_entry_was_deleted_meanwhile_stay_in_the_archive() -> None:
    from knowledge.phases.mvp2_analytics.models import UsageMetric

    kept, deleted = entry_made(usage_count=2), entry_made(usage_count=5)
    run_back(run_up())
    Entry.objects.filter(pk=deleted.pk).delete()

    run = run_up()

    assert run.state == RunState.SUCCEEDED, run.error
    assert set(UsageMetric.objects.values_list("entry_id", flat=True)) == {kept.pk}
    assert run.steps.get(name="mvp2/parked-rows").result["left_in_archive"] == 1


def test_rows_that_change_while_they_are_parked_are_parked_again(monkeypatch: Any) -> None:
    from knowledge.phases.mvp2_analytics.models import IgnoredQuery

    late = ["late one"]

    def park_and_write(**options: Any) -> Checkpoint:
        parked = rows_park(**options)
        while late:
            IgnoredQuery.objects.create(normalized=late.pop())
        return parked

    run = run_up()
    monkeypatch.setattr(schema_step, "rows_park", park_and_write)

    run = run_back(run)

    assert run.state == RunState.ROLLED_BACK, run.error
    newest = Checkpoint.objects.filter(kind=CheckpointKind.PARKED).order_by("created_at").last()
    assert newest and newest.manifest["tables"]["ignored_queries"]["rows"] == 1
    run_up()
    assert IgnoredQuery.objects.filter(normalized="late one").exists()


def test_a_parked_run_that_never_restored_its_rows_leaves_the_older_archive_in_charge(monkeypatch: Any) -> None:
    from knowledge.phases.mvp2_analytics.models import IgnoredQuery

    first = run_up()
    IgnoredQuery.objects.create(normalized="kept")
    run_back(first)
    monkeypatch.setattr("migrations_ops.steps.rows.rows_insert", broken)
    half = run_up()
    assert half.state == RunState.FAILED and "disk on fire" in half.error
    run_back(half)
    monkeypatch.undo()

    assert run_up().state == RunState.SUCCEEDED

    assert IgnoredQuery.objects.filter(normalized="kept").exists()


def broken(*args: Any, **options: Any) -> int:
    raise ValueError("disk on fire")


def test_an_entry_can_be_deleted_while_the_level_is_closed_and_takes_its_rows_while_it_is_open() -> None:
    from knowledge.phases.mvp2_analytics.models import UsageMetric

    entry, other = entry_made(usage_count=1), entry_made(usage_count=1)

    entry.delete()
    run_up()
    assert UsageMetric.objects.filter(entry=other).exists()
    other.delete()

    assert not UsageMetric.objects.exists()


def test_a_cancelled_run_blocks_new_plans_until_it_is_retried(monkeypatch: Any) -> None:
    monkeypatch.setattr("migrations_ops.steps.rows.rows_insert", broken)
    searches_made(3)
    run_back(run_up())
    failed = run_up()
    run_cancel(run=failed, actor="ada")

    plan = plan_create(to_level=2, actor="ada", inline=True)
    with pytest.raises(PlanBlockedError, match=f"Run {failed.pk} was cancelled"):
        run_enqueue(plan=plan, actor="ada", confirmation="MVP2")

    monkeypatch.undo()
    run_retry(run=failed, actor="ada")
    assert run_inline(failed.pk).state == RunState.SUCCEEDED
    assert analytics().count() == 3


@pytest.mark.parametrize(
    ("level", "error", "says"),
    [
        (9, LevelUnknownError, "MVP9 does not exist"),
        (0, LevelUnknownError, "MVP0 does not exist"),
        (1, AlreadyAtLevelError, "is at MVP1 already"),
    ],
)
def test_a_plan_to_a_wrong_level_is_refused_and_nothing_is_stored(level: int, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        plan_create(to_level=level, actor="ada")

    assert not Plan.objects.exists()


def test_a_plan_downwards_points_to_the_rollback() -> None:
    run_up()

    with pytest.raises(DownwardPlanError, match="roll back the run that opened MVP2"):
        plan_create(to_level=1, actor="ada")


def test_a_plan_of_another_time_is_refused() -> None:
    stale = plan_create(to_level=2, actor="ada", inline=True)
    run_up()

    with pytest.raises(PlanOutdatedError, match="the site is at MVP2 and no longer at MVP1"):
        run_enqueue(plan=stale, actor="ada", confirmation="MVP2")
    with pytest.raises(PlanOutdatedError):
        plan_check(plan=stale, actor="ada")


def test_a_second_run_is_refused_while_one_holds_the_site() -> None:
    held = run_queued()
    plan = plan_create(to_level=2, actor="eve", inline=True)

    with pytest.raises(RunActiveError, match=f"Run {held.pk} is queued"):
        run_enqueue(plan=plan, actor="eve", confirmation="MVP2")

    assert Run.objects.count() == 1


def test_a_run_needs_its_typed_confirmation() -> None:
    plan = plan_create(to_level=2, actor="ada", inline=True)

    with pytest.raises(ConfirmationError, match="Type exactly: MVP2"):
        run_enqueue(plan=plan, actor="ada", confirmation="mvp2")

    assert not Run.objects.exists()


def test_an_older_run_cannot_be_rolled_back() -> None:
    first = run_up()
    run_back(first)
    second = run_up()

    with pytest.raises(RunStateError):
        run_back(first)

    assert site_level() == 2
    assert run_back(second).state == RunState.ROLLED_BACK


def test_without_a_worker_a_queued_plan_is_blocked_and_says_what_to_do() -> None:
    plan = plan_create(to_level=2, actor="ada")

    with pytest.raises(PlanBlockedError, match=r"No worker has a heartbeat\. Start one"):
        run_enqueue(plan=plan, actor="ada", confirmation="MVP2")

    assert plan.findings.filter(code="worker_alive", status=FindingStatus.FAIL).exists()


def test_a_worker_without_a_heartbeat_yet_may_work_on_the_run_that_it_holds() -> None:
    plan = plan_create(to_level=2, actor="ada")
    run = Run(pk=1, plan=plan, worker="host:1", lease_token=uuid4())

    assert worker_alive(plan).status == FindingStatus.FAIL
    assert worker_alive(plan, run).status == FindingStatus.PASS


def test_a_plan_says_the_same_of_its_risk_wherever_one_looks() -> None:
    plan = plan_create(to_level=2, actor="ada", inline=True)

    worst = {risk["level"] for risk in plan.assessment["risks"]}
    assert plan.assessment["risk"] in worst
    assert all(risk["fact"] and risk["mitigation"] and risk["description"] for risk in plan.assessment["risks"])
    operations = [line["kind"] for line in plan.document["rollback"]]
    assert operations[0] == "config-revert" and operations[-1] == "schema-drop"
    assert operations.count("plugin-disable") == 2 and "data-restore" in operations


def test_an_orphaned_row_blocks_a_run() -> None:
    if connection.vendor == "postgresql":
        pytest.skip("PostgreSQL does not let a row point to nothing")
    searches_made(1)
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        cursor.execute("UPDATE search_history SET opened_entry_id = %s", ["0" * 32])

    plan = plan_create(to_level=2, actor="ada", inline=True)

    assert plan.findings.get(code="orphans").status == FindingStatus.FAIL
    SearchQuery.objects.all().delete()


def test_the_run_makes_a_checkpoint_first_and_reads_it_back(closed_site: Path) -> None:
    entry_made()
    run_up()

    checkpoint = Checkpoint.objects.get(kind=CheckpointKind.FULL)

    assert checkpoint.verified_at and checkpoint.level == 1
    assert checkpoint.manifest["tables"]["kb_entries"]["rows"] == 1
    assert checkpoint.manifest["migrations"]["knowledge"]
    assert [path.name for path in (closed_site / "checkpoints").iterdir()] == [checkpoint.file_name]
    assert phase_at(2).app_label not in checkpoint.manifest["migrations"]
