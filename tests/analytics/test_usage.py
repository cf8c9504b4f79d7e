"""Views and votes by day."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from knowledge.merging import entry_merge
from knowledge.models import Entry, Feedback
from knowledge.phases.mvp2_analytics import usage
from knowledge.phases.mvp2_analytics.models import UsageMetric
from knowledge.phases.mvp2_analytics.tasks import analytics_aggregate
from tests.analytics import builders

pytestmark = pytest.mark.usefixtures("plugins")


def view(entry: Entry, times: int, at: dt.datetime | None = None) -> None:
    entry.refresh_from_db()
    Entry.objects.filter(pk=entry.pk).update(usage_count=entry.usage_count + times, last_used_at=at or timezone.now())


def views(entry: Entry) -> dict[dt.date, int]:
    return dict(UsageMetric.objects.filter(entry=entry, views__gt=0).values_list("day", "views"))


def test_views_go_to_the_day_of_last_use_once():
    entry = builders.entry()
    yesterday = timezone.now() - dt.timedelta(days=1)
    view(entry, 2, yesterday)
    assert analytics_aggregate()["entries_counted"] == 1
    view(entry, 3)
    analytics_aggregate()
    view(entry, 1)
    analytics_aggregate()
    assert analytics_aggregate()["entries_counted"] == 0
    assert views(entry) == {yesterday.date(): 2, usage.today(): 4}


def test_views_before_the_baseline_belong_to_no_day():
    entry = builders.entry(usage_count=50)
    usage.views_baseline([entry], usage.today())
    view(entry, 2)
    analytics_aggregate()
    assert views(entry) == {usage.today(): 2}


def test_a_baseline_again_keeps_the_views_of_the_day():
    entry = builders.entry()
    view(entry, 2)
    analytics_aggregate()
    view(entry, 5)  # while analytics was closed
    entry.refresh_from_db()
    usage.views_baseline([entry], usage.today())
    analytics_aggregate()
    assert views(entry) == {usage.today(): 2}


def test_a_counter_that_went_down_takes_no_views_away():
    entry = builders.entry()
    view(entry, 5)
    analytics_aggregate()
    Entry.objects.update(usage_count=1)
    analytics_aggregate()
    view(entry, 1)
    analytics_aggregate()
    assert views(entry) == {usage.today(): 6}


def test_votes_are_counted_on_their_days_and_follow_changes():
    entry = builders.entry()
    changing = builders.vote(entry, worked=True, voter="a", ago=dt.timedelta(days=2))
    builders.vote(entry, worked=False, voter="b", ago=dt.timedelta(days=2))
    analytics_aggregate()
    row = UsageMetric.objects.get()
    assert (row.worked, row.failed) == (1, 1)
    Feedback.objects.filter(pk=changing.pk).update(worked=False)
    analytics_aggregate()
    row.refresh_from_db()
    assert (row.worked, row.failed) == (0, 2)
    Feedback.objects.all().delete()
    analytics_aggregate()
    row.refresh_from_db()
    assert (row.worked, row.failed) == (0, 0)


def test_a_row_for_votes_hides_no_views():
    entry = builders.entry()
    view(entry, 4, timezone.now() - dt.timedelta(days=3))
    analytics_aggregate()
    builders.vote(entry, worked=True, voter="a", ago=dt.timedelta(minutes=1))
    analytics_aggregate()
    view(entry, 1)
    analytics_aggregate()
    assert sum(views(entry).values()) == 5


def test_more_entries_than_a_batch_are_counted(monkeypatch):
    monkeypatch.setattr(usage, "BATCH_ENTRIES", 3)
    for number in range(10):
        builders.entry(title=f"Entry {number}", usage_count=number, last_used_at=timezone.now())
    assert analytics_aggregate()["entries_counted"] == 9
    assert sum(UsageMetric.objects.values_list("views", flat=True)) == 45


def test_a_merged_entry_gives_its_days_to_the_kept_one_and_no_view_counts_twice():
    kept, duplicate = builders.entry(), builders.entry(title="The same again")
    yesterday = timezone.now() - dt.timedelta(days=1)
    view(duplicate, 2, yesterday)
    analytics_aggregate()
    view(kept, 3)
    view(duplicate, 4)
    builders.vote(duplicate, worked=True, voter="user:1")
    analytics_aggregate()
    view(duplicate, 1)

    entry_merge(kept=kept, duplicate=duplicate, kept_version=1, duplicate_version=1, author=None)
    analytics_aggregate()

    kept.refresh_from_db()
    assert kept.usage_count == 10
    assert views(kept) == {yesterday.date(): 2, usage.today(): 8}
    assert sum(UsageMetric.objects.values_list("worked", flat=True)) == 1
    assert set(UsageMetric.objects.values_list("entry", flat=True)) == {kept.pk}
