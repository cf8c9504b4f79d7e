"""Rows of usage_metrics: views from the entries' counters, outcomes from the feedback.

MVP1 counts views without their day. So each row keeps the counter it has accounted for, and what
the counter gained since goes to the day (UTC) on which the entry was last used.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Sequence

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from knowledge.models import Entry, Feedback
from knowledge.phases.mvp2_analytics.models import UsageMetric

BATCH_ENTRIES = 500

#: Votes change for a while after they are given; the hourly task counts these days again.
RECOUNT_WINDOW = dt.timedelta(days=7)


def today() -> dt.date:
    """The current day, in UTC."""
    return timezone.now().astimezone(dt.UTC).date()


def entries_uncounted() -> QuerySet[Entry]:
    """Entries whose view counter differs from what their newest row accounts for, by key.

    Each has `counted`, the accounted part. A counter that went down (a restored checkpoint) differs too.
    """
    newest = UsageMetric.objects.filter(entry=OuterRef("pk")).order_by("-day").values("views_total")[:1]
    return (
        Entry.objects.annotate(counted=Coalesce(Subquery(newest), 0))
        .exclude(usage_count=F("counted"))
        .only("pk", "usage_count", "last_used_at")
        .order_by("pk")
    )


def entries_after(pk: uuid.UUID | None, entries: QuerySet[Entry]) -> list[Entry]:
    """The next batch of these entries."""
    return list((entries.filter(pk__gt=pk) if pk else entries)[:BATCH_ENTRIES])


def views_baseline(entries: Iterable[Entry], day: dt.date) -> None:
    """Account for all views so far without giving them to a day."""
    rows = [UsageMetric(entry_id=entry.pk, day=day, views_total=entry.usage_count) for entry in entries]
    _upsert(rows, ["views_total"])


def views_add(entries: Sequence[Entry]) -> None:
    """Give what the counters of these entries (from `entries_uncounted`) gained to the day of last use."""
    newest = dict(
        UsageMetric.objects.filter(entry__in=entries).order_by("day").values_list("entry_id", "day")
    )  # later days overwrite earlier ones
    keys = {entry.pk: max(_day_of_use(entry), newest.get(entry.pk, dt.date.min)) for entry in entries}
    found = UsageMetric.objects.filter(entry__in=entries, day__in=set(keys.values()))
    views = {(row.entry_id, row.day): row.views for row in found}
    rows = [
        UsageMetric(
            entry_id=entry.pk,
            day=keys[entry.pk],
            views=views.get((entry.pk, keys[entry.pk]), 0) + views_gained(entry),
            views_total=entry.usage_count,
        )
        for entry in entries
    ]
    _upsert(rows, ["views", "views_total"])


def views_gained(entry: Entry) -> int:
    """Views of an entry (from `entries_uncounted`) that no row accounts for yet."""
    return max(entry.usage_count - int(entry.counted), 0)  # type: ignore[attr-defined]


def _day_of_use(entry: Entry) -> dt.date:
    return min(entry.last_used_at.astimezone(dt.UTC).date(), today()) if entry.last_used_at else today()


def outcomes_by_day(since: dt.date) -> dict[tuple[uuid.UUID, dt.date], tuple[int, int]]:
    """(worked, did not work) of each entry and day with votes since then, from the feedback."""
    start = dt.datetime.combine(since, dt.time.min, dt.UTC)
    rows = (
        Feedback.objects.filter(created_at__gte=start)
        .annotate(day=TruncDate("created_at", tzinfo=dt.UTC))
        .order_by("entry_id", "day")
        .values_list("entry_id", "day")
        .annotate(good=Count("pk", filter=Q(worked=True)), bad=Count("pk", filter=Q(worked=False)))
    )
    return {(entry, day): (good, bad) for entry, day, good, bad in rows}


def outcomes_set(since: dt.date) -> Iterator[int]:
    """Write the votes of every day since then, a batch for each step of the iterator, which gives its rows.

    A day whose votes are gone goes back to none. Doing it twice changes nothing.
    """
    counts = outcomes_by_day(since)
    stale = UsageMetric.objects.filter(day__gte=since).exclude(worked=0, failed=0)
    for key in stale.values_list("entry_id", "day"):
        counts.setdefault(key, (0, 0))
    keys = sorted(counts)
    for start in range(0, len(keys), BATCH_ENTRIES):
        batch = keys[start : start + BATCH_ENTRIES]
        _outcomes_write({key: counts[key] for key in batch})
        yield len(batch)


def _outcomes_write(counts: dict[tuple[uuid.UUID, dt.date], tuple[int, int]]) -> None:
    totals = _views_totals({entry for entry, _ in counts})
    rows = [
        UsageMetric(entry_id=entry, day=day, worked=good, failed=bad, views_total=_total_on(totals.get(entry, []), day))
        for (entry, day), (good, bad) in counts.items()
    ]
    _upsert(rows, ["worked", "failed"])


def _views_totals(entries: set[uuid.UUID]) -> dict[uuid.UUID, list[tuple[dt.date, int]]]:
    totals: dict[uuid.UUID, list[tuple[dt.date, int]]] = {}
    for entry, day, total in (
        UsageMetric.objects.filter(entry__in=entries).order_by("day").values_list("entry_id", "day", "views_total")
    ):
        totals.setdefault(entry, []).append((day, total))
    return totals


def _total_on(totals: list[tuple[dt.date, int]], day: dt.date) -> int:
    """The counter accounted for at `day`: a new row must not hide the views of an older one."""
    return next((total for known, total in reversed(totals) if known <= day), 0)


def usage_merge(*, kept_id: uuid.UUID, duplicate_id: uuid.UUID) -> None:
    """Add the days of an entry to those of the one that it becomes part of.

    The accounted part of both counters is added too, since the kept entry's counter takes over the other's.
    """
    totals = _views_totals({kept_id, duplicate_id})
    rows: dict[dt.date, UsageMetric] = {}
    for found in UsageMetric.objects.filter(entry__in=[kept_id, duplicate_id]):
        row = rows.setdefault(found.day, UsageMetric(entry_id=kept_id, day=found.day))
        row.views += found.views
        row.worked += found.worked
        row.failed += found.failed
    for day, row in rows.items():
        row.views_total = sum(_total_on(listed, day) for listed in totals.values())
    _upsert(list(rows.values()), ["views", "worked", "failed", "views_total"])


def _upsert(rows: Sequence[UsageMetric], columns: list[str]) -> None:
    UsageMetric.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["entry", "day"], update_fields=columns, batch_size=BATCH_ENTRIES
    )
