"""How many results each value of a filter has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from knowledge.models import Category, Severity
from knowledge.search import database
from knowledge.search.database import Index
from knowledge.search.plan import Plan, labels_of
from knowledge.search.types import FacetCount, Facets

TAGS_COUNTED = 20


def facet_counter(plan: Plan, rows: Callable[[], list[int]], *, strict: bool, cap: int) -> Callable[[], Facets]:
    """Counts the facets when they are asked for: a page that is typed into does not need them.

    `rows` gives the results. Each filter's values are counted under the other filters, at most `cap`
    rows; where some words are enough (`strict` is False), among the results.
    """

    def rows_without(name: str, found: list[int]) -> list[int]:
        if not strict or not getattr(plan.query.filters, name):
            return found
        filters = replace(plan.query.filters, **{name: ""})
        return database.ranks(replace(plan.asked, labels=labels_of(filters)), Index.WORDS, limit=cap)

    def count() -> Facets:
        filters = plan.query.filters
        found = rows()
        kinds = database.kinds_of(found)
        categories = database.kinds_of(rows_without("category", found)) if filters.category else kinds
        severities = database.kinds_of(rows_without("severity", found)) if filters.severity else kinds
        tags = database.tags_of(rows_without("tag", found), limit=TAGS_COUNTED)
        return Facets(
            category=_listed(_summed(categories, 0), filters.category, lambda value: str(Category(value).label)),
            severity=_listed(_summed(severities, 1), filters.severity, lambda value: str(Severity(value).label)),
            tag=_listed(dict(tags), filters.tag, str),
        )

    return count


def _summed(kinds: Sequence[tuple[str, str, int]], field: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in kinds:
        value = str(row[field])
        counts[value] = counts.get(value, 0) + row[2]
    return counts


def _listed(counts: dict[str, int], selected: str, label: Callable[[str], str]) -> tuple[FacetCount, ...]:
    order = sorted(counts, key=lambda value: (-counts[value], value))
    return tuple(
        FacetCount(value=value, label=label(value), count=counts[value], selected=value == selected) for value in order
    )
