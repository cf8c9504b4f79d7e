"""The order of candidates: BM25F over weighted fields, how much of the query is met, use and success.

Robertson, Zaragoza and Taylor (2004), Simple BM25 extension to multiple weighted fields. Lengths are
compared with fixed averages and not with those of the collection, so that a score depends on the entry
and the query alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from uuid import UUID

from knowledge.search.query import Alternative, Group
from knowledge.search.rank import success_proven

#: Field -> weight, usual number of tokens.
FIELDS = {"codes": (9.0, 5), "title": (5.0, 9), "tags": (4.0, 5), "problem": (2.0, 90), "solution": (1.0, 320)}
_K1 = 1.2
_B = 0.7
#: Reward for the entry's own code, in units of the code's rarity.
_OWN_CODE = 2.0
#: The same for a title that begins with the code.
_TITLE_CODE = 0.3
#: Rewards for two words of the query that follow one another in a field, in units of the rarer one's.
_PAIR = {"title": 0.4, "problem": 0.15}
_USE_SHARE = 0.15
_SUCCESS_SHARE = 0.25
_MOST_USE_BITS = 16
#: Where a code was asked, guides ("S0C7 how-to: ...") follow the entry of the code itself.
_GUIDE, _GUIDE_SHARE = "how-to", 0.8
#: The same for the entry of a message that only brings the code ("IEF450I ... ABEND=S0C7").
_CARRIER_SHARE = 0.7
_SEVERITY_SHARES = {"critical": 0.04, "high": 0.03, "medium": 0.01, "low": 0.0}


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the score of one entry is made of; texts start and end with a blank."""

    rank: int
    entry_id: UUID
    texts: dict[str, str]
    lengths: dict[str, int]
    category: str
    severity: str
    usage_count: int
    success_count: int
    failure_count: int


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with its score and the share of the query that it meets."""

    candidate: Candidate
    score: float
    coverage: float


def rarity(frequency: int, entries: int) -> float:
    """BM25's inverse document frequency; 0 for what no entry has."""
    return log(1 + (max(entries, frequency) - frequency + 0.5) / (frequency + 0.5)) if frequency else 0.0


def scored(candidates: Sequence[Candidate], groups: Sequence[Group], weights: Sequence[float]) -> list[Scored]:
    """The candidates, best first; ties by id."""
    found = [_scored(candidate, groups, weights) for candidate in candidates]
    return sorted(found, key=lambda one: (-one.score, one.candidate.entry_id))


def _scored(candidate: Candidate, groups: Sequence[Group], weights: Sequence[float]) -> Scored:
    points, met = 0.0, 0.0
    for group, weight in zip(groups, weights, strict=True):
        if hit := max(_alternative(candidate, one) for one in group.alternatives):
            points += weight * hit
            met += weight
    coverage = met / total if (total := sum(weights)) else 1.0
    points += _pairs(candidate, groups, weights)
    points *= _yielding(candidate, groups)
    return Scored(candidate, round(points * coverage * coverage * _merit(candidate), 9), coverage)


def _alternative(candidate: Candidate, one: Alternative) -> float:
    """How well a candidate has one token: 0 to about 1, more for its own code."""
    wanted = f" {one.token}" if one.prefix else f" {one.token} "
    total = 0.0
    for field, (weight, usual) in FIELDS.items():
        if times := candidate.texts[field].count(wanted):
            total += weight * times / (1 - _B + _B * candidate.lengths[field] / usual)
    if not total:
        return 0.0
    own = _own_code(candidate, wanted) if one.code else 0.0
    return one.weight * (total / (total + _K1) + own)


def _yielding(candidate: Candidate, groups: Sequence[Group]) -> float:
    """Less than 1 for entries that give way to the entry of the code that was asked for."""
    if not any(group.is_code for group in groups):
        return 1.0
    tokens = {group.alternatives[0].token for group in groups}
    share = _GUIDE_SHARE if f" {_GUIDE} " in candidate.texts["title"] and _GUIDE not in tokens else 1.0
    carriers = (f" {group.alternatives[0].token} " for group in groups if group.carrier)
    return share * (_CARRIER_SHARE if any(candidate.texts["codes"].startswith(one) for one in carriers) else 1.0)


def _own_code(candidate: Candidate, wanted: str) -> float:
    return _OWN_CODE * candidate.texts["codes"].startswith(wanted) + _TITLE_CODE * candidate.texts["title"].startswith(
        wanted
    )


def _pairs(candidate: Candidate, groups: Sequence[Group], weights: Sequence[float]) -> float:
    points = 0.0
    for number in range(len(groups) - 1):
        both = f" {groups[number].alternatives[0].token} {groups[number + 1].alternatives[0].token} "
        weight = max(weights[number], weights[number + 1])
        points += sum(share * weight for field, share in _PAIR.items() if both in candidate.texts[field])
    return points


def _merit(candidate: Candidate) -> float:
    use = min(candidate.usage_count.bit_length(), _MOST_USE_BITS) / _MOST_USE_BITS
    votes = candidate.success_count + candidate.failure_count
    proven = success_proven(candidate.success_count, votes)
    return 1 + _USE_SHARE * use + _SUCCESS_SHARE * proven + _SEVERITY_SHARES.get(candidate.severity, 0.0)
