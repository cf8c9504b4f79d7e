"""The queries behind checks and cleanups: which entries, tags and codes are not as they should be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Length, Trim
from django.utils import timezone

from knowledge.integrity.encoding import SIGNS, damage_found
from knowledge.models import (
    Category,
    Entry,
    EntryAddress,
    EntryCode,
    EntryOrigin,
    EntryStatus,
    EntryTag,
    ErrorCode,
    Feedback,
    Import,
    SearchQuery,
    Severity,
    Tag,
)

#: A label may be made a moment before its entry.
LABEL_AGE = timedelta(days=1)
TEXTS = ("title", "problem", "solution")


def tags_unused() -> QuerySet[Tag]:
    """Tags that no entry has."""
    without = ~Exists(EntryTag.objects.filter(tag=OuterRef("pk")))
    return Tag.objects.filter(without, created_at__lt=timezone.now() - LABEL_AGE)


def codes_unused() -> QuerySet[ErrorCode]:
    """Codes that no entry has, without a meaning and without another name."""
    without = ~Exists(EntryCode.objects.filter(error_code=OuterRef("pk")))
    return ErrorCode.objects.filter(without, aliases=None, meaning="")


def entries_incomplete() -> QuerySet[Entry]:
    """Entries without a field that they need: blank texts, an unknown category or severity."""
    entries = Entry.objects.annotate(**{f"{name}_chars": Length(Trim(name)) for name in TEXTS})
    blank = Q(title_chars__lt=3) | Q(problem_chars__lt=3) | Q(solution_chars__lt=3)
    unknown = ~Q(category__in=Category.values) | ~Q(severity__in=Severity.values)
    return entries.filter(blank | unknown)


def entries_unrendered() -> QuerySet[Entry]:
    """Entries whose page would be empty: the Markdown was never rendered."""
    return Entry.objects.filter(Q(problem_html="") | Q(solution_html=""))


def entries_miscounted() -> Any:
    """Entries whose counters disagree with the votes that are there: `good` and `bad` are the right ones.

    Fewer than the votes is always wrong. More is right for an entry that came with its counters or took over
    those of another one.
    """
    entries = Entry.objects.annotate(good=_votes(worked=True), bad=_votes(worked=False))
    fewer = Q(success_count__lt=F("good")) | Q(failure_count__lt=F("bad"))
    more = Q(success_count__gt=F("good")) | Q(failure_count__gt=F("bad"))
    merged = Exists(EntryAddress.objects.filter(entry=OuterRef("pk")))
    return entries.filter(fewer | (more & Q(origin=EntryOrigin.MANUAL) & ~merged))


def _votes(*, worked: bool) -> Coalesce:
    votes = Feedback.objects.filter(entry=OuterRef("pk"), worked=worked).order_by().values("entry")
    return Coalesce(Subquery(votes.annotate(votes=Count("pk")).values("votes"), output_field=IntegerField()), 0)


def entries_damaged(after: UUID | None = None) -> Iterator[tuple[UUID, str, list[str]]]:
    """Entries with damage of encoding in a text: key, title and the places; those after a key, in its order."""
    sign = Q(*((f"{name}__contains", sign) for name in TEXTS for sign in SIGNS), _connector=Q.OR)
    entries = Entry.objects.filter(sign)
    rows: QuerySet[Any, Any] = (entries.filter(Q(pk__gt=after)) if after else entries).order_by("pk")
    for pk, *texts in rows.values_list("pk", *TEXTS).iterator(chunk_size=500):
        if found := [place for text in texts for place in damage_found(text)]:
            yield pk, texts[0], found


def entries_idle(*, days: int, uses: int) -> QuerySet[Entry]:
    """Published entries that nobody has used or changed for so long, and few ever used."""
    before = timezone.now() - timedelta(days=days)
    entries = Entry.objects.annotate(used_at=Coalesce("last_used_at", "created_at"))
    return entries.filter(status=EntryStatus.PUBLISHED, used_at__lt=before, updated_at__lt=before, usage_count__lt=uses)


def searches_old(*, days: int) -> QuerySet[SearchQuery]:
    """Searches older than so many days."""
    return SearchQuery.objects.filter(created_at__lt=timezone.now() - timedelta(days=days))


def imports_folder() -> Path:
    """Where each import has a folder."""
    return Path(settings.TRANSFER_DIR) / "imports"


def import_folders_stray() -> list[Path]:
    """Folders of imports that no import knows."""
    known = {str(number) for number in Import.objects.values_list("pk", flat=True)}
    return sorted(path for path in imports_folder().glob("*") if path.name not in known)
