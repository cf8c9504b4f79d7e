"""What an entry is worth before anyone searches: its use and its proven success."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from math import sqrt
from uuid import UUID

from knowledge.models import Severity

#: z of the 95 % interval.
_Z = 1.96
_TIE_BITS = 52
_BUCKETS = 1 << 9

_SEVERITY_POINTS = {Severity.CRITICAL: 3, Severity.HIGH: 2, Severity.MEDIUM: 1, Severity.LOW: 0}


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts of an entry that its rank comes from."""

    usage_count: int
    success_count: int
    failure_count: int
    severity: str


def success_proven(worked: int, votes: int) -> float:
    """Lower bound of the Wilson interval of the share that worked; 0 without votes.

    Wilson, E. B. (1927), J. Am. Stat. Assoc. 22: one vote of one proves less than 90 of 100.
    """
    if not votes:
        return 0.0
    share = worked / votes
    square = _Z * _Z
    spread = _Z * sqrt(share * (1 - share) / votes + square / (4 * votes * votes))
    return max(0.0, (share + square / (2 * votes) - spread) / (1 + square / votes))


def rank_of(entry_id: UUID, standing: Standing) -> int:
    """The static rank: small is good. Bucket of use, success and severity, then a hash of the id.

    Use counts by powers of two, so the rank of an entry changes seldom.
    """
    proven = success_proven(standing.success_count, standing.success_count + standing.failure_count)
    points = 8 * min(standing.usage_count.bit_length(), 31) + 8 * int(proven * 7.999)
    points += _SEVERITY_POINTS.get(Severity(standing.severity), 0)
    tie = int.from_bytes(blake2b(entry_id.bytes, digest_size=8).digest(), "big") >> (64 - _TIE_BITS)
    return (_BUCKETS - 1 - points) << _TIE_BITS | tie
