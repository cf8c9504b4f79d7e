"""What the dashboard shows, ready for the template."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from knowledge.models import ErrorCode, Plugin
from knowledge.phases.mvp2_analytics import charts, reports
from knowledge.phases.mvp2_analytics.figures import (
    DayRange,
    SearchFigures,
    figures_sum,
    search_time_percentiles,
    share,
)
from knowledge.phases.mvp2_analytics.models import Baseline, IgnoredQuery, UsagePattern
from knowledge.phases.mvp2_analytics.patterns import patterns_waiting
from knowledge.phases.mvp2_analytics.plugins import ANALYTICS, PATTERNS
from knowledge.phases.mvp2_analytics.searches import query_codes
from knowledge.search import entry_search

RANGES = (7, 30, 90)
DEFAULT_RANGE = 30


@dataclass(frozen=True)
class Stat:
    """One key figure."""

    label: str
    value: str
    unit: str
    #: What was usual when analytics opened, or what the figure means.
    hint: str
    kind: str = ""


@dataclass(frozen=True)
class TimeRow:
    """One percentile of the search time, now and in the range before."""

    percent: int
    now: str
    before: str
    #: Of the slowest percentile shown, for a bar.
    percent_of_top: int


def range_days(text: str | None) -> int:
    """The number of days asked for; the default for anything that is not offered."""
    return next((days for days in RANGES if str(days) == text), DEFAULT_RANGE)


def dashboard_context(days: DayRange) -> dict[str, Any]:
    """Everything on the page."""
    by_day = reports.searches_by_day(days)
    outcomes = reports.outcomes_by_day(days)
    figures = figures_sum(row.figures for row in by_day)
    times = search_time_percentiles(days)
    votes = (sum(row.worked for row in outcomes), sum(row.failed for row in outcomes))
    return {
        "days": days,
        "figures": figures,
        "stats": _stats(days, figures, times, votes),
        "searches_chart": _searches_chart(by_day),
        "searches_table": reports.day_rows_table(by_day),
        "success_chart": _success_chart(by_day),
        "top_queries": reports.top_queries(days),
        "missed_queries": missed_queries(days),
        "ignored": list(IgnoredQuery.objects.order_by("-ignored_at")[:50]),
        "most_used": reports.most_used_entries(days),
        "stale": list(reports.stale_entries()[: reports.PAGE_ROWS]),
        "stale_count": reports.stale_entries().count(),
        "stale_before": reports.stale_before(),
        "times": _time_rows(times, days),
        "votes": votes,
        "votes_chart": _votes_chart(outcomes),
        "votes_table": reports.outcome_rows_table(outcomes),
        "patterns": list(UsagePattern.objects.filter(patterns_waiting()).order_by("-last_seen")[:5]),
        "patterns_count": UsagePattern.objects.filter(patterns_waiting()).count(),
        "disabled_plugins": _disabled(),
    }


def _disabled() -> list[Plugin]:
    return list(Plugin.objects.filter(name__in=(ANALYTICS, PATTERNS), enabled=False))


def _stats(days: DayRange, figures: SearchFigures, times: dict[int, float], votes: tuple[int, int]) -> list[Stat]:
    usual = dict(Baseline.objects.values_list("metric", "value"))
    per_day = round(figures.searches / len(days.days), 1)
    worked = share(votes[0], sum(votes))
    return [
        Stat(
            _("Searches"), f"{figures.searches:,}", "", _usual(_("{value} a day"), per_day, usual, "searches_per_day")
        ),
        _percent_stat(_("Success rate"), figures.answered_percent, usual, "answered_percent"),
        _percent_stat(_("Result opened"), figures.opened_percent, usual, "opened_percent"),
        Stat(
            _("95 of 100 searches within"),
            _milliseconds(times.get(95)),
            "ms" if times else "",
            _usual("", None, usual, "search_ms_p95"),
        ),
        _percent_stat(_("Votes: it worked"), worked, usual, "worked_percent"),
    ]


def _percent_stat(label: str, value: float | None, usual: dict[str, float], metric: str) -> Stat:
    kind = ""
    if value is not None and usual.get(metric):
        kind = "warn" if value < usual[metric] - 10 else ""
    text, unit = ("–", "") if value is None else (f"{value:g}", "%")
    return Stat(label, text, unit, _usual("", None, usual, metric), kind)


def _usual(template: str, value: float | None, usual: dict[str, float], metric: str) -> str:
    now = template.format(value=f"{value:g}") if value is not None else ""
    before = _("usual: {value}").format(value=f"{round(usual[metric], 1):g}") if usual.get(metric) else ""
    return " · ".join(filter(None, (now, before)))


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _label(day: dt.date) -> str:
    return date_format(day, "j M")


def _searches_chart(rows: list[reports.DayRow]) -> charts.Chart:
    return charts.stacked_bars(
        [_label(row.day) for row in rows],
        [
            charts.Series("ok", _("answered"), [row.figures.answered for row in rows]),
            charts.Series("fail", _("not answered"), [row.figures.missed for row in rows]),
        ],
    )


def _success_chart(rows: list[reports.DayRow]) -> charts.Chart:
    return charts.lines(
        [_label(row.day) for row in rows],
        [
            charts.Series("main", _("answered"), [row.figures.answered_percent for row in rows]),
            charts.Series("alt", _("opened"), [row.figures.opened_percent for row in rows]),
        ],
        top=100,
    )


def _votes_chart(rows: list[reports.OutcomeRow]) -> charts.Chart:
    return charts.stacked_bars(
        [_label(row.day) for row in rows],
        [
            charts.Series("ok", _("worked"), [row.worked for row in rows]),
            charts.Series("fail", _("did not work"), [row.failed for row in rows]),
        ],
    )


def _time_rows(times: dict[int, float], days: DayRange) -> list[TimeRow]:
    earlier = DayRange.ending(days.first - dt.timedelta(days=1), len(days.days))
    before = search_time_percentiles(earlier)
    top = max(times.values(), default=0) or 1
    return [
        TimeRow(percent, _milliseconds(ms), _milliseconds(before.get(percent)), round(100 * ms / top))
        for percent, ms in times.items()
    ]


@dataclass(frozen=True)
class MissedQuery:
    """A query without a result, with what could be done about it."""

    row: reports.QueryRow
    #: A code in the query that the knowledge base knows, offered for the alias.
    code: str
    #: Entries that the query would find now; more than 0 once somebody has seen to it.
    finds_now: int


def missed_queries(days: DayRange) -> list[MissedQuery]:
    """The queries without a result that the page shows; each is tried again, which takes milliseconds."""
    rows = reports.missed_queries(days)
    codes = {row.normalized: query_codes(row.query) for row in rows}
    typed = [code for found in codes.values() for code in found]
    known = set(ErrorCode.objects.filter(code__in=typed).values_list("code", flat=True))
    return [
        MissedQuery(
            row,
            next((code for code in codes[row.normalized] if code in known), ""),
            entry_search(row.query, page_size=1).total,
        )
        for row in rows
    ]
