"""The rows of search_analytics."""

from __future__ import annotations

import datetime as dt
import logging
import re

import pytest
from django.db import IntegrityError, transaction

from knowledge.models import Entry, Plugin, SearchQuery
from knowledge.phases.mvp2_analytics.models import SearchAnalytics
from knowledge.phases.mvp2_analytics.plugins import ANALYTICS, PATTERNS
from knowledge.phases.mvp2_analytics.searches import analytics_row, searches_missing, searches_sweep
from knowledge.phases.mvp2_analytics.tasks import analytics_aggregate
from knowledge.plugins import plugin_disable, plugin_enable
from knowledge.searches import search_opened
from tests.analytics import builders


def test_a_search_gets_its_row_in_its_own_transaction(plugins):
    with transaction.atomic():
        builders.search()
        assert SearchAnalytics.objects.count() == 1
        transaction.set_rollback(True)
    assert SearchAnalytics.objects.count() == SearchQuery.objects.count() == 0


def test_the_row_says_what_the_search_says(plugins):
    entry = builders.entry()
    search = builders.search(
        "S0C7 today", created_at=dt.datetime(2026, 3, 1, 23, 59, tzinfo=dt.UTC), opened_entry=entry, elapsed_ms=7.5
    )
    row = SearchAnalytics.objects.get(pk=search.pk)
    assert (row.day, row.hour) == (dt.date(2026, 3, 1), 23)
    assert (row.normalized, row.result_count, row.elapsed_ms) == ("s0c7 today", 2, 7.5)
    assert row.had_results and row.opened


def test_a_searcher_is_not_named(plugins):
    row = SearchAnalytics.objects.get(pk=builders.search(searcher="user:17").pk)
    assert re.fullmatch("[0-9a-f]{32}", row.searcher)
    assert SearchAnalytics.objects.get(pk=builders.search(searcher="user:18").pk).searcher != row.searcher
    assert SearchAnalytics.objects.get(pk=builders.search(searcher="user:17").pk).searcher == row.searcher
    assert SearchAnalytics.objects.get(pk=builders.search(searcher="").pk).searcher == ""


def test_a_search_saved_again_refreshes_its_row(plugins):
    search = builders.search(result_count=0)
    search.opened_entry = builders.entry()
    search.result_count = 3
    search.save()
    row = SearchAnalytics.objects.get()
    assert row.opened and row.had_results and row.result_count == 3


def test_a_search_that_led_to_an_entry_says_so_at_once(plugins):
    search = builders.search(searcher="user:1")
    assert search_opened(search_id=search.pk, entry=builders.entry(), searcher="user:1")
    assert SearchAnalytics.objects.get().opened


def test_a_search_typed_on_over_midnight_moves_to_its_new_day(plugins):
    search = builders.search(created_at=dt.datetime(2026, 3, 1, 23, 59, 50, tzinfo=dt.UTC))
    search.created_at += dt.timedelta(seconds=20)
    search.save()
    row = SearchAnalytics.objects.get()
    assert (row.day, row.hour) == (dt.date(2026, 3, 2), 0)


def test_a_closed_phase_costs_a_search_one_query_and_no_row(level_2, django_assert_num_queries):
    with django_assert_num_queries(2):
        builders.search()
    assert not SearchAnalytics.objects.exists()


def test_a_search_survives_a_missing_table(plugins, monkeypatch, caplog):
    monkeypatch.setattr(SearchAnalytics._meta, "db_table", "search_analytics_gone")
    with caplog.at_level(logging.WARNING), transaction.atomic():
        builders.search()
        builders.search()
    assert SearchQuery.objects.count() == 2
    assert "next aggregation" in caplog.text


def test_the_aggregation_adds_what_was_missed(plugins):
    builders.searches(1_203)
    metrics = analytics_aggregate()
    assert metrics["searches_added"] == 1_203
    assert not searches_missing().exists()
    assert analytics_aggregate()["searches_added"] == 0


def test_the_aggregation_notices_a_result_opened_by_an_update(plugins):
    entry = builders.entry()
    search = builders.search()
    SearchQuery.objects.filter(pk=search.pk).update(opened_entry=entry)
    assert analytics_aggregate()["searches_refreshed"] == 1
    assert SearchAnalytics.objects.get().opened
    assert analytics_aggregate()["searches_refreshed"] == 0


def test_a_sweep_leaves_existing_rows_alone(plugins):
    builders.search()
    SearchAnalytics.objects.update(hour=3)
    builders.searches(2)
    assert searches_sweep() == 2
    assert SearchAnalytics.objects.filter(hour=3).exists()


def test_deleting_an_entry_or_a_search_takes_its_rows_along(plugins):
    search = builders.search(opened_entry=builders.entry())
    analytics_aggregate()
    Entry.objects.all().delete()
    assert SearchAnalytics.objects.exists()
    search.refresh_from_db()
    search.delete()
    assert not SearchAnalytics.objects.exists()


def test_a_disabled_plugin_stops_rows_and_enabling_it_catches_up(plugins):
    plugin_disable(name=PATTERNS)
    plugin_disable(name=ANALYTICS)
    builders.search()
    assert analytics_aggregate() is None
    assert not SearchAnalytics.objects.exists()
    plugin_enable(name=ANALYTICS)
    assert analytics_aggregate()["searches_added"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"hour": 24},
        {"elapsed_ms": -1.0},
        {"had_results": False, "result_count": 2},
        {"had_results": True, "result_count": 0},
    ],
)
def test_the_database_refuses_impossible_rows(level_2, wrong):
    row = analytics_row(builders.search())
    for name, value in wrong.items():
        setattr(row, name, value)
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_a_task_that_runs_before_the_level_is_open_does_nothing(plugins):
    from migrations_ops.gate import site_level_set

    site_level_set(1)
    builders.searches(1)
    assert analytics_aggregate() is None
    assert Plugin.objects.get(name=ANALYTICS).run_count == 0
