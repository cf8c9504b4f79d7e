"""entry_search: from what a person typed to a page of ranked entries.

1. The query becomes groups of tokens (knowledge.search.query), these become tokens of the index
   (knowledge.search.plan).
2. The index gives rows in the order of their static rank. At most CANDIDATES become candidates: those
   that have every group in codes, title or tags, then those that have every group anywhere, then, when
   that is not much, those that have the rarest groups.
3. Python orders the candidates (knowledge.search.score), the same on every database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from time import perf_counter

from knowledge.search import database
from knowledge.search.database import Asked, Index
from knowledge.search.facets import facet_counter
from knowledge.search.hits import hits_made, spelling_shown
from knowledge.search.plan import Plan, plan_made
from knowledge.search.promoted import promoted_first
from knowledge.search.query import query_parse
from knowledge.search.score import Scored, scored
from knowledge.search.snippet import Highlighter
from knowledge.search.types import SearchFilters, SearchHit, SearchResults

#: Rows that are put in order for a query; later ones follow by static rank.
CANDIDATES = 120
#: Results are counted up to here; more are "3,000+".
COUNT_CAP = 3_000
PAGE_SIZE_LIMIT = 100
#: Fewer entries than this that have every word: entries with some of them are added.
FEW_RESULTS = 10
#: An entry that has some of the words must meet this share of what the best one meets.
PARTIAL_SHARE = 0.45
#: Rows that each word alone, or each two of them, may add, and how many of the rarest are asked.
ROWS_PER_GROUP = 40
RAREST_GROUPS = 4
#: Groups that count less than this share of what the rarest counts lead nowhere by themselves.
TELLING_SHARE = 0.15

_NO_FILTERS = SearchFilters()


@dataclass(frozen=True)
class _Found:
    """What a search found before it is cut into pages."""

    ordered: list[Scored]
    #: How many there are, up to one more than COUNT_CAP.
    total: int
    #: What a further row must have; None where the ordered ones are all.
    asked: Asked | None = None

    def page(self, first: int, size: int) -> dict[int, float]:
        """Rank and score of the rows of one page: the ordered ones, then the others by static rank."""
        here = {one.rank: one.score for one in self.ordered[first : first + size]}
        missing = min(size, COUNT_CAP - first) - len(here)
        if self.asked and missing > 0 and first + len(here) < self.total:
            after = max(0, first - len(self.ordered))
            others = self.rows(after + missing + len(self.ordered))
            known = {one.rank for one in self.ordered}
            others = [rank for rank in others if rank not in known]
            here |= dict.fromkeys(others[after : after + missing], 0.0)
        return here

    def rows(self, limit: int) -> list[int]:
        """The rows that were found, by static rank."""
        if self.asked is None:
            return [one.rank for one in self.ordered[:limit]]
        return database.ranks(self.asked, Index.WORDS, limit=limit)


def entry_search(
    text: str, *, filters: SearchFilters = _NO_FILTERS, page: int = 1, page_size: int = 20
) -> SearchResults:
    """The entries that fit `text` best, one page of them. Never raises for any text.

    Entries that staff promote for it come before the others of the first page.
    `page_size` is at most PAGE_SIZE_LIMIT. Pages that do not exist are empty.
    """
    began = perf_counter()
    query = query_parse(text, filters)
    plan = plan_made(query)
    size = min(max(1, page_size), PAGE_SIZE_LIMIT)
    found = _find(plan)
    here = found.page((max(1, page) - 1) * size, size)
    hits = hits_made(_entries(here, found.ordered), Highlighter(plan.groups))
    hits = promoted_first(hits, normalized=query.normalized, filters=query.filters, page=page)
    return SearchResults(
        text=text,
        filters=query.filters,
        normalized=query.normalized,
        hits=hits,
        total=min(found.total, COUNT_CAP) + sum(hit.promoted and not hit.score for hit in hits),
        total_capped=found.total > COUNT_CAP,
        page=max(1, page),
        page_size=size,
        elapsed_ms=(perf_counter() - began) * 1000,
        codes=query.codes,
        count_facets=facet_counter(plan, found.rows, strict=found.asked is not None, cap=COUNT_CAP),
        did_you_mean=_meant(text, plan, hits),
    )


def _find(plan: Plan) -> _Found:
    if not plan.groups:
        if not plan.query.blank:
            return _Found([], 0)
        return _Found([], database.count(plan.asked, cap=COUNT_CAP + 1), plan.asked)
    ranks = database.ranks(plan.asked, Index.WORDS, limit=CANDIDATES)
    if plan.query.phrases or (len(plan.groups) > 1 and len(ranks) < FEW_RESULTS):
        ordered = _partly(plan, ranks)
        return _Found(ordered, len(ordered))
    return _Found(_ordered(plan, _first(plan, ranks)), _total(plan, ranks), plan.asked)


def _total(plan: Plan, ranks: list[int]) -> int:
    """How many rows have every group, up to one more than COUNT_CAP."""
    if len(ranks) < CANDIDATES:
        return len(ranks)
    return plan.total or database.count(plan.asked, cap=COUNT_CAP + 1)


def _first(plan: Plan, ranks: list[int]) -> list[int]:
    """The rows that become candidates: with every group in codes, title or tags first."""
    if len(ranks) < CANDIDATES:
        return ranks
    head = database.ranks(plan.asked, Index.HEAD, limit=CANDIDATES)
    return list(dict.fromkeys([*head, *ranks]))[:CANDIDATES]


def _partly(plan: Plan, ranks: list[int]) -> list[Scored]:
    """The rows that have every group and the better ones of those that have some, rarest groups first."""
    found = _first(plan, ranks)
    if not plan.query.phrases:
        more = database.ranks_of_each(list(_parts(plan)), limit=ROWS_PER_GROUP)
        found = list(dict.fromkeys([*found, *more]))[:CANDIDATES]
    ordered = _ordered(plan, found)
    ordered = [one for one in ordered if all(one.says(phrase) for phrase in plan.query.phrases)]
    best = max((one.coverage for one in ordered), default=0.0)
    return [one for one in ordered if one.coverage >= best * PARTIAL_SHARE]


def _parts(plan: Plan) -> list[tuple[Asked, Index]]:
    """Questions for some of the groups: all that the index knows, two of the rarest, then each of these."""
    least = TELLING_SHARE * max(plan.weights)
    known = [number for number, tokens in enumerate(plan.tokens) if tokens and plan.weights[number] > least]
    rarest = tuple(sorted(known, key=lambda number: (-plan.weights[number], number))[:RAREST_GROUPS])
    questions = [(plan.asked_for(tuple(known)), Index.WORDS)] if len(known) > 2 else []
    questions += [(plan.asked_for(two), Index.WORDS) for two in combinations(rarest, 2)]
    for number in rarest:
        questions += [(plan.asked_for((number,)), index) for index in (Index.HEAD, Index.WORDS)]
    return questions


def _ordered(plan: Plan, ranks: Sequence[int]) -> list[Scored]:
    return scored(database.documents(ranks), plan.groups, plan.weights)


def _entries(here: dict[int, float], ordered: Sequence[Scored]) -> dict[str, float]:
    """Entry (in hexadecimal digits) and score of the rows of a page, in order."""
    known = {one.rank: one.document.entry for one in ordered if one.rank in here}
    known |= database.entries_of([rank for rank in here if rank not in known])
    return {known[rank]: score for rank, score in here.items() if rank in known}


def _meant(text: str, plan: Plan, hits: Sequence[SearchHit]) -> str:
    """The text with its mistyped words as they stand in what was found."""
    if not plan.corrected or not hits:
        return ""
    return spelling_shown(text, plan.corrected, [hit.entry for hit in hits])
