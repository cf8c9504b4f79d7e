"""The searches that people really make, for a comparison of two databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import partial

from django.db.models import Count, Max

from knowledge.models import EntryCode, EntryStatus, SearchQuery
from knowledge.search.engine import entry_search
from knowledge.search.rows import searched_at
from knowledge.search.types import SearchFilters
from migrations_ops.move.parity import ParityQuery

#: Most frequent searches that are compared, and codes of the most used entries.
SEARCHES = 60
CODES = 20
RESULTS = 20


def search_parity() -> Iterator[ParityQuery]:
    """The most frequent searches with their filters, then the codes of the entries that are used most."""
    asked = SearchQuery.objects.exclude(normalized="").values("normalized", "filters")
    for row in asked.annotate(times=Count("pk"), text=Max("query")).order_by("-times", "normalized")[:SEARCHES]:
        yield _query(row["text"], _filters(row["filters"]))
    codes = EntryCode.objects.filter(entry__status=EntryStatus.PUBLISHED).values_list("error_code__code", flat=True)
    for code in list(dict.fromkeys(codes.order_by("-entry__usage_count", "pk")[: CODES * 10]))[:CODES]:
        yield _query(code, SearchFilters())


def _filters(kept: dict[str, str]) -> SearchFilters:
    """The filters of a search in the history, without those that this release does not know."""
    known = {field.name for field in fields(SearchFilters)}
    return SearchFilters(**{name: value for name, value in kept.items() if name in known})


def _query(text: str, filters: SearchFilters) -> ParityQuery:
    name = " ".join([text, *(f"{field}:{value}" for field, value in filters.as_dict().items())])
    return ParityQuery(kind="search", name=name, answer=partial(_answer, text, filters))


def _answer(text: str, filters: SearchFilters, alias: str) -> list[str]:
    """Count and spelling that was meant, then entry and score of each result of the first page."""
    with searched_at(alias):
        results = entry_search(text, filters=filters, page_size=RESULTS)
        found = [f"{hit.entry.pk.hex} {hit.score:.9g}" for hit in results.hits]
        return [f"total {results.total}", f"meant {results.did_you_mean!r}", *found]
