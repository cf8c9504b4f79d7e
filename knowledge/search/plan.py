"""What a query asks of the index: which tokens stand for each group, how rare they are, what was mistyped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod, sqrt
from time import monotonic
from uuid import UUID

from knowledge.models import EntryStatus
from knowledge.search import terms
from knowledge.search.database import TOP_LABELS, Asked, label
from knowledge.search.known import Known, known
from knowledge.search.query import Alternative, Group, Query, query_with_codes
from knowledge.search.rows import is_sqlite, rows_prepared, searched
from knowledge.search.score import rarity
from knowledge.search.types import SearchFilters

#: What a word that was put right counts beside one that was typed as it stands.
MEANT_WEIGHT = 0.8
#: What all words beside codes count together, beside the codes.
WORDS_SHARE = 0.5
#: Of the entries with the rarest of several words at least about so many have the others too.
COMPANY = 0.25
#: The sizes of the tops are asked again after this time.
TOPS_SECONDS = 60.0
#: Alias of a database -> when its tops were asked, how many rows each has.
_tops: dict[str, tuple[float, tuple[int, ...]]] = {}
#: No tag or code has this number, so no entry its label.
_NONE = 0


@dataclass(frozen=True)
class Plan:
    """A query with what the index knows about it."""

    query: Query
    #: As in the query, with the words that were meant beside those that were mistyped.
    groups: tuple[Group, ...]
    #: The tokens of the index that stand for each group; none for what no entry has.
    tokens: tuple[tuple[str, ...], ...]
    #: What each group counts.
    weights: tuple[float, ...]
    asked: Asked
    #: What share of the published entries each group is likely to have, and what share each label.
    shares: tuple[float, ...]
    labels_shares: tuple[float, ...]
    #: How many published entries have the rarest group at most.
    fewest: int
    #: How many published entries have the only token that is asked for; 0 when it is more than one token.
    total: int
    #: Mistyped token -> the term that was meant.
    corrected: dict[str, str]
    #: Entries that staff promote for it, in their order.
    promoted: tuple[UUID, ...]

    def asked_for(self, numbers: tuple[int, ...]) -> Asked:
        """The same question for some of the groups only."""
        share = _together([*self.labels_shares, *(self.shares[number] for number in numbers)])
        return replace(self.asked, groups=tuple(self.tokens[number] for number in numbers), share=share)


def plan_made(query: Query) -> Plan:
    """The plan of a query."""
    labels = labels_of(query.filters)
    rows_of_tops = () if is_sqlite() or query.filters.status != EntryStatus.PUBLISHED else _rows_of_tops()
    query, facts = _known(query, (terms.EVERY, *labels))
    known = facts.frequencies
    entries = known.pop(terms.EVERY, 0)
    of_labels = [known.pop(label, 0) / (entries or 1) for label in labels]
    corrected: dict[str, str] = {}
    groups: list[Group] = []
    tokens: list[tuple[str, ...]] = []
    frequencies: list[int] = []
    weights: list[float] = []
    for typed in query.groups:
        group, found = _found(typed, facts, corrected)
        if not found and query.filters.status != EntryStatus.PUBLISHED:
            # The terms are those of published entries; drafts may hold others.
            found = dict.fromkeys((one.token for one in group.alternatives), 1)
        groups.append(group)
        tokens.append(tuple(found))
        frequencies.append(sum(found.values()))
        weights.append(group.weight * rarity(max(found.values(), default=0), entries))
    weights = _beside_codes(groups, weights)
    shares = tuple(min(1.0, frequency / (entries or 1)) for frequency in frequencies)
    if query.filters.status != EntryStatus.PUBLISHED:
        shares, of_labels = (0.0,) * len(shares), [0.0]
    share = _together([*of_labels, *shares])
    asked = Asked(tuple(tokens), labels, query.excluded, query.filters.status, share, rows_of_tops, entries)
    only = tokens[0][0] if [len(some) for some in tokens] == [1] and not (asked.labels or asked.excluded) else ""
    total = known.get(only, 0) if asked.status == EntryStatus.PUBLISHED else 0
    fewest = min(frequencies, default=0)
    return Plan(
        *(query, tuple(groups), tuple(tokens), tuple(weights), asked, shares, tuple(of_labels), fewest, total),
        *(corrected, tuple(facts.promoted)),
    )


def _known(query: Query, labels: tuple[str, ...]) -> tuple[Query, Known]:
    """The query with the codes that it names by an alias, and what is known of it and of these labels."""
    wanted = dict.fromkeys([*labels, *_tokens_typed(query.groups)])
    open_ends = [one.token for group in query.groups for one in group.alternatives if one.prefix]
    facts = known(
        terms=list(wanted), beginning="".join(open_ends[:1]), runs=list(query.runs), normalized=query.normalized
    )
    if facts.aliases:
        query = query_with_codes(query, facts.aliases)
        facts.frequencies |= terms.frequencies(token for token in _tokens_typed(query.groups) if token not in wanted)
    return query, facts


def _rows_of_tops() -> tuple[int, ...]:
    """How many rows each top has, or had some seconds ago.

    They say which question is quick and never what the answer is: a top that gives too few rows is followed by more.
    """
    alias, now = searched(), monotonic()
    asked_at, held = _tops.get(alias, (-TOPS_SECONDS, ()))
    if now - asked_at >= TOPS_SECONDS:
        found = terms.frequencies(TOP_LABELS)
        held = tuple(found.get(name, 0) for name in TOP_LABELS)
        _tops[alias] = now, held
    return held


def _together(shares: Sequence[float]) -> float:
    """The share that is likely to have all of these: words of one search keep company more than chance has it.

    Half way between chance and always together, and of many words no less than a part of the rarest.
    """
    rarest = min(shares, default=1.0)
    return max(sqrt(prod(shares) * rarest), rarest * COMPANY)


def labels_of(filters: SearchFilters) -> tuple[str, ...]:
    """The labels that every result must have."""
    found = [label(name, value) for name in ("category", "severity") if (value := getattr(filters, name))]
    if filters.tag:
        found.append(label("tag", _number("kb_tags", "name", filters.tag)))
    if filters.code:
        found.append(label("code", _number("kb_error_codes", "code", filters.code)))
    return tuple(found)


def _tokens_typed(groups: tuple[Group, ...]) -> Iterator[str]:
    return (one.token for group in groups for one in group.alternatives if not one.prefix)


def _found(group: Group, facts: Known, corrected: dict[str, str]) -> tuple[Group, dict[str, int]]:
    """The group and the tokens that stand for it with their frequency; a mistyped word is put right."""
    known = facts.frequencies
    found = {one.token: known[one.token] for one in group.alternatives if not one.prefix and one.token in known}
    for one in group.alternatives:
        if one.prefix:
            # A word that is whole as it stands becomes only what is more usual.
            most = max(found.values(), default=0)
            more = {term: frequency for term, frequency in facts.becoming.items() if frequency > most}
            found = more | found
            if not more:
                group = replace(group, alternatives=tuple(other for other in group.alternatives if not other.prefix))
    typed = group.alternatives[0].token
    if not found and (meant := terms.meant(typed)):
        corrected[typed] = meant
        added = Alternative(meant, weight=MEANT_WEIGHT)
        return replace(group, alternatives=(*group.alternatives, added)), terms.frequencies([meant])
    return group, found


def _beside_codes(groups: list[Group], weights: list[float]) -> list[float]:
    """The weights with those of words kept below those of the codes that they stand beside.

    A message line has many words, and an entry that quotes the whole line is seldom the one about its code.
    """
    codes = sum(weight for group, weight in zip(groups, weights, strict=True) if group.is_code)
    words = sum(weights) - codes
    if not codes or words <= WORDS_SHARE * codes:
        return weights
    less = WORDS_SHARE * codes / words
    return [weight if group.is_code else weight * less for group, weight in zip(groups, weights, strict=True)]


def _number(table: str, column: str, value: str) -> int:
    found = rows_prepared(f"SELECT id FROM {table} WHERE {column} = %s", [value])
    return int(found[0][0]) if found else _NONE
