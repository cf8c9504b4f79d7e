"""The steps of MVP2: up, down, and up again from the middle of every batch."""

from __future__ import annotations

import datetime as dt
import json
from types import SimpleNamespace

import pytest
from django.utils import timezone

from knowledge.models import Plugin, SearchQuery
from knowledge.phases.mvp2_analytics import searches as searches_module
from knowledge.phases.mvp2_analytics import steps as steps_module
from knowledge.phases.mvp2_analytics import usage
from knowledge.phases.mvp2_analytics.baselines import METRICS
from knowledge.phases.mvp2_analytics.models import Baseline, SearchAnalytics, UsageMetric, UsagePattern
from knowledge.phases.mvp2_analytics.phase import PHASE
from knowledge.phases.mvp2_analytics.steps import STEPS, BackfillSearches
from migrations_ops.errors import VerificationError
from migrations_ops.steps.base import Step, StepContext
from tests.analytics import builders


def context() -> StepContext:
    return StepContext(run=SimpleNamespace(), record=SimpleNamespace(result={}))


def run(step: Step, cursor=None, batches: int | None = None):
    """Apply a step from a cursor, at most so many batches; the batches that were committed."""
    done = []
    for batch in step.apply(context(), cursor):
        json.dumps(batch.cursor)  # it has to survive the journal
        done.append(batch)
        if len(done) == batches:
            break
    return done


def snapshot() -> dict[str, list]:
    """Every row of the phase that the steps write, times of writing left out."""
    return {
        "searches": list(SearchAnalytics.objects.order_by("pk").values()),
        "usage": list(UsageMetric.objects.order_by("entry", "day").values("entry", "day", "views", "worked", "failed")),
        "patterns": list(UsagePattern.objects.order_by("type", "key").values("type", "key", "frequency", "confidence")),
        "baselines": list(Baseline.objects.order_by("metric").values("metric", "value")),
        "plugins": list(Plugin.objects.order_by("name").values("name", "enabled")),
    }


def wipe() -> None:
    for model in (SearchAnalytics, UsageMetric, UsagePattern, Baseline):
        model.objects.all().delete()
    Plugin.objects.all().delete()


@pytest.fixture
def history(level_2, monkeypatch):
    """Thirty searches, three entries with views and votes; batches of seven rows."""
    monkeypatch.setattr(searches_module, "BATCH_ROWS", 7)
    monkeypatch.setattr(usage, "BATCH_ENTRIES", 2)
    monkeypatch.setattr(steps_module, "COMPARED_ROWS", 8)
    builders.searches(12, "s0c7 abend")
    builders.searches(9, "sb37 space", result_count=0)
    builders.searches(9, "vsam status 35", searcher="user:2")
    for number in range(3):
        entry = builders.entry(title=f"Entry {number}", usage_count=number + 1, last_used_at=timezone.now())
        builders.vote(entry, worked=number > 0, voter="user:1")
        builders.vote(entry, worked=True, voter="user:2", ago=dt.timedelta(days=40))


def test_all_steps_bring_the_whole_history(history):
    for step in STEPS:
        run(step)
    assert SearchAnalytics.objects.count() == SearchQuery.objects.count() == 30
    assert set(Baseline.objects.values_list("metric", flat=True)) == set(METRICS)
    assert UsagePattern.objects.exists()
    assert sum(UsageMetric.objects.values_list("worked", flat=True)) == 5
    assert not any(UsageMetric.objects.values_list("views", flat=True))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_killed_after_any_batch_ends_like_an_undisturbed_one(history, step):
    before = [other for other in STEPS if STEPS.index(other) < STEPS.index(step)]
    for other in before:
        run(other)
    batches = run(step)
    undisturbed = snapshot()
    for stop in range(1, len(batches) + 1):
        wipe()
        for other in before:
            run(other)
        committed = run(step, batches=stop)
        run(step, cursor=committed[-1].cursor)
        assert snapshot() == undisturbed, f"killed after batch {stop} of {len(batches)}"


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_goes_up_down_and_up_again(history, step):
    for other in STEPS[: STEPS.index(step) + 1]:
        run(other)
    up = snapshot()
    for other in reversed(STEPS[: STEPS.index(step) + 1]):
        list(other.revert(context(), None))
    assert not Plugin.objects.filter(enabled=True).exists()
    assert snapshot()["searches"] == up["searches"]  # the engine parks rows, the steps leave them
    for other in STEPS[: STEPS.index(step) + 1]:
        run(other)
    assert snapshot() == up


