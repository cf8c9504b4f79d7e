"""Codes around a code: those that come up with it in entries, and those of the same family."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from knowledge.codes import CodeKind
from knowledge.models import EntryCode, EntryStatus, ErrorCode

RELATED_SHOWN = 12
NEARBY_SHOWN = 12
#: A family with fewer others than this is widened by a character.
NEARBY_ENOUGH = 3
#: Letters and digits that a family keeps at least, so that not everything is nearby.
FAMILY_CHARS = 2


@dataclass(frozen=True, slots=True)
class CodeNeighbour:
    """A code beside the one that is read; `entries` counts what the list is about."""

    code: str
    meaning: str
    entries: int


def codes_related(code: ErrorCode) -> list[CodeNeighbour]:
    """The codes that published entries mention together with this one, the most frequent first."""
    together = EntryCode.objects.filter(error_code=code.pk, entry__status=EntryStatus.PUBLISHED).values("entry")
    counted = (
        EntryCode.objects.filter(entry__in=together)
        .exclude(error_code=code.pk)
        .order_by()
        .values_list("error_code__code", "error_code__meaning")
        .annotate(entries=Count("entry"))
        .order_by("-entries", "error_code__code")
    )
    return [CodeNeighbour(*row) for row in counted[:RELATED_SHOWN]]


def codes_nearby(code: str, kind: str) -> list[CodeNeighbour]:
    """The codes of the same kind that begin alike: S0C4 and S0CB beside S0C7, SQLCODE -80x beside -803.

    The longest common beginning that gives enough of them.
    """
    family = ErrorCode.objects.filter(kind=kind).exclude(code=code)
    found: list[CodeNeighbour] = []
    for beginning in _beginnings(code):
        found = _counted(family.filter(code__startswith=beginning))
        if len(found) >= NEARBY_ENOUGH:
            break
    return found


def _beginnings(code: str) -> list[str]:
    """Beginnings of a code from long to short: without its last letters and digits, at most three of them."""
    stem = code[:-1] if code[-1:].isalpha() and code[-2:-1].isdigit() and len(code) > 4 else code
    first = stem.rfind(" ") + 1  # the word in "SQLCODE -803" belongs to every family
    least = first + FAMILY_CHARS
    return [stem[:length] for length in range(len(stem) - 1, max(least, len(stem) - 4) - 1, -1)]


def _counted(codes: QuerySet[ErrorCode]) -> list[CodeNeighbour]:
    published = Count("entries", filter=Q(entries__status=EntryStatus.PUBLISHED))
    # What only drafts have as a code of their own making is as hidden as they are.
    shown = codes.annotate(published=published).filter(Q(published__gt=0) | ~Q(kind=CodeKind.OTHER))
    rows = shown.order_by("code").values_list("code", "meaning", "published")
    return [CodeNeighbour(*row) for row in rows[:NEARBY_SHOWN]]
