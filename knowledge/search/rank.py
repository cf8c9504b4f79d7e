"""What an entry is worth before anyone searches: its use and its proven success."""

from __future__ import annotations

from bisect import bisect_right
from hashlib import blake2b
from math import sqrt
from typing import NamedTuple
from uuid import UUID

from knowledge.models import EntryStatus, Severity
from knowledge.search.rows import hexadecimal

#: z of the 95 % interval.
_Z = 1.96
_TIE_BITS = 52
_BUCKETS = 1 << 9
_STATUS_RANKS = _BUCKETS << _TIE_BITS
#: The members are texts with their values' hashes, so what the database gives is found.
_STATUS_ORDER: dict[str, int] = {EntryStatus.PUBLISHED: 0, EntryStatus.DRAFT: 1, EntryStatus.ARCHIVED: 2}
_SEVERITY_POINTS: dict[str, int] = {Severity.CRITICAL: 3, Severity.HIGH: 2, Severity.MEDIUM: 1}
_SEVERITY_SHARES: dict[str, float] = {Severity.CRITICAL: 0.04, Severity.HIGH: 0.03, Severity.MEDIUM: 0.01}
_USE_SHARE = 0.15
_SUCCESS_SHARE = 0.25
_MOST_USE_BITS = 16


def _top_ends() -> tuple[int, ...]:
    """Where the tops end: every 16 points, then finer, as entries that nobody has used yet have 3 at most."""
    ends = [(_BUCKETS - points) << _TIE_BITS for points in (*range(304, 15, -16), 8)]
    for bucket in range(_BUCKETS - 4, _BUCKETS):
        ends += [(bucket << _TIE_BITS) + (1 << _TIE_BITS) // part for part in (16, 1)]
    return tuple(ends[:-1])  # the last one is where the published entries end


_TOP_ENDS = _top_ends()
#: Published entries have so many tops, each of them a part of the next one.
TOPS = len(_TOP_ENDS)


class Standing(NamedTuple):
    """The facts of an entry that its rank and merit come from."""

    usage_count: int
    success_count: int
    failure_count: int
    severity: str
    status: str = EntryStatus.PUBLISHED


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


def rank_of(entry_id: UUID | str, standing: Standing) -> int:
    """The static rank: small is good. Status, bucket of use, success and severity, then a hash of the id.

    `entry_id`: as the database has it, a UUID or its hexadecimal digits.

    Use counts by powers of two, so the rank of an entry changes seldom.
    """
    points = 8 * min(standing.usage_count.bit_length(), 31) + 8 * int(_proven(standing) * 7.999)
    points += _SEVERITY_POINTS.get(standing.severity, 0)
    tie = int.from_bytes(blake2b(bytes.fromhex(hexadecimal(entry_id)), digest_size=8).digest(), "big") >> (
        64 - _TIE_BITS
    )
    first, _ = ranks_of_status(standing.status)
    return first | (_BUCKETS - 1 - points) << _TIE_BITS | tie


def top_of(rank: int) -> int:
    """The first top that a rank is in, it is in all that follow; TOPS where it is in none."""
    return bisect_right(_TOP_ENDS, rank)


def ranks_of_status(status: str) -> tuple[int, int]:
    """The ranks that entries of a status have, the second one excluded; every rank for no status."""
    if not status:
        return 0, (1 << 63) - 1
    number = _STATUS_ORDER[status]
    return number * _STATUS_RANKS, (number + 1) * _STATUS_RANKS


def merit_of(standing: Standing) -> float:
    """What the score of an entry is multiplied by: from 1 to 1.44 with use, proven success and severity."""
    use = min(standing.usage_count.bit_length(), _MOST_USE_BITS) / _MOST_USE_BITS
    severity = _SEVERITY_SHARES.get(standing.severity, 0.0)
    return 1 + _USE_SHARE * use + _SUCCESS_SHARE * _proven(standing) + severity


def _proven(standing: Standing) -> float:
    return success_proven(standing.success_count, standing.success_count + standing.failure_count)