def test_doing_a_batch_twice_changes_nothing(history):
    for step in STEPS:
        run(step)
    once = snapshot()
    for step in STEPS:
        run(step)
    assert snapshot() == once


def test_the_backfill_finds_rows_born_behind_its_cursor(history):
    highest = SearchQuery.objects.order_by("-pk").first().pk
    done = run(BackfillSearches(), cursor={"after": highest})
    assert sum(batch.rows for batch in done) == 30
    assert SearchAnalytics.objects.count() == 30


def test_the_backfill_brings_parked_rows_up_to_date(history):
    run(BackfillSearches())
    search = SearchQuery.objects.order_by("pk").first()
    entry = builders.entry()
    SearchQuery.objects.filter(pk=search.pk).update(
        opened_entry=entry, result_count=9, created_at=search.created_at - dt.timedelta(days=1)
    )
    run(BackfillSearches())
    row = SearchAnalytics.objects.get(pk=search.pk)
    assert (row.opened, row.result_count) == (True, 9)
    assert row.day == (search.created_at - dt.timedelta(days=1)).astimezone(dt.UTC).date()


def test_the_backfill_counts_its_rows_beforehand(history):
    assert BackfillSearches().estimate() == 30
    assert sum(batch.rows for batch in run(BackfillSearches())) == 30


def test_verification_names_what_is_missing(history):
    for step in STEPS[:-1]:
        run(step)
    lost = SearchAnalytics.objects.order_by("pk").first()
    SearchAnalytics.objects.filter(pk=lost.pk).delete()
    moved = SearchAnalytics.objects.order_by("pk").last()
    SearchAnalytics.objects.filter(pk=moved.pk).update(day=moved.day - dt.timedelta(days=400))
    Baseline.objects.filter(metric="search_ms_p95").delete()
    Plugin.objects.filter(name="pattern_detection").update(enabled=False)
    with pytest.raises(VerificationError) as caught:
        run(STEPS[-1])
    message = str(caught.value)
    assert f"1 search(es) without their row in analytics (search {lost.pk})" in message
    assert f"1 search(es) counted on another day than theirs (search {moved.pk})" in message
    assert "plugin pattern_detection is not enabled" in message
    assert "no baseline search_ms_p95" in message


def test_verification_lets_a_search_on_its_way_pass(history):
    for step in STEPS[:-1]:
        run(step)
    SearchQuery.objects.bulk_create([SearchQuery(query="new", created_at=timezone.now())])
    run(STEPS[-1])


def test_steps_have_names_of_their_own_and_say_what_they_need(level_2):
    names = [step.name for step in PHASE.steps()]
    assert len(set(names)) == len(names)
    for place, step in enumerate(PHASE.steps()):
        assert set(step.requires) <= set(names[:place])


def test_the_checks_of_the_phase_see_missing_rows_and_disabled_plugins(history):
    found = {finding.code: finding.status for check in PHASE.checks for finding in check()}
    assert found == {"analytics.searches_complete": "warn", "analytics.plugins_enabled": "warn"}
    for step in STEPS:
        run(step)
    found = {finding.code: finding.status for check in PHASE.checks for finding in check()}
    assert found == {"analytics.searches_complete": "pass", "analytics.plugins_enabled": "pass"}
