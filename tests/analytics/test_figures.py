"""Figures, tables, charts and CSV."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
import random

import pytest
from django.utils import timezone

from knowledge.models import EntryStatus
from knowledge.phases.mvp2_analytics import charts, reports
from knowledge.phases.mvp2_analytics.csv_file import cell, csv_response
from knowledge.phases.mvp2_analytics.figures import DayRange, search_figures, search_time_percentiles
from knowledge.phases.mvp2_analytics.models import UsageMetric
from knowledge.phases.mvp2_analytics.patterns import query_ignore, query_unignore
from knowledge.phases.mvp2_analytics.usage import today
from tests.analytics import builders


def month() -> DayRange:
    return DayRange.ending(today(), 30)


@pytest.mark.parametrize("count", [1, 2, 3, 20, 99, 100, 101, 250])
def test_percentiles_equal_the_sorted_list(plugins, count):
    dice = random.Random(count)
    values = sorted(dice.choice([dice.uniform(0.1, 900), 5.0]) for _ in range(count))
    for value in dice.sample(values, count):
        builders.search(elapsed_ms=value)
    expected = {percent: values[math.ceil(percent * count / 100) - 1] for percent in (50, 90, 95, 99)}
    assert search_time_percentiles(month()) == expected


def test_without_searches_there_are_no_percentiles_and_no_rate(level_2):
    assert search_time_percentiles(month()) == {}
    assert search_figures(month()).answered_percent is None


def test_a_search_is_answered_by_a_result_or_an_opened_entry(plugins):
    entry = builders.entry()
    builders.search()
    builders.search(result_count=0)
    builders.search(result_count=0, opened_entry=entry)
    builders.search(opened_entry=entry)
    figures = search_figures(month())
    assert (figures.searches, figures.answered, figures.missed, figures.opened) == (4, 3, 1, 2)
    assert (figures.answered_percent, figures.opened_percent) == (75.0, 50.0)


def test_every_day_of_the_range_has_a_row(plugins):
    builders.search(ago=dt.timedelta(days=40))
    builders.search(created_at=timezone.now())
    rows = reports.searches_by_day(month())
    assert [row.day for row in rows] == month().days and len(rows) == 30
    assert [row.figures.searches for row in rows] == [0] * 29 + [1]


def test_top_queries_show_what_was_typed_last(plugins):
    builders.search("s0c7", searcher="user:1")
    builders.search("S0C7", searcher="user:2")
    builders.search("other")
    first, second = reports.top_queries(month())
    assert (first.query, first.figures.searches, first.searchers) == ("S0C7", 2, 2)
    assert second.query == "other"


def test_a_query_leaves_the_missed_ones_when_it_finds_something(plugins):
    builders.search("gone", result_count=0)
    builders.search("gone", result_count=1)
    builders.search("kaputt", result_count=1)
    builders.search("kaputt", result_count=0)
    assert [row.query for row in reports.missed_queries(month())] == ["kaputt"]
    query_ignore(normalized="kaputt", actor="ann")
    assert reports.missed_queries(month()) == []
    query_unignore(normalized="kaputt")
    assert len(reports.missed_queries(month())) == 1


def test_most_used_entries_include_views_of_the_last_minutes(plugins):
    now = timezone.now()
    first = builders.entry(title="First", usage_count=5, last_used_at=now)
    second = builders.entry(title="Second", usage_count=9, last_used_at=now)
    UsageMetric.objects.create(entry=first, day=today(), views=5, worked=3, failed=1, views_total=5)
    UsageMetric.objects.create(entry=second, day=today(), views=2, views_total=2)
    rows = reports.most_used_entries(month())
    assert [(row.entry.title, row.views, row.worked_percent) for row in rows] == [
        ("Second", 9, None),
        ("First", 5, 75.0),
    ]


def test_stale_entries_are_published_old_and_unused(level_2):
    old = timezone.now() - dt.timedelta(days=300)
    builders.entry(title="Never used", created_at=old)
    builders.entry(title="Used long ago", created_at=old, last_used_at=timezone.now() - dt.timedelta(days=200))
    builders.entry(title="Used lately", created_at=old, last_used_at=timezone.now())
    builders.entry(title="New")
    builders.entry(title="Draft", created_at=old, status=EntryStatus.DRAFT)
    assert [entry.title for entry in reports.stale_entries()] == ["Never used", "Used long ago"]


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 1), (1, 1), (3, 4), (7, 10), (12, 20), (50, 50), (51, 100), (4_001, 5_000)]
)
def test_an_axis_ends_at_a_round_number(highest, top):
    assert charts.axis_top(highest) == top


def test_bars_stand_upon_each_other_and_stay_inside():
    chart = charts.stacked_bars(["a", "b"], [charts.Series("ok", "good", [3, 0]), charts.Series("fail", "bad", [1, 2])])
    assert chart.view_box == "0 0 20 100" and chart.top == "4"
    assert [(bar.kind, bar.y, bar.height) for bar in chart.bars] == [
        ("ok", "25", "75"),
        ("fail", "0", "25"),
        ("fail", "50", "50"),
    ]
    assert chart.bars[0].title == "a · good: 3"


def test_a_line_breaks_at_days_without_a_value():
    chart = charts.lines(list("abcd"), [charts.Series("main", "rate", [100, 50, None, 0])], top=100)
    assert chart.lines[0].stretches == ["5,0 15,50"]
    assert chart.lines[0].dots == [("35", "100")]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+1", "@x", "\t=1", "\r=1", " =1", "\n=1"])
def test_a_cell_is_never_a_formula(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(("value", "expected"), [(-3, -3), (2.5, 2.5), (None, ""), ("S0C7", "S0C7")])
def test_other_cells_stay_as_they_are(value, expected):
    assert cell(value) == expected


@pytest.mark.parametrize("name", reports.TABLES)
def test_every_table_has_a_csv_with_its_columns(plugins, name):
    builders.search('=cmd("x")', result_count=0)
    builders.entry(title="=A1", created_at=timezone.now() - dt.timedelta(days=300))
    builders.entry(title="Used", usage_count=1, last_used_at=timezone.now())
    builders.vote(builders.entry(title="Voted"), worked=True, voter="a")
    table = reports.TABLES[name](month())
    response = csv_response(table, "x.csv")
    rows = list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert rows[0] == [column.name for column in table.columns]
    assert len(rows) == len(table.rows) + 1 > 1
    assert not any(value.startswith(("=", "@")) for row in rows for value in row)
