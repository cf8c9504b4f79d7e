"""entry_search: from what a person typed to a page of ranked entries.

1. The query becomes groups of tokens (knowledge.search.query).
2. The index gives at most CANDIDATES rows in the order of their static rank: those that have every
   group in codes, title or tags, then those that have every group anywhere, then, when that is not
   much, those that have the rarest groups.
3. Python orders the candidates (knowledge.search.score), the same on every database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from django.db.models import F, Prefetch

from knowledge.models import Category, Entry, EntryCode, SearchDoc, Severity
from knowledge.search import database
from knowledge.search.database import Asked, Index
from knowledge.search.promoted import promoted_first
from knowledge.search.query import Query, query_parse
from knowledge.search.score import FIELDS, Candidate, Scored, rarity, scored
from knowledge.search.snippet import Highlighter
from knowledge.search.types import FacetCount, Facets, SearchFilters, SearchHit, SearchResults

#: Rows that are put in order for a query; later ones follow by static rank.
CANDIDATES = 200
#: Results are counted up to here; more are "3,000+".
COUNT_CAP = 3_000
PAGE_SIZE_LIMIT = 100
#: Fewer entries than this that have every word: entries with some of them are added.
FEW_RESULTS = 10
#: An entry that has some of the words must meet this share of what the best one meets.
PARTIAL_SHARE = 0.55
#: Rows that each word alone may add.
ROWS_PER_GROUP = 60
TAGS_COUNTED = 20
#: Codes of each hit that are fetched; a long text can have dozens.
CODES_SHOWN = 8

_NO_FILTERS = SearchFilters()


@dataclass(frozen=True)
class _Found:
    """What a search found before it is cut into pages."""

    ordered: list[Scored]
    total: int
    capped: bool
    #: What a further row must have; None when `ordered` is all there is.
    asked: Asked | None


def entry_search(
    text: str, *, filters: SearchFilters = _NO_FILTERS, page: int = 1, page_size: int = 20
) -> SearchResults:
    """The entries that fit `text` best, one page of them. Never raises for any text.

    Entries that staff promote for it come before the others of the first page.
    `page_size` is at most PAGE_SIZE_LIMIT. Pages that do not exist are empty.
    """
    began = perf_counter()
    query = query_parse(text, filters)
    size = min(max(1, page_size), PAGE_SIZE_LIMIT)
    first = (max(1, page) - 1) * size
    found = _find(query)
    scores = {one.candidate.rank: one.score for one in found.ordered[first : first + size]}
    scores |= dict.fromkeys(_further_ranks(found, first=first, size=size), 0.0)
    hits = _hits(scores, Highlighter(query.groups))
    hits = promoted_first(hits, normalized=query.normalized, filters=query.filters, page=page)
    return SearchResults(
        text=text,
        filters=query.filters,
        normalized=query.normalized,
        hits=hits,
        total=min(found.total, COUNT_CAP) + sum(hit.promoted and not hit.score for hit in hits),
        total_capped=found.capped,
        page=max(1, page),
        page_size=size,
        elapsed_ms=(perf_counter() - began) * 1000,
        codes=query.codes,
        count_facets=_facet_counter(query, found),
    )


def _find(query: Query) -> _Found:
    asked = Asked(query.groups, query.excluded, query.filters)
    if not query.groups:
        return _everything(asked) if query.blank else _Found([], 0, False, None)
    counted = database.frequencies(query.groups, cap=COUNT_CAP)
    entries = database.entries_counted(cap=COUNT_CAP)
    weights = [
        group.weight * rarity(frequency, entries) for group, frequency in zip(query.groups, counted, strict=True)
    ]
    strict = _strict_ranks(asked) if all(counted) else []
    if query.phrases or (len(query.groups) > 1 and len(strict) < FEW_RESULTS):
        ordered = _partly(query, asked, strict, weights)
        return _Found(ordered, len(ordered), False, None)
    ordered = scored(_candidates(strict), query.groups, weights)
    total = len(strict) if len(strict) < CANDIDATES else database.count(asked, cap=COUNT_CAP + 1)
    return _Found(ordered, total, total > COUNT_CAP, asked)


def _everything(asked: Asked) -> _Found:
    """Every entry that passes the filters, the most used first."""
    total = database.count(asked, cap=COUNT_CAP + 1)
    return _Found([], total, total > COUNT_CAP, asked)


def _strict_ranks(asked: Asked) -> list[int]:
    """Rows that have every group; in codes, title and tags first."""
    found = database.ranks(replace(asked, index=Index.HEAD), limit=CANDIDATES)
    if len(found) < CANDIDATES:
        found = list(dict.fromkeys([*found, *database.ranks(asked, limit=CANDIDATES)]))[:CANDIDATES]
    return found


def _partly(query: Query, asked: Asked, strict: Sequence[int], weights: Sequence[float]) -> list[Scored]:
    """The rows that have every group and the better ones of those that have some, rarest groups first."""
    found = dict.fromkeys(strict)
    if not query.phrases:
        order = sorted(range(len(weights)), key=lambda number: (-weights[number], number))
        for number in order:
            if weights[number] and len(found) < CANDIDATES:
                alone = replace(asked, groups=(query.groups[number],))
                found |= dict.fromkeys(database.ranks(replace(alone, index=Index.HEAD), limit=ROWS_PER_GROUP))
                found |= dict.fromkeys(database.ranks(alone, limit=ROWS_PER_GROUP))
    ordered = scored(_candidates(list(found)[:CANDIDATES]), query.groups, weights)
    ordered = [one for one in ordered if all(_has_phrase(one.candidate, phrase) for phrase in query.phrases)]
    best = max((one.coverage for one in ordered), default=0.0)
    return [one for one in ordered if one.coverage >= best * PARTIAL_SHARE]


def _has_phrase(candidate: Candidate, phrase: str) -> bool:
    return any(f" {phrase} " in text for text in candidate.texts.values())


def _candidates(ranks: Sequence[int]) -> list[Candidate]:
    rows = SearchDoc.objects.filter(rank__in=ranks).values_list(
        "rank",
        "entry_id",
        "category",
        "severity",
        "entry__usage_count",
        "entry__success_count",
        "entry__failure_count",
        *FIELDS,
    )
    return [_candidate(row[:7], row[7:]) for row in rows]


def _candidate(facts: Sequence[Any], texts: Sequence[str]) -> Candidate:
    rank, entry_id, category, severity, used, worked, failed = facts
    return Candidate(
        rank=rank,
        entry_id=entry_id,
        category=category,
        severity=severity,
        usage_count=used,
        success_count=worked,
        failure_count=failed,
        texts={field: f" {text} " for field, text in zip(FIELDS, texts, strict=True)},
        lengths={field: text.count(" ") + 1 for field, text in zip(FIELDS, texts, strict=True)},
    )


def _further_ranks(found: _Found, *, first: int, size: int) -> list[int]:
    """The rows of this page that come after the ordered ones."""
    if found.asked is None:
        return []
    here = len(found.ordered[first : first + size])
    if here == size or first + here >= found.total:
        return []
    asked = replace(found.asked, without=tuple(one.candidate.rank for one in found.ordered))
    return database.ranks(asked, limit=size - here, offset=max(0, first - len(found.ordered)))


def _hits(scores: dict[int, float], highlighter: Highlighter) -> tuple[SearchHit, ...]:
    links = EntryCode.objects.select_related("error_code").filter(position__lt=CODES_SHOWN).order_by("position", "pk")
    entries = Entry.objects.defer("problem_html", "solution_html").prefetch_related(
        "tags", Prefetch("entrycode_set", queryset=links, to_attr="code_links")
    )
    found = entries.annotate(search_rank=F("search_doc__rank")).filter(search_doc__in=scores)
    by_rank = {entry.search_rank: entry for entry in found}
    return tuple(
        SearchHit(
            entry=entry,
            score=score,
            title_html=highlighter.marked(entry.title),
            snippet_html=highlighter.snippet((entry.problem, entry.solution)),
        )
        for rank, score in scores.items()
        if (entry := by_rank.get(rank))
    )


def _facet_counter(query: Query, found: _Found) -> Callable[[], Facets]:
    """Counts the facets when they are asked for: a page that is typed into does not need them."""

    def count() -> Facets:
        return _facets_asked(query, found.asked) if found.asked else _facets_ordered(query, found.ordered)

    return count


def _facets_asked(query: Query, asked: Asked) -> Facets:
    """Counts in the index, each filter's values under the other filters."""

    def without(name: str) -> Asked:
        return replace(asked, filters=replace(asked.filters, **{name: ""}))

    return _facets(
        query,
        database.value_counts(without("category"), "category", cap=COUNT_CAP),
        database.value_counts(without("severity"), "severity", cap=COUNT_CAP),
        dict(database.tag_counts(without("tag"), cap=COUNT_CAP, limit=TAGS_COUNTED)),
    )


def _facets_ordered(query: Query, ordered: Sequence[Scored]) -> Facets:
    """Counts over the results themselves, when these are all there is."""
    categories: dict[str, int] = {}
    severities: dict[str, int] = {}
    for one in ordered:
        categories[one.candidate.category] = categories.get(one.candidate.category, 0) + 1
        severities[one.candidate.severity] = severities.get(one.candidate.severity, 0) + 1
    tags = database.tags_of([one.candidate.rank for one in ordered], limit=TAGS_COUNTED)
    return _facets(query, categories, severities, dict(tags))


def _facets(query: Query, categories: dict[str, int], severities: dict[str, int], tags: dict[str, int]) -> Facets:
    def listed(counts: dict[str, int], selected: str, label: Callable[[str], str]) -> tuple[FacetCount, ...]:
        order = sorted(counts, key=lambda value: (-counts[value], value))
        return tuple(
            FacetCount(value=value, label=label(value), count=counts[value], selected=value == selected)
            for value in order
        )

    return Facets(
        category=listed(categories, query.filters.category, lambda value: str(Category(value).label)),
        severity=listed(severities, query.filters.severity, lambda value: str(Severity(value).label)),
        tag=listed(tags, query.filters.tag, str),
    )
