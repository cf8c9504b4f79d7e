"""The search history: one row for each search that a person made, however many keys it took."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from knowledge.errors import RateLimitedError
from knowledge.models import Entry, SearchQuery
from knowledge.rates import rate_take
from knowledge.search import SearchResults
from knowledge.text import text_line

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Sent with `search_id`, in the transaction, when a search led to an entry; the guarded UPDATE sends no post_save.
search_led_on = Signal()

#: Searches of one person that extend one another within this time are one search being typed.
TYPING_TIME = timedelta(seconds=30)
QUERY_CHARS = 500


def search_record(
    *, results: SearchResults, searcher: str, user: User | None = None, address: str = "", at: datetime | None = None
) -> SearchQuery | None:
    """The row of this search: a new one, or the one that the same person began typing a moment ago.

    None for an empty search, which is only filters or nothing, and for one too many of this searcher, or of this
    address, in a minute: a program that fills the history, which is answered all the same.
    """
    query = text_line(results.text)[:QUERY_CHARS]
    if not query:
        return None
    now = at or timezone.now()
    with transaction.atomic():
        row = _typed_just_now(searcher, query, now)
        if row is None:
            if not _kept(searcher, address, now):
                return None
            row = SearchQuery(searcher=searcher, user=user)
        row.query = query
        row.normalized = results.normalized
        row.filters = results.filters.as_dict()
        row.result_count = results.total
        row.elapsed_ms = results.elapsed_ms
        row.created_at = now
        row.save()
    return row


def search_opened(*, search_id: int, entry: Entry, searcher: str) -> bool:
    """Note which entry a searcher opened from their search, the first one; False when it is not theirs."""
    rows = SearchQuery.objects.filter(pk=search_id, searcher=searcher, opened_entry=None)
    with transaction.atomic():
        opened = bool(rows.update(opened_entry=entry.pk))
        if opened:
            search_led_on.send(sender=SearchQuery, search_id=search_id)
    return opened


def _kept(searcher: str, address: str, now: datetime) -> bool:
    """Whether there is room for another search of a searcher, and of an address, in this minute."""
    limits = {f"searches {searcher}": settings.SEARCHES_KEPT_PER_MINUTE}
    if address:
        limits[f"searches from {address}"] = settings.SEARCHES_KEPT_PER_ADDRESS
    try:
        for key, limit in limits.items():
            rate_take(key=key, limit=limit, at=now)
    except RateLimitedError:
        return False
    return True


def _typed_just_now(searcher: str, query: str, now: datetime) -> SearchQuery | None:
    """The searcher's last search when this one goes on typing it (or takes letters back)."""
    last = (
        SearchQuery.objects.select_for_update()
        .filter(searcher=searcher, created_at__gte=now - TYPING_TIME, opened_entry=None)
        .order_by("-created_at", "-pk")
        .first()
        if searcher
        else None
    )
    if last is None:
        return None
    typed, before = query.casefold(), last.query.casefold()
    return last if typed.startswith(before) or before.startswith(typed) else None
