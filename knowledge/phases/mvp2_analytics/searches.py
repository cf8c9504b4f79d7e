"""Rows of search_analytics: made from the search history, and kept in step with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db.models import F, Q, QuerySet
from django.utils.crypto import salted_hmac

from knowledge.codes import code_normalize, codes_find
from knowledge.models import SearchQuery
from knowledge.phases.mvp2_analytics.models import SearchAnalytics

BATCH_ROWS = 500

#: How far back the hourly task looks for searches that changed after their row was made
#: (a result opened later, a query typed on).
RESYNC_WINDOW = dt.timedelta(days=2)

#: Columns that follow the search when it changes.
FOLLOWING = ("day", "hour", "normalized", "result_count", "elapsed_ms", "had_results", "opened", "codes")


def analytics_row(search: SearchQuery) -> SearchAnalytics:
    """The unsaved row of a search."""
    at = search.created_at.astimezone(dt.UTC)
    return SearchAnalytics(
        search_id=search.pk,
        normalized=search.normalized,
        day=at.date(),
        hour=at.hour,
        result_count=search.result_count,
        elapsed_ms=max(search.elapsed_ms, 0.0),
        had_results=search.result_count > 0,
        opened=search.opened_entry_id is not None,
        searcher=searcher_hash(search.searcher),
        codes=query_codes(search.query),
    )


def searcher_hash(searcher: str) -> str:
    """A name for a searcher that says nothing about the person; empty for an unknown one."""
    return salted_hmac("analytics.searcher", searcher, algorithm="sha256").hexdigest()[:32] if searcher else ""


def query_codes(query: str) -> list[str]:
    """Canonical codes in a query, in the order typed, each once."""
    found = [match.code for match in codes_find(query)]
    whole = code_normalize(query)
    return list(dict.fromkeys([*found, *([whole.code] if whole else [])]))


def searches_add(searches: Iterable[SearchQuery]) -> None:
    """Insert the rows of these searches; one that has its row already is left alone."""
    SearchAnalytics.objects.bulk_create([analytics_row(search) for search in searches], ignore_conflicts=True)


def searches_after(pk: int) -> list[SearchQuery]:
    """The next batch of the search history, in the order of the key, held until the transaction ends.

    Held, so that a search that changes right now changes before it is read or after its row is made.
    """
    searches = SearchQuery.objects.select_for_update(no_key=True).filter(pk__gt=pk)
    return list(searches.order_by("pk")[:BATCH_ROWS])


def searches_missing() -> QuerySet[SearchQuery]:
    """Searches without their row, oldest key first."""
    return SearchQuery.objects.filter(analytics__isnull=True).order_by("pk")


def searches_sweep() -> int:
    """Add one batch of missing rows; how many searches it held, 0 when none is missing."""
    missing = list(searches_missing()[:BATCH_ROWS])
    searches_add(missing)
    return len(missing)


def searches_sync(searches: Iterable[SearchQuery]) -> None:
    """Make the rows of these searches, or bring them up to date."""
    SearchAnalytics.objects.bulk_create(
        [analytics_row(search) for search in searches],
        update_conflicts=True,
        unique_fields=["search"],
        update_fields=list(FOLLOWING),
    )


def search_mark_opened(search_id: int) -> None:
    """Note that the search led to an entry; nothing happens while it has no row."""
    SearchAnalytics.objects.filter(pk=search_id).update(opened=True)


def searches_changed(since: dt.datetime) -> QuerySet[SearchQuery]:
    """Searches made since then whose row says something else than they do."""
    opened = Q(opened_entry__isnull=False)
    same = Q(
        analytics__normalized=F("normalized"),
        analytics__result_count=F("result_count"),
    ) & (Q(opened, analytics__opened=True) | Q(~opened, analytics__opened=False))
    return SearchQuery.objects.filter(created_at__gte=since, analytics__isnull=False).exclude(same).order_by("pk")


def searches_resync(since: dt.datetime, after: int = 0) -> int | None:
    """Refresh one batch of changed searches with keys above `after`; the last key, None at the end."""
    held = searches_changed(since).select_for_update(no_key=True, of=("self",))
    changed = list(held.filter(pk__gt=after)[:BATCH_ROWS])
    searches_sync(changed)
    return changed[-1].pk if changed else None
