"""Risks of a move that only the knowledge base can measure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Avg, Count
from django.utils import timezone

from knowledge.models import Feedback, SearchQuery
from migrations_ops.risk import Risk, RiskLevel

#: Searches that are looked at for their time.
RECENT = timedelta(days=7)
SLOW_MS = 1_000
BUSY = timedelta(minutes=5)
#: Searches and votes in five minutes from which on many people are at work.
BUSY_WRITES = 300


def search_time_risk() -> Iterator[Risk]:
    """A search that is slow already becomes slower while a run writes."""
    recent = SearchQuery.objects.filter(created_at__gte=timezone.now() - RECENT)
    measured = recent.aggregate(mean=Avg("elapsed_ms"), count=Count("pk"))
    mean = measured["mean"] or 0.0
    yield Risk(
        type="slow_search",
        level=RiskLevel.MEDIUM if mean > SLOW_MS else RiskLevel.NONE,
        description="A mean search time over one second becomes longer while a run writes.",
        mitigation="Start in a quiet hour; make the search index again with `manage.py kb index rebuild`.",
        fact=f"{mean:.0f} ms on average over {measured['count']} searches of the last 7 days.",
    )


def writers_risk() -> Iterator[Risk]:
    """Many writers make each batch wait a little for its turn."""
    since = timezone.now() - BUSY
    writes = SearchQuery.objects.filter(created_at__gte=since).count()
    writes += Feedback.objects.filter(created_at__gte=since).count()
    yield Risk(
        type="active_writers",
        level=RiskLevel.LOW if writes >= BUSY_WRITES else RiskLevel.NONE,
        description="While many people search and vote, each batch of a run waits for its turn, and they for it.",
        mitigation="Start in a quiet hour.",
        fact=f"{writes} searches and votes in the last 5 minutes.",
    )
