"""Entries that say the same, letter for letter or nearly so.

Both searches hold some 50 bytes for each entry, whatever its texts are.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import groupby, pairwise
from struct import unpack
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from knowledge.models import Entry, EntryStatus, SearchDoc
from knowledge.transfer.seen import text_digest

ROWS_PER_FETCH = 2_000
#: Share of their words that two entries have in common to count as nearly the same.
NEARLY = 0.8
#: Entries of fewer different words than this are not compared: too little to go by.
WORDS_LEAST = 8
#: Pairs that are looked at one by one.
PAIRS_MOST = 20_000
#: Smallest hashes of an entry's words, in bands of three: pairs that share 80 % meet in one of four bands 19 times
#: out of 20, pairs that share little hardly ever (MinHash with banding).
_HASHES, _BAND = 12, 3


class NearPair(NamedTuple):
    """Two entries, the older one first, and the share of words in common."""

    one: UUID
    other: UUID
    share: float


def entries_live() -> QuerySet[Entry]:
    """Entries that are not archived."""
    return Entry.objects.exclude(status=EntryStatus.ARCHIVED)


def duplicate_groups() -> list[list[UUID]]:
    """Entries with one title and problem, however spaced and punctuated; the oldest of each group first."""
    digests = array("q", (digest for _pk, digest in _digests()))
    repeated = {one for one, other in pairwise(sorted(digests)) if one == other}
    del digests
    found: dict[int, list[UUID]] = {}
    for pk, digest in _digests() if repeated else ():
        if digest in repeated:
            found.setdefault(digest, []).append(pk)
    return sorted(_oldest_first(group) for group in found.values() if len(group) > 1)


def _digests() -> Iterator[tuple[UUID, int]]:
    rows = entries_live().order_by("pk").values_list("pk", "title", "problem")
    for pk, title, problem in rows.iterator(chunk_size=ROWS_PER_FETCH):
        yield pk, int.from_bytes(text_digest(title, problem)[:8], "big", signed=True)


def _oldest_first(keys: list[UUID]) -> list[UUID]:
    ages = dict(Entry.objects.filter(pk__in=keys).values_list("pk", "created_at"))
    return sorted(ages, key=lambda pk: (ages[pk], pk.hex))


def near_pairs() -> list[NearPair]:
    """Pairs of entries that share most of their words, the most similar first; of at most PAIRS_MOST candidates."""
    keys, bands = bytearray(), [array("q") for _ in range(_HASHES // _BAND)]
    for pk, words in _word_sets(None):
        least = [min(column) for column in zip(*map(_hashes, words), strict=True)]
        keys += pk.bytes
        for number, band in enumerate(bands):
            band.append(hash(tuple(least[number * _BAND : (number + 1) * _BAND])))
    candidates = set[tuple[int, int]]()
    for band in bands:
        candidates |= _meeting(band, PAIRS_MOST - len(candidates))
    pairs = [
        (UUID(bytes=bytes(keys[16 * a : 16 * a + 16])), UUID(bytes=bytes(keys[16 * b : 16 * b + 16])))
        for a, b in candidates
    ]
    return sorted(_compared(pairs), key=lambda pair: (-pair.share, pair.one.hex, pair.other.hex))


def _word_sets(keys: Iterable[UUID] | None) -> Iterator[tuple[UUID, frozenset[str]]]:
    """The analysed words of title and problem, of these entries or of all, where there are enough of them."""
    docs = SearchDoc.objects.exclude(status=EntryStatus.ARCHIVED)
    if keys is not None:
        docs = docs.filter(entry__in=list(keys))
    for pk, title, problem in (
        docs.order_by("rank").values_list("entry_id", "title", "problem").iterator(ROWS_PER_FETCH)
    ):
        words = frozenset(f"{title} {problem}".split())
        if len(words) >= WORDS_LEAST:
            yield pk, words


@lru_cache(maxsize=100_000)
def _hashes(word: str) -> tuple[int, ...]:
    return unpack(f"{_HASHES}I", blake2b(word.encode(), digest_size=4 * _HASHES).digest())


def _meeting(band: array[int], most: int) -> set[tuple[int, int]]:
    """Pairs of positions with one value: the first of each group with the others."""
    found = set[tuple[int, int]]()
    order = sorted(range(len(band)), key=band.__getitem__)
    for _value, group in groupby(order, key=band.__getitem__):
        first, *others = group
        for other in others:
            if len(found) >= most:
                return found
            found.add((first, other))
    return found


def _compared(pairs: list[tuple[UUID, UUID]]) -> Iterator[NearPair]:
    for start in range(0, len(pairs), 200):
        some = pairs[start : start + 200]
        keys = {key for pair in some for key in pair}
        words = dict(_word_sets(keys))
        texts = {
            pk: (created, text_digest(title, problem))
            for pk, created, title, problem in Entry.objects.filter(pk__in=keys).values_list(
                "pk", "created_at", "title", "problem"
            )
        }
        for one, other in some:
            if not {one, other} <= words.keys() & texts.keys() or texts[one][1] == texts[other][1]:
                continue
            share = len(words[one] & words[other]) / len(words[one] | words[other])
            if share >= NEARLY:
                older, newer = sorted((one, other), key=lambda pk: (texts[pk][0], pk.hex))
                yield NearPair(older, newer, round(share, 3))
