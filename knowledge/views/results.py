"""Search results: the whole page, or only the results while a person types."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from knowledge.models import Entry, ErrorCode
from knowledge.search import SearchFilters, SearchOrder, SearchResults, entry_search
from knowledge.searches import search_opened, search_record
from knowledge.views.filters import (
    TAGS_SHOWN,
    category_given,
    choice_given,
    filter_groups,
    severity_given,
    status_given,
    tag_given,
)
from knowledge.views.fragments import entry_facts
from knowledge.views.links import order_links, page_number, paging, url_with
from knowledge.views.visitor import visitor_address, visitor_key, visitor_user
from migrations_ops.outages import written_if_possible

QUERY_CHARS = 500
RESULTS_PER_PAGE = 20
SEARCH_PARAMETER = "s"


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Ranked entries for the query and filters in the address; kept in the search history."""
    text = request.GET.get("q", "")[:QUERY_CHARS]
    filters = SearchFilters(
        category=category_given(request),
        severity=severity_given(request),
        tag=tag_given(request),
        status=status_given(request),
    )
    order = SearchOrder(choice_given(request, "order", SearchOrder) or SearchOrder.BEST)
    kept = filters.as_dict() | ({"order": order.value} if order != SearchOrder.BEST else {})
    context: dict[str, Any] = {"text": text, "filters": kept, "results": None}
    if text.strip():
        page = page_number(request)
        results = entry_search(text, filters=filters, page=page, page_size=RESULTS_PER_PAGE, order=order, counted=True)
        context |= results_context(request, results) | {"orders": order_links(request, SearchOrder, order)}
    template = "knowledge/_results.html" if request.htmx else "knowledge/results.html"  # type: ignore[attr-defined]
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def results_context(request: HttpRequest, results: SearchResults) -> dict[str, Any]:
    """What the results block prints."""
    facets = results.facets  # first: how many there are, which the history keeps, is counted with them
    record = None
    if results.page == 1 and request.method == "GET":
        with written_if_possible("A search"):
            record = search_record(
                results=results,
                searcher=visitor_key(request),
                user=visitor_user(request),
                address=visitor_address(request),
            )
    return {
        "results": results,
        "lines": [(hit, entry_facts(hit.entry)) for hit in results.hits],
        "summary": results_summary(results),
        "opened_query": f"?{SEARCH_PARAMETER}={record.pk}" if record else "",
        "paging": paging(request, number=min(results.page, results.page_count), last=results.page_count),
        "groups": filter_groups(
            request,
            categories={facet.value: facet.count for facet in facets.category},
            severities={facet.value: facet.count for facet in facets.severity},
            tags=[(facet.value, facet.count) for facet in facets.tag[:TAGS_SHOWN]],
        ),
        "codes": ErrorCode.objects.filter(code__in=[code.code for code in results.codes]) if results.codes else (),
        "unfiltered_url": url_with(request, category=None, severity=None, tag=None, status=None)
        if results.filters.as_dict()
        else "",
        "meant_url": url_with(request, q=results.did_you_mean) if results.did_you_mean else "",
        "may_add": request.user.has_perm("knowledge.add_entry"),
    }


def results_summary(results: SearchResults) -> str:
    """How many results there are and how long it took, in words."""
    facts = {"total": f"{results.total:,}{'+' if results.total_capped else ''}", "ms": f"{results.elapsed_ms:.1f}"}
    if results.total == 1 and not results.total_capped:
        return _("1 entry in %(ms)s ms") % facts
    return _("%(total)s entries in %(ms)s ms") % facts


def search_opened_by(request: HttpRequest, entry: Entry) -> None:
    """Note in the search history that the search named in the address led to this entry."""
    given = request.GET.get(SEARCH_PARAMETER, "")
    if given.isascii() and given.isdigit() and len(given) < 19:
        search_opened(search_id=int(given), entry=entry, searcher=visitor_key(request))
