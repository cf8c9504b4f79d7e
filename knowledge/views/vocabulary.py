"""Tags and codes: the lists of them, and what is known about one code."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from knowledge.codes.table import CodeKind
from knowledge.listing import entries_listed, tags_counted
from knowledge.models import EntryStatus, ErrorCode
from knowledge.views.links import FilterLink, page_of, url_with

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
    page, paging = page_of(request, Paginator(tags_counted(text), TAGS_PER_PAGE))
    return render(request, "knowledge/tags.html", {"page": page, "paging": paging, "text": text})


@require_safe
def codes(request: HttpRequest) -> HttpResponse:
    """Every code with its meaning and how many published entries mention it."""
    text = filter_text(request)
    kind = request.GET.get("kind", "")[:32].replace("\0", "")
    found = ErrorCode.objects.annotate(
        published=Count("entries", filter=Q(entries__status=EntryStatus.PUBLISHED))
    ).order_by("code")
    if text:
        alias = Q(aliases__alias__startswith=text.lower())
        found = found.filter(Q(pk__in=ErrorCode.objects.filter(alias | Q(code__icontains=text)).values("pk")))
    if kind:
        found = found.filter(kind=kind)
    page, paging = page_of(request, Paginator(found, CODES_PER_PAGE))
    context = {"page": page, "paging": paging, "text": text, "kind": kind, "kinds": kind_links(request, kind)}
    return render(request, "knowledge/codes.html", context)


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
    """What a code means, other names for it, and the entries about it."""
    error_code = get_object_or_404(ErrorCode, code=code.replace("\0", ""))
    entries = entries_listed().filter(status=EntryStatus.PUBLISHED, entrycode__error_code=error_code)
    entries = entries.order_by("entrycode__position", "-usage_count", "pk")[:CODE_ENTRIES_SHOWN]
    about = set(error_code.entrycode_set.filter(position=0).values_list("entry", flat=True))
    own = [entry for entry in entries if entry.pk in about]
    context = {
        "code": error_code,
        "kind": kind_label(error_code.kind),
        "aliases": error_code.aliases.all()[:CODE_ENTRIES_SHOWN],
        "own": own,
        "others": [entry for entry in entries if entry not in own],
        "may_add": request.user.has_perm("knowledge.add_entry"),
    }
    return render(request, "knowledge/code.html", context)
