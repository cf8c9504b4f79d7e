"""Entries to walk through: by category, tag and severity."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from knowledge.listing import ListFilters, ListOrder, entries_filtered, facet_counts, tag_counts
from knowledge.views.filters import (
    TAGS_SHOWN,
    category_given,
    choice_given,
    filter_groups,
    severity_given,
    status_given,
    tag_given,
)
from knowledge.views.links import order_links, page_of

ENTRIES_PER_PAGE = 25


@require_safe
def browse(request: HttpRequest) -> HttpResponse:
    """Entries page by page, narrowed by the filters in the address."""
    filters = ListFilters(
        category=category_given(request),
        severity=severity_given(request),
        tag=tag_given(request),
        status=status_given(request),
    )
    order = ListOrder(choice_given(request, "order", ListOrder) or ListOrder.RECENT)
    page, paging = page_of(request, Paginator(entries_filtered(filters, order), ENTRIES_PER_PAGE))
    context = {
        "page": page,
        "paging": paging,
        "filters": filters,
        "groups": filter_groups(
            request,
            categories=facet_counts(filters, "category"),
            severities=facet_counts(filters, "severity"),
            tags=tag_counts(filters, TAGS_SHOWN),
        ),
        "orders": order_links(request, ListOrder, order),
        "clear_url": request.path if request.GET else "",
        "may_add": request.user.has_perm("knowledge.add_entry"),
    }
    return render(request, "knowledge/browse.html", context)
