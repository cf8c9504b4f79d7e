"""Tags and codes: the lists of them, and what is known about one code."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from knowledge.codes import Code, CodeKind, code_normalize
from knowledge.listing import CODE_SHOWN, TAG_SHOWN, codes_counted, entries_listed, is_guide, tags_counted
from knowledge.models import CodeAlias, Entry, EntryStatus, ErrorCode
from knowledge.neighbours import codes_nearby, codes_related
from knowledge.text import storable
from knowledge.views.links import FilterLink, page_of, url_with
from knowledge.views.visitor import sees_all

TAGS_PER_PAGE = 240
CODES_PER_PAGE = 100
CODE_ENTRIES_SHOWN = 50
FILTER_TEXT_CHARS = 64


def filter_text(request: HttpRequest) -> str:
    """What was typed into the small filter box of a list."""
    return request.GET.get("q", "").replace("\0", "").strip()[:FILTER_TEXT_CHARS]


@require_safe
def tags(request: HttpRequest) -> HttpResponse:
    """Every tag with how many published entries carry it."""
    text = filter_text(request)
    found = tags_counted(text).filter(Q() if sees_all(request) else TAG_SHOWN)
    page, paging = page_of(request, Paginator(found, TAGS_PER_PAGE))
    return render(request, "knowledge/tags.html", {"page": page, "paging": paging, "text": text})


@require_safe
def codes(request: HttpRequest) -> HttpResponse:
    """Every code with its meaning and how many published entries mention it."""
    text = filter_text(request)
    kind = request.GET.get("kind", "")[:32].replace("\0", "")
    found = codes_shown(request).order_by("code")
    if text:
        alias = Q(aliases__alias__startswith=text.lower())
        found = found.filter(Q(pk__in=ErrorCode.objects.filter(alias | Q(code__icontains=text)).values("pk")))
    if kind:
        found = found.filter(kind=kind)
    page, paging = page_of(request, Paginator(found, CODES_PER_PAGE))
    context = {"page": page, "paging": paging, "text": text, "kind": kind, "kinds": kind_links(request, kind)}
    return render(request, "knowledge/codes.html", context)


def codes_shown(request: HttpRequest) -> QuerySet[ErrorCode]:
    """The codes that this person may see."""
    return codes_counted().filter(Q() if sees_all(request) else CODE_SHOWN)


def kind_links(request: HttpRequest, active: str) -> list[FilterLink]:
    """A link for each kind of code that there is, with how many codes it has."""
    counts = ErrorCode.objects.order_by("kind").values_list("kind").annotate(codes=Count("pk"))
    return [
        FilterLink(
            label=kind_label(kind),
            url=url_with(request, kind=None if kind == active else kind),
            count=str(count),
            active=kind == active,
        )
        for kind, count in counts
    ]


def kind_label(kind: str) -> str:
    """A kind of code in words."""
    return str(CodeKind(kind).label) if kind in CodeKind.values else kind


@require_safe
def code(request: HttpRequest, code: str) -> HttpResponse:
    """What a code means, other names for it, the entries about it and the codes around it.

    Other spellings and names lead to the canonical one. A code that is recognised but that no entry
    mentions has a page too, so that somebody can write the first one.
    """
    asked = storable(code)
    error_code = codes_shown(request).filter(code=asked).first()
    if error_code is None:
        named = code_canonical(asked)
        if named is None:
            raise Http404
        if named.code != asked:
            return redirect("code", named.code)
        error_code = ErrorCode(code=named.code, kind=named.kind)
    return render(request, "knowledge/code.html", code_context(request, error_code))


def code_canonical(text: str) -> Code | None:
    """The code that a spelling or another name means."""
    alias = CodeAlias.objects.select_related("error_code").filter(alias=text.lower()).first()
    return Code(alias.error_code.code, alias.error_code.kind) if alias else code_normalize(text)


def code_context(request: HttpRequest, error_code: ErrorCode) -> dict[str, Any]:
    """What the page of a code prints."""
    entries: list[Entry] = []
    about: set[UUID] = set()
    if error_code.pk:
        found = entries_listed().filter(status=EntryStatus.PUBLISHED, entrycode__error_code=error_code)
        entries = list(found.order_by("entrycode__position", "-usage_count", "pk")[:CODE_ENTRIES_SHOWN])
        about = set(error_code.entrycode_set.filter(position=0).values_list("entry", flat=True))
    return {
        "code": error_code,
        "kind": kind_label(error_code.kind),
        "aliases": error_code.aliases.all()[:CODE_ENTRIES_SHOWN] if error_code.pk else (),
        "own": sorted((entry for entry in entries if entry.pk in about), key=is_guide),
        "others": [entry for entry in entries if entry.pk not in about],
        "related": codes_related(error_code) if error_code.pk else (),
        "nearby": codes_nearby(error_code.code, error_code.kind),
        "may_add": request.user.has_perm("knowledge.add_entry"),
        "first_entry_url": f"{reverse('entry_create')}?{urlencode({'codes': error_code.code})}",
    }
