"""Merging duplicates: choose the other entry, see what moves, confirm."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from knowledge.errors import KnowledgeError
from knowledge.merging import entry_merge, merge_preview
from knowledge.models import Entry, EntryReview
from knowledge.views.assist import compared_texts, similar
from knowledge.views.reviews import ReviewState
from knowledge.views.visitor import entry_or_404, entry_visible, visitor_user

QUERY_CHARS = 500
PERMISSIONS = ("knowledge.change_entry", "knowledge.delete_entry")


@login_required
@permission_required(PERMISSIONS, raise_exception=True)
def merge(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The entry of the address is kept; `with` names the one that becomes part of it."""
    kept = entry_or_404(request, pk)
    named = (request.POST if request.method == "POST" else request.GET).get("with", "")
    if not named:
        return choose(request, kept)
    duplicate = entry_named(request, named)
    if request.method == "POST":
        return merged(request, kept, duplicate)
    try:
        preview = merge_preview(kept=kept, duplicate=duplicate)
    except KnowledgeError as error:
        return choose(request, kept, refused=str(error), other=duplicate)
    return render(request, "knowledge/merge.html", {"preview": preview, "entry": kept, "sides": sides(kept, duplicate)})


def entry_named(request: HttpRequest, text: str) -> Entry:
    """The entry with this id, if this person sees it."""
    try:
        found = entry_visible(request, UUID(text))
    except ValueError:
        raise Http404 from None
    if found is None:
        raise Http404
    return found


def choose(request: HttpRequest, entry: Entry, *, refused: str = "", other: Entry | None = None) -> HttpResponse:
    """Entries that may say the same, or those that a search finds; why the one that was chosen cannot be."""
    text = request.GET.get("q", "")[:QUERY_CHARS]
    found = similar(request, [text] if text.strip() else compared_texts(entry.title, entry.problem), entry.pk)
    context = {"entry": entry, "found": found, "text": text, "refused": refused, "other": other}
    return render(request, "knowledge/merge_choose.html", context, status=409 if refused else 200)


def sides(kept: Entry, duplicate: Entry) -> list[tuple[Entry, ReviewState, bool]]:
    """Both entries with their state of review, and whether it is the kept one."""
    states = {review.pk: review for review in EntryReview.objects.filter(entry__in=[kept.pk, duplicate.pk])}
    return [(entry, ReviewState.of(states.get(entry.pk)), entry is kept) for entry in (kept, duplicate)]


def merged(request: HttpRequest, kept: Entry, duplicate: Entry) -> HttpResponse:
    """Merge as confirmed, and go to what is there now."""
    try:
        entry_merge(
            kept=kept,
            duplicate=duplicate,
            kept_version=version_seen(request, "kept_version"),
            duplicate_version=version_seen(request, "duplicate_version"),
            author=visitor_user(request),
        )
    except KnowledgeError as error:
        messages.error(request, str(error))
        return redirect(f"{request.path}?with={duplicate.pk}")
    messages.success(request, _("“%(title)s” is part of this entry now.") % {"title": duplicate.title})
    return redirect(kept)


def version_seen(request: HttpRequest, name: str) -> int:
    """A version as the page sent it; 0, which no entry has, for anything else."""
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
