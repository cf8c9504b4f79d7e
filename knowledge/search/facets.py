"""How many results each value of a filter has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain

from knowledge.models import Category, Severity
from knowledge.search import database
from knowledge.search.database import label
from knowledge.search.plan import Plan, labels_of
from knowledge.search.types import FacetCount, Facets

TAGS_COUNTED = 20

_TAG = label("tag", "")
_TOP = label("top", "")


def facet_counter(plan: Plan, found: Callable[[], list[str]], *, strict: bool, cap: int) -> Callable[[], Facets]:
    """Counts the facets when they are asked for: a page that is typed into does not need them.

    `found` gives the labels of each result. Each filter's values are counted under the other filters, at most
    `cap` rows; where some words are enough (`strict` is False), among the results. What is counted are the labels
    of the rows: to ask for the tags of each entry takes three times as long.
    """

    def counted_without(name: str, labels: Counter[str]) -> Counter[str]:
        if not strict or not getattr(plan.query.filters, name):
            return labels
        filters = replace(plan.query.filters, **{name: ""})
        return _counted(database.labels_found(replace(plan.asked, labels=labels_of(filters)), limit=cap).values())

    def count() -> Facets:
        filters = plan.query.filters
        labels = _counted(found())
        categories = counted_without("category", labels)
        severities = counted_without("severity", labels)
        tags = counted_without("tag", labels)
        return Facets(
            category=_listed(_of("category", Category.values, categories), filters.category, _category_label),
            severity=_listed(_of("severity", Severity.values, severities), filters.severity, _severity_label),
            tag=_listed(_tags(tags), filters.tag, str),
        )

    return count


def _counted(found: Iterable[str]) -> Counter[str]:
    """How many of these rows have each label; tops, which come last, are left out."""
    counts = Counter(chain.from_iterable(labels.partition(_TOP)[0].split() for labels in found))
    return Counter({database.label_long(name): count for name, count in counts.items()})


def _of(field: str, values: Sequence[str], labels: Counter[str]) -> dict[str, int]:
    return {value: count for value in values if (count := labels[label(field, value)])}


def _tags(labels: Counter[str]) -> dict[str, int]:
    """The most frequent tags by name, and of equally frequent ones the first."""
    counts = {int(name[len(_TAG) :]): count for name, count in labels.items() if name.startswith(_TAG)}
    least = sorted(counts.values(), reverse=True)[:TAGS_COUNTED][-1:]
    names = database.tag_names([number for number, count in counts.items() if count >= least[0]]) if least else {}
    order = sorted(names, key=lambda number: (-counts[number], names[number]))
    return {names[number]: counts[number] for number in order[:TAGS_COUNTED]}


def _category_label(value: str) -> str:
    return str(Category(value).label)


def _severity_label(value: str) -> str:
    return str(Severity(value).label)


def _listed(counts: dict[str, int], selected: str, label: Callable[[str], str]) -> tuple[FacetCount, ...]:
    order = sorted(counts, key=lambda value: (-counts[value], value))
    return tuple(
        FacetCount(value=value, label=label(value), count=counts[value], selected=value == selected) for value in order
    )
