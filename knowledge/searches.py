"""The search history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knowledge.models import Entry, SearchQuery
from knowledge.search import SearchResults

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def search_record(*, results: SearchResults, searcher: str, user: User | None = None) -> SearchQuery | None:
    """Write one search into the history; None for an empty one."""
    raise NotImplementedError


def search_opened(*, search_id: int, entry: Entry, searcher: str) -> bool:
    """Note which entry a searcher opened from their search; False when it is not theirs."""
    raise NotImplementedError
