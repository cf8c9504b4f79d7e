"""Valid searches, entries and votes, by keywords."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import timezone

from knowledge.models import Entry, EntryStatus, Feedback, SearchQuery


def entry(**values: Any) -> Entry:
    """A published entry."""
    given = {
        "title": "S0C7 in a report step",
        "problem": "The step ends with S0C7.",
        "solution": "Look at the packed fields.",
        "category": "Batch",
        "status": EntryStatus.PUBLISHED,
        **values,
    }
    return Entry.objects.create(**given)


def search(query: str = "s0c7 abend", *, ago: dt.timedelta = dt.timedelta(hours=2), **values: Any) -> SearchQuery:
    """A search made some time ago that found two entries."""
    given = {
        "query": query,
        "normalized": query.lower(),
        "result_count": 2,
        "elapsed_ms": 4.0,
        "searcher": "user:1",
        "created_at": timezone.now() - ago,
        **values,
    }
    return SearchQuery.objects.create(**given)


def searches(count: int, query: str = "s0c7 abend", **values: Any) -> list[SearchQuery]:
    """As many searches, an hour apart, made past the signals."""
    now = timezone.now()
    given = {"result_count": 2, "elapsed_ms": 4.0, "searcher": "user:1", "normalized": query.lower(), **values}
    rows = [
        SearchQuery(query=query, created_at=now - dt.timedelta(hours=number + 1), **given) for number in range(count)
    ]
    return SearchQuery.objects.bulk_create(rows)


def vote(target: Entry, *, worked: bool, voter: str, ago: dt.timedelta = dt.timedelta(hours=1)) -> Feedback:
    """A vote on an entry."""
    return Feedback.objects.create(entry=target, worked=worked, voter=voter, created_at=timezone.now() - ago)
