"""The terms of the index: how many published entries hold each, what a beginning may become, what a slip meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from django.db import connection, transaction

from knowledge.search.rows import one_of, rows, rows_prepared
from knowledge.search.storing import STATEMENT_ROWS, rows_add, sliced

#: The term that every published entry has.
EVERY = ""
#: What an unfinished word may become: this many terms, the most frequent ones of the first so many.
BECOMES = 12
BEGINNINGS_READ = 2_000
#: Words that are put right; shorter ones have too many neighbours.
SLIP_CHARS = (5, 24)
WRITE_ROWS = 5_000

_LAST = "\U0010ffff"


def frequencies(terms: Iterable[str]) -> dict[str, int]:
    """How many published entries hold each of these terms; terms that none holds are left out."""
    wanted = list(dict.fromkeys(terms))
    return {term: int(df) for term, df in rows_prepared(*frequencies_question(wanted))} if wanted else {}


def frequencies_question(wanted: Sequence[str]) -> tuple[str, list[Any]]:
    """SELECT of the terms among these that published entries hold, and of how many."""
    chosen, params = one_of("term", wanted)
    return f"SELECT term, sum(df) AS df FROM kb_search_terms WHERE {chosen} GROUP BY term HAVING sum(df) > 0", params


def becoming_question(beginning: str) -> tuple[str, list[Any]]:
    """SELECT of the most frequent terms that begin like this, and of how many published entries hold them."""
    near = f"SELECT term, df FROM kb_search_terms WHERE term >= %s AND term < %s ORDER BY term LIMIT {BEGINNINGS_READ}"
    sql = f"SELECT term, sum(df) AS df FROM ({near}) AS near GROUP BY term HAVING sum(df) > 0 ORDER BY 2 DESC, 1"
    return f"{sql} LIMIT {BECOMES}", [beginning, beginning + _LAST]


def meant(word: str) -> str:
    """The most frequent term that is one slip from a word that no entry has; empty when there is none.

    A slip is a letter too many, too few, wrong, or changed with its neighbour; the first letter is right.
    """
    if not correctable(word):
        return ""
    found = frequencies(row[0] for row in _near(word))
    near = [term for term in found if _one_slip(word, term)]
    return min(near, key=lambda term: (-found[term], term)) if near else ""


def correctable(word: str) -> bool:
    """Whether slips in this word can be told from other words and from codes and names."""
    return SLIP_CHARS[0] <= len(word) <= SLIP_CHARS[1] and word.isascii() and word.isalpha()


def terms_count(changes: Mapping[str, int]) -> None:
    """Add to the frequency of each term, in the transaction of the caller.

    Takes up the rows of the terms that nobody else is changing just now and leaves one for each.
    """
    changed = {term: change for term, change in changes.items() if change}
    with transaction.atomic():
        for some in sliced(sorted(changed), WRITE_ROWS):
            old = _rows_taken(some)
            sums = {term: changed[term] for term in some}
            for _, term, df in old:
                sums[term] += df
            rows_add("kb_search_terms", ("term", "df"), [(term, df) for term, df in sums.items() if df])
            known = {term for _, term, _ in old}
            grams_add(term for term in some if changed[term] > 0 and term not in known)


def _rows_taken(some: Sequence[str]) -> list[tuple[int, str, int]]:
    """The rows of these terms that nobody else holds, which are gone after this."""
    chosen, params = one_of("term", some)
    sql = f"SELECT id, term, df FROM kb_search_terms WHERE {chosen}"
    found = rows(f"{sql} FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else sql, params)
    if found:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM kb_search_terms WHERE id IN ({', '.join(str(row[0]) for row in found)})")
    return found


def grams_add(terms: Iterable[str]) -> None:
    """Make these terms known to `meant`."""
    pairs = [(gram, term) for term in terms if correctable(term) for gram in sorted(_grams(term))]
    for some in sliced(pairs, STATEMENT_ROWS):
        sql = f"INSERT INTO kb_search_grams (gram, term) VALUES {', '.join(['(%s, %s)'] * len(some))}"
        with connection.cursor() as cursor:
            cursor.execute(f"{sql} ON CONFLICT DO NOTHING", list(chain.from_iterable(some)))


def _near(word: str) -> list[tuple[str]]:
    chosen, params = one_of("gram", sorted(_grams(word)))
    return rows_prepared(f"SELECT DISTINCT term FROM kb_search_grams WHERE {chosen}", params)


def _grams(word: str) -> set[str]:
    """The word and what is left of it without one letter; never without the first."""
    return {word, *(word[:at] + word[at + 1 :] for at in range(1, len(word)))}


def _one_slip(word: str, term: str) -> bool:
    """Whether one letter more, less, other or two changed over make one word of the other."""
    start = next((at for at, (one, two) in enumerate(zip(word, term, strict=False)) if one != two), None)
    if start is None:
        return abs(len(word) - len(term)) <= 1
    rest, other = word[start:], term[start:]
    swapped = rest[1:2] + rest[:1] + rest[2:]
    return rest[1:] == other or rest == other[1:] or rest[1:] == other[1:] or swapped == other
