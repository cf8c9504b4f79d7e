"""What a search takes and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from django.utils.safestring import SafeString

from knowledge.codes import Code
from knowledge.models import Entry, EntryStatus


@dataclass(frozen=True, kw_only=True)
class SearchFilters:
    """What every result must have; an empty field asks for nothing."""

    category: str = ""
    severity: str = ""
    tag: str = ""
    code: str = ""
    #: Empty for entries of every status.
    status: str = EntryStatus.PUBLISHED

    def as_dict(self) -> dict[str, str]:
        """The filters that are set, for the search history and for links."""
        values = {"category": self.category, "severity": self.severity, "tag": self.tag, "code": self.code}
        if self.status != EntryStatus.PUBLISHED:
            values["status"] = self.status
        return {name: value for name, value in values.items() if value}


class Marks(Protocol):
    """Shows what was found in a text."""

    def marked(self, text: str) -> SafeString:
        """The whole text as safe HTML."""

    def snippet(self, texts: Sequence[str]) -> SafeString:
        """The telling passage of the first text that has one, as safe HTML."""


@dataclass(frozen=True, kw_only=True)
class SearchHit:
    """One result; `title_html` and `snippet_html` are safe HTML, made when they are asked for.

    `entry.code_links` has the first codes as `link.error_code.code`, its own first.
    """

    entry: Entry
    score: float
    marks: Marks = field(repr=False, compare=False)
    #: Whether staff put it first for this search.
    promoted: bool = False

    @cached_property
    def title_html(self) -> SafeString:
        """The title with the found words marked."""
        return self.marks.marked(self.entry.title)

    @cached_property
    def snippet_html(self) -> SafeString:
        """The passage with the most of the found words, marked."""
        return self.marks.snippet((self.entry.problem, self.entry.solution))


@dataclass(frozen=True, kw_only=True)
class FacetCount:
    """How many results have one value of a filter."""

    value: str
    label: str
    count: int
    selected: bool


@dataclass(frozen=True, kw_only=True)
class Facets:
    """The values of each filter among the results, most frequent first."""

    category: tuple[FacetCount, ...] = ()
    severity: tuple[FacetCount, ...] = ()
    tag: tuple[FacetCount, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SearchResults:
    """One page of results and what is known about all of them."""

    text: str
    filters: SearchFilters
    #: The analysed tokens, as they go into the search history.
    normalized: str
    hits: tuple[SearchHit, ...]
    page: int
    page_size: int
    elapsed_ms: float
    codes: tuple[Code, ...] = ()
    #: The number of results and whether there are more.
    count_total: Callable[[], tuple[int, bool]] = field(repr=False, compare=False)
    count_facets: Callable[[], Facets] = field(default=Facets, repr=False, compare=False)
    #: Another spelling that has results, when this one has none.
    did_you_mean: str = ""

    @property
    def total(self) -> int:
        """How many results there are, up to a cap."""
        return self._counted[0]

    @property
    def total_capped(self) -> bool:
        """Whether there are more than `total`."""
        return self._counted[1]

    @cached_property
    def _counted(self) -> tuple[int, bool]:
        """Counted when first asked for, like the facets: a common word fits thousands of entries."""
        return self.count_total()

    @cached_property
    def facets(self) -> Facets:
        """The filters with their counts; counted when first asked for."""
        return self.count_facets()

    @property
    def page_count(self) -> int:
        """Pages that can be asked for; 1 without results."""
        return max(1, -(-self.total // self.page_size))

    @property
    def has_next(self) -> bool:
        return self.page < self.page_count

    @property
    def has_previous(self) -> bool:
        return self.page > 1
