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
from functools import cached_property
from itertools import combinations
from time import perf_counter

from knowledge.search import database
from knowledge.search.database import Asked, Document, Index
from knowledge.search.facets import facet_counter
from knowledge.search.hits import hits_made, spelling_shown
from knowledge.search.orders import SearchOrder, ranks_sorted
from knowledge.search.plan import Plan, plan_made
from knowledge.search.promoted import promoted_first
from knowledge.search.query import query_parse
from knowledge.search.score import Scored, scored
from knowledge.search.snippet import Highlighter
from knowledge.search.types import SearchFilters, SearchHit, SearchResults

#: Rows that are put in order for a query; later ones follow by static rank.
CANDIDATES = 120
#: Results are counted up to here; more are "1,000+". The filters of a common word are counted as far,
#: which takes as long as the rest of the search for every 300 of them.
COUNT_CAP = 1_000
PAGE_SIZE_LIMIT = 100
#: Fewer entries than this that have every word: entries with some of them are added.
FEW_RESULTS = 10
#: An entry that has some of the words must meet this share of what the best one meets.
PARTIAL_SHARE = 0.45
#: Rows that each word alone, or each two of them, may add, and how many of the rarest are asked.
ROWS_PER_GROUP = 40
RAREST_GROUPS = 4
#: A text with more groups than this is a question in whole sentences, of which no entry has every word.
SENTENCE_GROUPS = 8
#: So many of the rarest of its groups are asked alone, and so many two by two.
SENTENCE_RAREST_GROUPS = 8
PAIRED_GROUPS = 6
#: Groups that count less than this share of what the rarest counts lead nowhere by themselves.
TELLING_SHARE = 0.15

_NO_FILTERS = SearchFilters()
#: Labels of rows by their rank, the best first.
Labels = dict[int, str]


class _Found:
    """What a search found before it is cut into pages."""

    def __init__(
        self, ordered: list[Scored], *, further: Asked | None = None, total: int = 0, labels: Labels | None = None
    ) -> None:
        self.ordered = ordered
        #: What rows beyond the ordered ones must have; None where the ordered ones are all.
        self.further = further
        #: How many there are, where the index knows.
        self._total = total
        #: Of all rows, where they were asked with them.
        self._labels = labels

    def page(self, first: int, size: int) -> dict[int, float]:
        """Rank and score of the rows of one page: the ordered ones, then the others by static rank."""
        here = {one.rank: one.score for one in self.ordered[first : first + size]}
        missing = min(size, COUNT_CAP - first) - len(here)
        if self.further and missing > 0:
            after = max(0, first - len(self.ordered))
            known = {one.rank for one in self.ordered}
            others = database.ranks(self.further, Index.WORDS, limit=after + missing + len(known))
            others = [rank for rank in others if rank not in known]
            here |= dict.fromkeys(others[after : after + missing], 0.0)
        return here

    @cached_property
    def rows(self) -> list[int]:
        """The rows that were found, by static rank, at most one more than COUNT_CAP."""
        if self.further is None:
            return [one.rank for one in self.ordered]
        return list(self._labels or database.ranks(self.further, Index.WORDS, limit=COUNT_CAP + 1))

    @cached_property
    def labels(self) -> list[str]:
        """The labels of each of the `rows`."""
        if self.further is not None:
            return list((self._labels or database.labels_found(self.further, limit=COUNT_CAP + 1)).values())
        here, known = [one.rank for one in self.ordered], self._labels
        return database.labels_of(here) if known is None else [known[rank] for rank in here if rank in known]

    def page_sorted(self, order: SearchOrder, first: int, size: int) -> dict[int, float]:
        """Rank and score of the rows of one page in another order than the best first."""
        scores = {one.rank: one.score for one in self.ordered}
        sorted_rows = ranks_sorted(self.rows[:COUNT_CAP], order, first=first, size=size)
        return {rank: scores.get(rank, 0.0) for rank in sorted_rows}

    def total(self) -> int:
        """How many were found, up to one more than COUNT_CAP."""
        known = self.labels if "labels" in vars(self) else None
        return self._total or len(self.rows if known is None else known)


