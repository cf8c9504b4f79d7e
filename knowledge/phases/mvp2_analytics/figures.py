"""Figures over a range of days, the same on every database."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from knowledge.phases.mvp2_analytics.models import SearchAnalytics

PERCENTS = (50, 90, 95, 99)


@dataclass(frozen=True)
class DayRange:
    """Days in UTC, both included."""

    first: dt.date
    last: dt.date

    @classmethod
    def ending(cls, last: dt.date, days: int) -> DayRange:
        """The `days` days up to `last`."""
        return cls(last - dt.timedelta(days=days - 1), last)

    @property
    def days(self) -> list[dt.date]:
        """Every day, oldest first."""
        return [self.first + dt.timedelta(days=number) for number in range((self.last - self.first).days + 1)]

    def searches(self) -> QuerySet[SearchAnalytics]:
        """The rows of search_analytics in the range."""
        return SearchAnalytics.objects.filter(day__range=(self.first, self.last))


@dataclass(frozen=True)
class SearchFigures:
    """Counts of searches. A search is answered if it found something or led to an entry."""

    searches: int = 0
    answered: int = 0
    opened: int = 0

    @property
    def missed(self) -> int:
        """Searches that were not answered."""
        return self.searches - self.answered

    @property
    def answered_percent(self) -> float | None:
        """Success rate; None without searches."""
        return share(self.answered, self.searches)

    @property
    def opened_percent(self) -> float | None:
        """Share of searches after which a result was opened; None without searches."""
        return share(self.opened, self.searches)


ANSWERED = Q(had_results=True) | Q(opened=True)

SEARCH_COUNTS = {
    "searches": Count("pk"),
    "answered": Count("pk", filter=ANSWERED),
    # Not "opened": later conditions on that column would mean this count.
    "led_on": Count("pk", filter=Q(opened=True)),
}


def share(part: int, whole: int) -> float | None:
    """Percent with one decimal; None of nothing."""
    return round(100 * part / whole, 1) if whole else None


def search_figures(days: DayRange) -> SearchFigures:
    """The counts of the whole range."""
    return counted_figures(days.searches().aggregate(**SEARCH_COUNTS))


def counted_figures(counts: Mapping[str, int]) -> SearchFigures:
    """The figures in a row with SEARCH_COUNTS."""
    return SearchFigures(counts["searches"], counts["answered"], counts["led_on"])


def figures_sum(figures: Iterable[SearchFigures]) -> SearchFigures:
    """The counts of several stretches of time together."""
    parts = [(one.searches, one.answered, one.opened) for one in figures]
    return SearchFigures(*(sum(column) for column in zip(*parts, strict=True)))


def percentile_ranks(count: int) -> dict[int, int]:
    """Place (from 1) of each percentile among `count` sorted values, by the nearest-rank method."""
    return {percent: max(1, math.ceil(percent * count / 100)) for percent in PERCENTS}


def search_time_percentiles(days: DayRange) -> dict[int, float]:
    """Search time in ms at each of PERCENTS; empty without searches.

    Nearest rank: a value that was measured, never one between two. The database sorts once and
    hands out four rows.
    """
    rows = days.searches()
    places = percentile_ranks(rows.count())
    placed = rows.annotate(place=Window(RowNumber(), order_by=[F("elapsed_ms").asc(), F("pk").asc()]))
    values = dict(placed.filter(place__in=set(places.values())).values_list("place", "elapsed_ms"))
    return {percent: values[place] for percent, place in places.items() if place in values}
