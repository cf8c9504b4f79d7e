"""What the API answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.db.models import Q, prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.urls import reverse
from ninja import NinjaAPI, Query, Schema
from pydantic import AwareDatetime, Field

from knowledge.api.access import CallerAccess
from knowledge.api.answers import FAILURES, CodeAnswer, CodePage, EntryAnswer, EntryPage, SearchPage
from knowledge.api.failures import failures_shaped
from knowledge.api.logs import logs_router
from knowledge.api.present import (
    code_summary,
    entry_answer,
    entry_summary,
    hit_answer,
    page_facts,
    page_of,
)
from knowledge.codes import CodeKind, code_given
from knowledge.errors import StatusHiddenError
from knowledge.listing import entries_listed
from knowledge.models import Category, CodeAlias, EntryAddress, EntryStatus, Severity
from knowledge.search import SearchFilters, SearchOrder, entry_search
from knowledge.searches import search_record
from knowledge.text import storable
from knowledge.views.visitor import entry_visible, sees_all, visitor_user
from knowledge.views.vocabulary import codes_shown
from migrations_ops.outages import written_if_possible

PAGE_SIZE_MOST = 100
TEXT_CHARS = 2_000
CODE_ENTRIES = 50

api = NinjaAPI(
    title="Mainframe knowledge base",
    version="1",
    description='Read and search the knowledge base. Errors have one shape: `{"error": {"code", "message"}}`.',
    urls_namespace="api",
    docs_url=None,
    auth=CallerAccess(),
)
failures_shaped(api)

api.add_router("", logs_router)


class Paged(Schema):
    """Where in a list."""

    page: int = Field(1, ge=1, le=100_000)
    page_size: int = Field(20, ge=1, le=PAGE_SIZE_MOST)


class Narrowed(Paged):
    """What every entry of the answer must have."""

    category: Category | None = None
    severity: Severity | None = None
    tag: str = Field("", max_length=64)
    status: EntryStatus = Field(
        EntryStatus.PUBLISHED, description="Others than published: for staff and those who may edit."
    )


class SearchAsked(Narrowed):
    """A search."""

    q: str = Field(max_length=TEXT_CHARS, description="Code, message line or words, as in the search box.")
    code: str = Field("", max_length=64, description="A code that the entry must mention, in any spelling.")
    order: SearchOrder = Field(SearchOrder.BEST, description="Of more than 1,000 results the most used are sorted.")


class ListAsked(Narrowed):
    """A list of entries."""

    updated_since: AwareDatetime | None = Field(None, description="Changed at or after, ISO 8601 with time zone.")


class CodesAsked(Paged):
    """A list of codes."""

    q: str = Field("", max_length=64, description="Part of a code, or the beginning of another name for one.")
    kind: CodeKind | None = None


@api.get("/search", response={200: SearchPage, **FAILURES}, summary="Search", tags=["Entries"], operation_id="search")
def search(request: HttpRequest, asked: Annotated[SearchAsked, Query()]) -> dict[str, Any]:
    """The entries that fit best. The first page is kept in the search history, as for people."""
    _status_checked(request, asked.status)
    code = code_given(storable(asked.code))
    filters = SearchFilters(
        category=asked.category or "",
        severity=asked.severity or "",
        tag=storable(asked.tag).strip().lower(),
        code=code.code if code else "",
        status=asked.status,
    )
    results = entry_search(asked.q, filters=filters, page=asked.page, page_size=asked.page_size, order=asked.order)
    prefetch_related_objects([hit.entry for hit in results.hits], "tags")
    if results.page == 1:
        with written_if_possible("A search"):
            search_record(results=results, searcher=request.auth.key, user=visitor_user(request))  # type: ignore[attr-defined]
    facts = page_facts(
        request, page=results.page, page_size=results.page_size, total=results.total, capped=results.total_capped
    )
    return {
        **facts,
        "items": [hit_answer(request, hit) for hit in results.hits],
        "codes": [{"code": one.code, "kind": one.kind} for one in results.codes],
        "did_you_mean": results.did_you_mean,
        "elapsed_ms": results.elapsed_ms,
    }


@api.get(
    "/entries", response={200: EntryPage, **FAILURES}, summary="List entries", tags=["Entries"], operation_id="entries"
)
def entries(request: HttpRequest, asked: Annotated[ListAsked, Query()]) -> dict[str, Any]:
    """Entries, the most recently changed first. With updated_since a copy elsewhere can be kept up to date."""
    _status_checked(request, asked.status)
    found = entries_listed().filter(status=asked.status)
    wanted: dict[str, str | datetime | None] = {
        "category": asked.category,
        "severity": asked.severity,
        "tags__name": storable(asked.tag).strip().lower() or None,
        "updated_at__gte": asked.updated_since,
    }
    found = found.filter(**{lookup: value for lookup, value in wanted.items() if value is not None})
    facts = page_facts(request, page=asked.page, page_size=asked.page_size, total=found.count())
    rows = page_of(found.order_by("-updated_at", "pk"), facts)
    return {**facts, "items": [entry_summary(request, entry) for entry in rows]}


@api.get(
    "/entries/{uuid:entry_id}",
    response={200: EntryAnswer, **FAILURES},
    summary="One entry",
    tags=["Entries"],
    operation_id="entry",
)
def entry(request: HttpRequest, entry_id: UUID) -> Any:
    """A whole entry. The address of one that was merged leads to the entry that took it in (302). Does not count as a view."""
    found = entry_visible(request, entry_id)
    if found:
        return entry_answer(request, found)
    merged = EntryAddress.objects.filter(old_id=entry_id).first()
    if merged is None or entry_visible(request, merged.entry_id) is None:
        raise Http404
    return HttpResponseRedirect(reverse("api:entry", args=[merged.entry_id]))


@api.get("/codes", response={200: CodePage, **FAILURES}, summary="List codes", tags=["Codes"], operation_id="codes")
def codes(request: HttpRequest, asked: Annotated[CodesAsked, Query()]) -> dict[str, Any]:
    """Codes in canonical form with their meanings."""
    found = codes_shown(request)
    if text := storable(asked.q).strip():
        named = Q(pk__in=CodeAlias.objects.filter(alias__startswith=text.lower()).values("error_code"))
        found = found.filter(named | Q(code__icontains=text))
    if asked.kind:
        found = found.filter(kind=asked.kind)
    facts = page_facts(request, page=asked.page, page_size=asked.page_size, total=found.count())
    rows = page_of(found.order_by("code"), facts)
    return {**facts, "items": [code_summary(request, row) for row in rows]}


@api.get(
    "/codes/{path:code}",
    response={200: CodeAnswer, **FAILURES},
    summary="One code",
    tags=["Codes"],
    operation_id="code",
)
def code(request: HttpRequest, code: str) -> dict[str, Any]:
    """A code in any spelling (S0C7, soc7, -803), with its other names and the entries about it."""
    given = code_given(storable(code))
    row = codes_shown(request).filter(code=given.code).first() if given else None
    if row is None:
        raise Http404
    found = entries_listed().filter(status=EntryStatus.PUBLISHED, entrycode__error_code=row)
    rows = found.order_by("entrycode__position", "-usage_count", "pk")[:CODE_ENTRIES]
    aliases = list(row.aliases.order_by("alias").values_list("alias", flat=True))
    items = [entry_summary(request, one) for one in rows]
    return {**code_summary(request, row), "aliases": aliases, "items": items}


def _status_checked(request: HttpRequest, status: str) -> None:
    if status != EntryStatus.PUBLISHED and not sees_all(request):
        raise StatusHiddenError(status=status)
