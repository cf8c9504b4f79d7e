"""From models to the shapes of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from knowledge.listing import entries_listed
from knowledge.models import Entry, ErrorCode
from knowledge.search import SearchHit


def entry_summary(request: HttpRequest, entry: Entry) -> dict[str, Any]:
    """An entry that has its `code_links` fetched."""
    return {
        "id": entry.pk,
        "title": entry.title,
        "url": request.build_absolute_uri(entry.get_absolute_url()),
        "category": entry.category,
        "severity": entry.severity,
        "status": entry.status,
        "tags": sorted(tag.name for tag in entry.tags.all()),
        "codes": [link.error_code.code for link in entry.code_links],  # type: ignore[attr-defined]
        "success": {"votes": entry.votes, "worked": entry.success_count, "percent": entry.success_percent},
        "views": entry.usage_count,
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
    }


def entry_answer(request: HttpRequest, entry: Entry) -> dict[str, Any]:
    """A whole entry."""
    listed = entries_listed().defer(None).get(pk=entry.pk)
    texts = {"problem": listed.problem, "solution": listed.solution, "version": listed.version}
    return {**entry_summary(request, listed), **texts}


def hit_answer(request: HttpRequest, hit: SearchHit) -> dict[str, Any]:
    """An entry that fits a search."""
    return {
        **entry_summary(request, hit.entry),
        "score": hit.score,
        "promoted": hit.promoted,
        "snippet_html": hit.snippet_html,
    }


def code_summary(request: HttpRequest, code: ErrorCode) -> dict[str, Any]:
    """A code that was annotated with `published`."""
    return {
        "code": code.code,
        "kind": code.kind,
        "meaning": code.meaning,
        "url": request.build_absolute_uri(reverse("code", args=[code.code])),
        "entries": code.published,  # type: ignore[attr-defined]
    }


def page_facts(request: HttpRequest, *, page: int, page_size: int, total: int, capped: bool = False) -> dict[str, Any]:
    """Where a list is, with the address of its next page."""
    query = request.GET.copy()
    query["page"] = str(page + 1)
    following = page * page_size < total
    return {
        "page": page,
        "page_size": page_size,
        "total": total,
        "total_capped": capped,
        "next": request.build_absolute_uri(f"{request.path}?{query.urlencode()}") if following else None,
    }


def page_of(rows: QuerySet[Any], facts: Mapping[str, Any]) -> list[Any]:
    """The rows of that page."""
    first = (facts["page"] - 1) * facts["page_size"]
    return list(rows[first : first + facts["page_size"]])
