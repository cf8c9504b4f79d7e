"""Entries as lists show them: filters, orders, counts, related entries."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, F, FloatField, Prefetch, Q, QuerySet, TextChoices, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from knowledge.codes import CodeKind
from knowledge.models import Category, Entry, EntryCode, EntryStatus, EntryTag, ErrorCode, Tag

#: What those may see of `tags_counted` and `codes_counted` who see no drafts: a word that somebody typed into a
#: draft as its tag or code is as hidden as the draft. Codes that are recognised or explained are no secret.
TAG_SHOWN = Q(published__gt=0)
CODE_SHOWN = Q(published__gt=0) | ~Q(kind=CodeKind.OTHER) | ~Q(meaning="")
#: Related entries are chosen among at most this many that share a code, and as many that share a tag.
RELATED_CANDIDATES = 200


@dataclass(frozen=True, kw_only=True)
class CategoryCount:
    """How many published entries a category has."""

    category: Category
    count: int


@dataclass(frozen=True, kw_only=True)
class ListFilters:
    """What a list is narrowed to; empty values narrow nothing."""

    category: str = ""
    severity: str = ""
    tag: str = ""
    status: str = EntryStatus.PUBLISHED

    def lookups(self) -> dict[str, str]:
        """The filters as lookups of Entry."""
        named = {
            "category": self.category,
            "severity": self.severity,
            "tags__name": self.tag,
            "status": self.status,
        }
        return {lookup: value for lookup, value in named.items() if value}


class ListOrder(TextChoices):
    """The orders that a list offers."""

    RECENT = "recent", _("Recently changed")
    USED = "used", _("Most used")
    WORKED = "worked", _("Worked most often")
    TITLE = "title", _("Title")


ORDER_FIELDS = {
    ListOrder.RECENT: ("-updated_at", "pk"),
    ListOrder.USED: ("-usage_count", "pk"),
    ListOrder.WORKED: ("-worked_rank", "-success_count", "pk"),
    ListOrder.TITLE: ("title", "pk"),
}


def is_guide(entry: Entry) -> bool:
    """Whether the entry is a guide ("S0C7 how-to: ..."): beside a code they follow the entry of the code itself."""
    return "how-to" in entry.title.lower()


def code_links() -> Prefetch[str, QuerySet[EntryCode], str]:
    """Fetches the codes of entries, their own first, as `entry.code_links`."""
    links = EntryCode.objects.select_related("error_code").order_by("position")
    return Prefetch("entrycode_set", links, to_attr="code_links")


def entries_listed() -> QuerySet[Entry]:
    """Entries without their long texts, with tags and codes in two more queries."""
    texts = ("problem", "solution", "problem_html", "solution_html")
    return Entry.objects.defer(*texts).prefetch_related("tags", code_links())


def entries_filtered(filters: ListFilters, order: ListOrder) -> QuerySet[Entry]:
    """The entries that match, in the order asked for."""
    entries = entries_listed().filter(**filters.lookups())
    if order == ListOrder.WORKED:
        entries = entries.annotate(worked_rank=worked_rank())
    return entries.order_by(*ORDER_FIELDS[order])


def worked_rank() -> Coalesce:
    """Share of votes that say it worked, held down by two imagined failures so that one vote is no proof."""
    votes = F("success_count") + F("failure_count") + Value(2.0, output_field=FloatField())
    return Coalesce(F("success_count") * Value(1.0, output_field=FloatField()) / votes, Value(0.0))


def facet_counts(filters: ListFilters, field: str) -> dict[str, int]:
    """How many entries each value of category or severity has under the other filters."""
    lookups = {lookup: value for lookup, value in filters.lookups().items() if lookup != field}
    return dict(Entry.objects.filter(**lookups).order_by().values_list(field).annotate(entries=Count("pk")))


def tag_counts(filters: ListFilters, limit: int) -> list[tuple[str, int]]:
    """The most frequent tags among the matching entries, with how many entries carry each."""
    lookups = {f"entry__{lookup}": value for lookup, value in filters.lookups().items()}
    return list(
        EntryTag.objects.filter(**lookups)
        .order_by()
        .values_list("tag__name")
        .annotate(entries=Count("entry"))
        .order_by("-entries", "tag__name")[:limit]
    )


def entries_related(entry: Entry, limit: int) -> list[Entry]:
    """Published entries that share codes (weight 3) and tags (weight 1) with this one, best first."""
    scores: Counter[UUID] = Counter()
    codes = EntryCode.objects.filter(error_code__in=entry.codes.values("pk"))
    tags = EntryTag.objects.filter(tag__in=entry.tags.values("pk"))
    for links, weight in ((codes, 3), (tags, 1)):
        shared = links.filter(entry__status=EntryStatus.PUBLISHED).exclude(entry=entry.pk)
        for pk, count in (
            shared.order_by().values_list("entry").annotate(n=Count("pk")).order_by("-n", "entry")[:RELATED_CANDIDATES]
        ):
            scores[pk] += weight * count
    best = sorted(scores, key=lambda pk: (-scores[pk], pk))[:limit]
    found = entries_listed().in_bulk(best)
    return [found[pk] for pk in best]


def tags_counted(text: str = "") -> QuerySet[Tag]:
    """Tags with `published`, how many published entries carry each; the most frequent first."""
    return (
        Tag.objects.filter(name__contains=text.lower())
        .annotate(published=Count("entries", filter=Q(entries__status=EntryStatus.PUBLISHED)))
        .order_by("-published", "name")
    )


def codes_counted() -> QuerySet[ErrorCode]:
    """Codes with `published`, how many published entries mention each."""
    published = Count("entries", filter=Q(entries__status=EntryStatus.PUBLISHED))
    return ErrorCode.objects.annotate(published=published)
