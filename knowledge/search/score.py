"""The order of candidates: BM25F over weighted fields, how much of the query is met, use and success.

Robertson, Zaragoza and Taylor (2004), Simple BM25 extension to multiple weighted fields. Lengths are
compared with fixed averages and not with those of the collection, so that a score depends on the entry
and the query alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import log
from operator import itemgetter
from typing import NamedTuple

from knowledge.search.database import FIRST_FIELD, Document
from knowledge.search.query import Alternative, Group

#: Field -> weight, usual number of tokens.
FIELDS = {"codes": (9.0, 5), "title": (5.0, 9), "tags": (4.0, 5), "problem": (2.0, 90), "solution": (0.5, 320)}
_FIELDS = tuple(FIELDS.values())
_K1 = 2.5
_B = 0.7
#: What a group is worth that stands once in a solution of usual length and nowhere else.
_ELSEWHERE = FIELDS["solution"][0] / (FIELDS["solution"][0] + _K1)
#: What no length adds to: a text of usual length divides by 1.
_LENGTH_FREE = 1 - _B
#: How much more an entry is worth that meets more of the query.
_COVERAGE_POWER = 1.5
#: The same for texts of many groups: a question in whole sentences has words that matter little.
_SENTENCE_GROUPS, _SENTENCE_POWER = 8, 0.5
#: Reward for the entry's own code, in units of the code's rarity.
_OWN_CODE = 2.0
#: The same for a title that begins with the code.
_TITLE_CODE = 0.3
#: Rewards for two words of the query that follow one another, in title (field 1) and problem (field 3), in units
#: of the rarer one's.
_PAIRS = {1: 0.4, 3: 0.15}
#: Where a code was asked, guides ("S0C7 how-to: ...") follow the entry of the code itself.
_GUIDE, _GUIDE_SHARE = "how-to", 0.8
#: The same for the entry of a message that only brings the code ("IEF450I ... ABEND=S0C7").
_CARRIER_SHARE = 0.7


class Scored(NamedTuple):
    """A candidate with its score and the share of the query that it meets."""

    rank: int
    score: float
    coverage: float
    document: Document

    def says(self, phrase: str) -> bool:
        """Whether these tokens stand together in one field."""
        return any(f" {phrase} " in text for text in self.document[FIRST_FIELD:])


def rarity(frequency: int, entries: int) -> float:
    """BM25's inverse document frequency; 0 for what no entry has."""
    return log(1 + (max(entries, frequency) - frequency + 0.5) / (frequency + 0.5)) if frequency else 0.0


def scored(
    documents: Sequence[Document], groups: Sequence[Group], weights: Sequence[float], *, everywhere: bool
) -> list[Scored]:
    """The candidates, best first; ties by rank.

    Where it is known that each has every group (`everywhere`), documents come without their solution: what
    stands in no other field stands there. Column by column and not candidate by candidate: some thousand
    questions to short texts, of which most are answered by no.
    """
    columns = _Columns(documents)
    elsewhere = _ELSEWHERE if everywhere else 0.0
    points, met = [0.0] * len(documents), [0.0] * len(documents)
    for group, weight in zip(groups, weights, strict=True):
        for number, strength in enumerate(columns.strengths(group)):
            if strength or elsewhere:
                points[number] += weight * (strength or elsewhere)
                met[number] += weight
    columns.pairs_add(points, groups, weights)
    shares = columns.yielding(groups)
    total = sum(weights) or 1.0
    power = _SENTENCE_POWER if len(groups) > _SENTENCE_GROUPS else _COVERAGE_POWER
    found = []
    for document, worth, share, meets in zip(documents, points, shares, met, strict=True):
        coverage = meets / total
        score = round(worth * share * coverage**power * document[1], 9)
        found.append((-score, document[0], coverage, document))
    found.sort(key=itemgetter(0, 1))
    return [Scored(rank, -less, coverage, document) for less, rank, coverage, document in found]


class _Columns:
    """The texts of the candidates by field."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.count = len(documents)
        columns = list(zip(*documents, strict=True))[FIRST_FIELD:]
        self.fields: list[tuple[str, ...]] = columns or [()] * len(FIELDS)

    def strengths(self, group: Group) -> list[float]:
        """How well each candidate has the group: 0 to about 1, more for its own code."""
        first, *others = (self._strengths_of(one) for one in group.alternatives)
        for other in others:
            first = list(map(max, first, other))
        return first

    def _strengths_of(self, one: Alternative) -> list[float]:
        wanted = f" {one.token}" if one.prefix else f" {one.token} "
        found = [0.0] * self.count
        for (weight, usual), texts in zip(_FIELDS, self.fields, strict=False):
            share = _B / usual
            for number in [number for number, text in enumerate(texts) if wanted in text]:
                text = texts[number]
                found[number] += weight * text.count(wanted) / (_LENGTH_FREE + share * (text.count(" ") - 1))
        found = [total and one.weight * total / (total + _K1) for total in found]
        return self._with_own_code(found, wanted, one.weight) if one.code else found

    def _with_own_code(self, found: list[float], wanted: str, weight: float) -> list[float]:
        codes, titles = self.fields[0], self.fields[1]
        return [
            strength
            and strength
            + weight * (_OWN_CODE * codes[number].startswith(wanted) + _TITLE_CODE * titles[number].startswith(wanted))
            for number, strength in enumerate(found)
        ]

    def pairs_add(self, points: list[float], groups: Sequence[Group], weights: Sequence[float]) -> None:
        """Reward candidates in which two words of the query follow one another."""
        firsts = [group.alternatives[0].token for group in groups]
        for place, (one, two) in enumerate(pairwise(firsts)):
            pair, weight = f" {one} {two} ", max(weights[place], weights[place + 1])
            for field, share in _PAIRS.items():
                for number, text in enumerate(self.fields[field]):
                    if pair in text:
                        points[number] += share * weight

    def yielding(self, groups: Sequence[Group]) -> list[float]:
        """Less than 1 for entries that give way to the entry of the code that was asked for."""
        shares = [1.0] * self.count
        if not any(group.is_code for group in groups):
            return shares
        carriers = tuple(f" {group.alternatives[0].token} " for group in groups if group.carrier)
        guides = _GUIDE not in (group.alternatives[0].token for group in groups)
        for number, (codes, title) in enumerate(zip(self.fields[0], self.fields[1], strict=True)):
            if guides and f" {_GUIDE} " in title:
                shares[number] *= _GUIDE_SHARE
            if carriers and codes.startswith(carriers):
                shares[number] *= _CARRIER_SHARE
        return shares
