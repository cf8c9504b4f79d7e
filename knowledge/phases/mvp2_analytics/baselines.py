"""What was usual when analytics opened."""

from __future__ import annotations

import datetime as dt

from django.db.models import Q
from django.utils import timezone

from knowledge.models import Feedback
from knowledge.phases.mvp2_analytics.figures import DayRange, search_figures, search_time_percentiles, share
from knowledge.phases.mvp2_analytics.models import Baseline

WINDOW_DAYS = 30

#: Every baseline and its unit; each exists once analytics is open, 0 where nothing was measured.
METRICS = ("searches_per_day", "answered_percent", "opened_percent", "search_ms_p50", "search_ms_p95", "worked_percent")


def baselines_compute(last: dt.date) -> dict[str, float]:
    """The value of every metric over the window that ends with `last`."""
    days = DayRange.ending(last, WINDOW_DAYS)
    figures = search_figures(days)
    times = search_time_percentiles(days)
    votes = Feedback.objects.filter(created_at__gte=dt.datetime.combine(days.first, dt.time.min, dt.UTC))
    values = {
        "searches_per_day": round(figures.searches / WINDOW_DAYS, 2),
        "answered_percent": figures.answered_percent,
        "opened_percent": figures.opened_percent,
        "search_ms_p50": times.get(50),
        "search_ms_p95": times.get(95),
        "worked_percent": share(votes.filter(Q(worked=True)).count(), votes.count()),
    }
    return {metric: float(values[metric] or 0) for metric in METRICS}


def baselines_set(last: dt.date) -> int:
    """Compute every baseline and store it over an older one; how many there are."""
    now = timezone.now()
    rows = [
        Baseline(metric=metric, value=value, window_days=WINDOW_DAYS, computed_at=now)
        for metric, value in baselines_compute(last).items()
    ]
    Baseline.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["metric"],
        update_fields=["value", "window_days", "computed_at"],
    )
    return len(rows)
