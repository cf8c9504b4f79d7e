"""The first page: search, what is new, what is used, what there is."""

from __future__ import annotations

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from knowledge.listing import CategoryCount, entries_listed
from knowledge.models import Category, Entry, EntryStatus

SHOWN = 8


def categories_counted() -> list[CategoryCount]:
    """Categories that have published entries, in the order of the list of categories."""
    counts = dict(
        Entry.objects.filter(status=EntryStatus.PUBLISHED)
        .order_by()
        .values_list("category")
        .annotate(entries=Count("pk"))
    )
    return [
        CategoryCount(category=Category(value), count=counts[value]) for value in Category.values if value in counts
    ]


def home(request: HttpRequest) -> HttpResponse:
    """Search first; below it recent and most used entries, and the categories with their counts."""
    published = entries_listed().filter(status=EntryStatus.PUBLISHED)
    categories = categories_counted()
    context = {
        "recent": published.order_by("-updated_at", "pk")[:SHOWN],
        "most_used": published.filter(usage_count__gt=0).order_by("-usage_count", "pk")[:SHOWN],
        "categories": categories,
        "total": sum(category.count for category in categories),
        "may_add": request.user.has_perm("knowledge.add_entry"),
    }
    return render(request, "knowledge/home.html", context)
