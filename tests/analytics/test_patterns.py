"""What people did about a pattern outlives detection."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from knowledge.models import Plugin
from knowledge.phases.mvp2_analytics.errors import PatternNotFoundError, PatternStateError
from knowledge.phases.mvp2_analytics.models import PatternState, UsagePattern
from knowledge.phases.mvp2_analytics.patterns import (
    pattern_acknowledge,
    pattern_reopen,
    pattern_resolve,
    patterns_waiting,
    query_ignore,
    query_unignore,
)
from knowledge.phases.mvp2_analytics.tasks import patterns_detect
from knowledge.plugins import plugin_configure
from tests.analytics import builders

MISSED = "zero_result"


def missed(count: int, ago: dt.timedelta = dt.timedelta(days=2)) -> None:
    for number in range(count):
        builders.search("kaputt", result_count=0, ago=ago + dt.timedelta(minutes=number))


@pytest.fixture
def pattern(plugins) -> UsagePattern:
    missed(3)
    patterns_detect()
    return UsagePattern.objects.get(type=MISSED)


def test_detection_records_a_pattern_once(pattern):
    patterns_detect()
    again = UsagePattern.objects.get(type=MISSED)
    assert (again.pk, again.frequency, again.state) == (pattern.pk, 3, PatternState.OPEN)
    assert again.title == "kaputt" and len(again.examples) == 3


@pytest.mark.parametrize("change", [pattern_acknowledge, pattern_resolve])
def test_what_people_decided_survives_detection(pattern, change):
    change(pattern_id=pattern.pk, actor="ann", note=" known ")
    missed(1, ago=dt.timedelta(hours=1))
    patterns_detect()
    before, pattern = pattern, UsagePattern.objects.get(pk=pattern.pk)
    assert pattern.frequency == 4 and pattern.last_seen > before.last_seen
    assert pattern.state in {PatternState.ACKNOWLEDGED, PatternState.RESOLVED}
    assert (pattern.state_by, pattern.note, pattern.came_back) == ("ann", "known", False)


def test_a_resolved_pattern_comes_back_only_by_what_happens_afterwards(pattern):
    pattern_resolve(pattern_id=pattern.pk, actor="ann")
    UsagePattern.objects.update(state_at=timezone.now() - dt.timedelta(days=1))
    missed(2, ago=dt.timedelta(hours=1))
    patterns_detect()
    assert not UsagePattern.objects.get(type=MISSED).came_back
    missed(1, ago=dt.timedelta(minutes=5))
    patterns_detect()
    pattern.refresh_from_db()
    assert pattern.came_back and pattern.state == PatternState.RESOLVED
    assert UsagePattern.objects.filter(patterns_waiting(), pk=pattern.pk).exists()


def test_a_pattern_that_came_back_can_be_resolved_again(pattern):
    pattern_resolve(pattern_id=pattern.pk, actor="ann")
    UsagePattern.objects.update(came_back_at=timezone.now())
    pattern_resolve(pattern_id=pattern.pk, actor="bob", note="for good")
    pattern.refresh_from_db()
    assert (pattern.state_by, pattern.came_back) == ("bob", False)


def test_the_second_of_two_people_is_told(pattern):
    pattern_resolve(pattern_id=pattern.pk, actor="ann")
    with pytest.raises(PatternStateError, match=r"“kaputt” is resolved already \(by ann\)"):
        pattern_resolve(pattern_id=pattern.pk, actor="bob")
    with pytest.raises(PatternStateError):
        pattern_acknowledge(pattern_id=pattern.pk, actor="bob")
    pattern_reopen(pattern_id=pattern.pk, actor="bob")
    with pytest.raises(PatternStateError):
        pattern_reopen(pattern_id=pattern.pk, actor="ann")


def test_a_pattern_that_is_not_there_is_named(plugins):
    with pytest.raises(PatternNotFoundError, match="no pattern 99"):
        pattern_resolve(pattern_id=99, actor="ann")


def test_the_configuration_of_the_plugin_decides(plugins):
    missed(3)
    plugin_configure(name="pattern_detection", configuration={"min_occurrences": 4})
    patterns_detect()
    assert not UsagePattern.objects.exists()
    plugin_configure(name="pattern_detection", configuration={"min_occurrences": 3, "min_confidence": 0.9})
    patterns_detect()
    assert not UsagePattern.objects.filter(type=MISSED).exists()


def test_detection_counts_its_runs(pattern):
    row = Plugin.objects.get(name="pattern_detection")
    assert row.run_count == 1
    assert row.metrics["patterns_detect"][MISSED] == 1


def test_ignoring_twice_and_undoing_twice_is_no_error(level_2):
    for _ in range(2):
        query_ignore(normalized="x", actor="ann")
    for _ in range(2):
        query_unignore(normalized="x")


@pytest.mark.parametrize(
    "wrong",
    [
        {"confidence": 1.5},
        {"state": "lost"},
        {"type": "odd"},
        {"came_back_at": timezone.now()},
        {"first_seen": timezone.now() + dt.timedelta(days=1)},
    ],
)
def test_the_database_refuses_impossible_patterns(pattern, wrong):
    with pytest.raises(IntegrityError), transaction.atomic():
        UsagePattern.objects.update(**wrong)