def entry_search(
    text: str,
    *,
    filters: SearchFilters = _NO_FILTERS,
    page: int = 1,
    page_size: int = 20,
    order: SearchOrder = SearchOrder.BEST,
    counted: bool = False,
) -> SearchResults:
    """The entries that fit `text` best, one page of them. Never raises for any text.

    Entries that staff promote for it come before the others of the first page, best first.
    In another order up to COUNT_CAP entries are sorted, of more the most used.
    `page_size` is at most PAGE_SIZE_LIMIT. Pages that do not exist are empty. `counted` says that the filters will
    be asked for, too: to find what they are counted from is then not asked twice.
    """
    began = perf_counter()
    query = query_parse(text, filters)
    plan = plan_made(query)
    size = min(max(1, page_size), PAGE_SIZE_LIMIT)
    found, strict = _find(plan, counted=counted)
    first = (max(1, page) - 1) * size
    best = order == SearchOrder.BEST
    here = found.page(first, size) if best else found.page_sorted(order, first, size)
    hits = hits_made(here, Highlighter(plan.groups))
    if best:
        hits = promoted_first(hits, ids=plan.promoted, filters=query.filters, page=page)
    added = sum(hit.promoted and not hit.score for hit in hits)
    return SearchResults(
        text=text,
        filters=query.filters,
        normalized=query.normalized,
        hits=hits,
        page=max(1, page),
        page_size=size,
        elapsed_ms=(perf_counter() - began) * 1000,
        codes=query.codes,
        count_total=lambda: (min(found.total(), COUNT_CAP) + added, found.total() > COUNT_CAP),
        count_facets=facet_counter(plan, lambda: found.labels[:COUNT_CAP], strict=strict, cap=COUNT_CAP),
        did_you_mean=_meant(text, plan, hits),
    )


def _find(plan: Plan, *, counted: bool = False) -> tuple[_Found, bool]:
    """What fits, and whether all of it has every group."""
    if not plan.groups:
        return _Found([], further=plan.asked if plan.query.blank else None), True
    wanted = counted and not plan.query.phrases
    labels = database.labels_found(plan.asked, limit=COUNT_CAP + 1) if wanted else None
    documents, all_of_them = _first(plan) if labels is None else _first_of(plan, list(labels))
    if plan.query.phrases or (len(plan.groups) > 1 and len(documents) < FEW_RESULTS):
        return _Found(_partly(plan, [one[0] for one in documents])), False
    ordered = scored(documents, plan.groups, plan.weights, everywhere=True)
    if all_of_them:
        return _Found(ordered, labels=labels), True
    return _Found(ordered, further=plan.asked, total=plan.total, labels=labels), True


def _first(plan: Plan) -> tuple[list[Document], bool]:
    """At most CANDIDATES rows that have every group, those with all in codes, title or tags first; are they all?

    Without their solutions: what a group does not have elsewhere it has there.
    """
    indexes = (Index.HEAD, Index.WORDS) if plan.fewest >= CANDIDATES else (Index.WORDS,)
    found = database.candidates(plan.asked, indexes, limit=CANDIDATES, fields=4)
    return found, len(found) < CANDIDATES


def _first_of(plan: Plan, ranks: list[int]) -> tuple[list[Document], bool]:
    """The same, where the first rows that have every group anywhere are known."""
    heads: list[Document] = []
    if plan.fewest >= CANDIDATES:
        heads = database.candidates(plan.asked, (Index.HEAD,), limit=CANDIDATES, fields=4)
    seen = {one[0] for one in heads}
    rest = [rank for rank in ranks if rank not in seen][: CANDIDATES - len(heads)]
    found = heads + sorted(database.documents(rest, fields=4))
    return found, len(heads) + len(rest) < CANDIDATES  # a row may have gone between the two questions


def _partly(plan: Plan, ranks: list[int]) -> list[Scored]:
    """The rows that have every group and the better ones of those that have some, rarest groups first."""
    if not plan.query.phrases:
        more = database.ranks_of_each(list(_parts(plan)), limit=ROWS_PER_GROUP)
        ranks = list(dict.fromkeys([*ranks, *more]))[:CANDIDATES]
    ordered = scored(database.documents(ranks, fields=5), plan.groups, plan.weights, everywhere=False)
    ordered = [one for one in ordered if all(one.says(phrase) for phrase in plan.query.phrases)]
    best = max((one.coverage for one in ordered), default=0.0)
    return [one for one in ordered if one.coverage >= best * PARTIAL_SHARE]


def _parts(plan: Plan) -> list[tuple[Asked, Index]]:
    """Questions for some of the groups: all that the index knows, two of the rarest, then each of these."""
    least = TELLING_SHARE * max(plan.weights)
    known = [number for number, tokens in enumerate(plan.tokens) if tokens and plan.weights[number] > least]
    most = SENTENCE_RAREST_GROUPS if len(known) > SENTENCE_GROUPS else RAREST_GROUPS
    rarest = tuple(sorted(known, key=lambda number: (-plan.weights[number], number))[:most])
    questions = [(plan.asked_for(tuple(known)), Index.WORDS)] if len(known) > 2 else []
    questions += [(plan.asked_for(two), Index.WORDS) for two in combinations(rarest[:PAIRED_GROUPS], 2)]
    for number in rarest:
        questions += [(plan.asked_for((number,)), index) for index in (Index.HEAD, Index.WORDS)]
    return questions


def _meant(text: str, plan: Plan, hits: Sequence[SearchHit]) -> str:
    """The text with its mistyped words as they stand in what was found."""
    if not plan.corrected or not hits:
        return ""
    return spelling_shown(text, plan.corrected, [hit.entry for hit in hits])
