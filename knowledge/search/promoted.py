"""Entries that staff put first for a search: found by the analysed words, so every spelling of it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from knowledge.errors import PromotionInvalidError
from knowledge.models import Entry, EntryCode, PromotedResult
from knowledge.search.query import query_parse
from knowledge.search.rows import searched
from knowledge.search.types import SearchFilters, SearchHit

CODES_SHOWN = 8
SNIPPET_CHARS = 240


def promoted_first(
    hits: Sequence[SearchHit], *, ids: Sequence[UUID], filters: SearchFilters, page: int
) -> tuple[SearchHit, ...]:
    """The hits of a page with the promoted entries before those of the first page, and on no other page.

    The first page then has more hits than its size, so that no hit falls between two pages.
    """
    promoted = _entries(ids, filters) if ids else []
    if not promoted:
        return tuple(hits)
    found = {hit.entry.pk: hit for hit in hits}
    first = [replace(found.get(entry.pk) or _hit(entry), promoted=True) for entry in promoted] if page == 1 else []
    shown = {entry.pk for entry in promoted}
    return (*first, *(hit for hit in hits if hit.entry.pk not in shown))


def promotion_words(query: str) -> str:
    """The analysed words of a search, as promotions and the search history keep them.

    Raises PromotionInvalidError when nothing is left that could be searched for.
    """
    words = query_parse(query, SearchFilters()).normalized
    if not words:
        raise PromotionInvalidError(query=query)
    return words


def promotion_save(*, promotion: PromotedResult) -> PromotedResult:
    """Store a promotion under the words of its `query`. Raises PromotionInvalidError."""
    promotion.normalized = promotion_words(promotion.query)
    promotion.save()
    return promotion


def _entries(ids: Sequence[UUID], filters: SearchFilters) -> list[Entry]:
    """The promoted entries that pass the filters, in their order."""
    found = _passing(filters).filter(pk__in=ids).in_bulk()
    return [found[pk] for pk in ids if pk in found]


def _passing(filters: SearchFilters) -> QuerySet[Entry]:
    wanted = {
        "category": filters.category,
        "severity": filters.severity,
        "status": filters.status,
        "tags__name": filters.tag,
        "codes__code": filters.code,
    }
    links = EntryCode.objects.select_related("error_code").filter(position__lt=CODES_SHOWN).order_by("position", "pk")
    return (
        Entry.objects.using(searched())
        .filter(**{lookup: value for lookup, value in wanted.items() if value})
        .defer("problem_html", "solution_html")
        .prefetch_related("tags", Prefetch("entrycode_set", queryset=links, to_attr="code_links"))
    )


def _hit(entry: Entry) -> SearchHit:
    """A promoted entry that does not stand among the hits of the page."""
    return SearchHit(entry=entry, score=0.0, marks=_Unmarked())


class _Unmarked:
    """Shows texts in which nothing was found."""

    def marked(self, text: str) -> SafeString:
        return escape(text)

    def snippet(self, texts: Sequence[str]) -> SafeString:
        return escape(Truncator(" ".join(texts[0].split())).chars(SNIPPET_CHARS))
