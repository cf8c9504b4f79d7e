"""The page of one entry, and the vote on whether it solved the problem."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from knowledge.entries import entry_viewed
from knowledge.feedback import feedback_give
from knowledge.forms import VoteForm
from knowledge.listing import entries_related
from knowledge.models import Entry, EntryAddress, EntryStatus, ErrorCode, Feedback, entry_slug
from knowledge.reading import reading_text
from knowledge.views.following import following_context
from knowledge.views.results import search_opened_by
from knowledge.views.reviews import review_context
from knowledge.views.visitor import (
    entry_or_404,
    entry_visible,
    first_view,
    may_edit,
    visitor_key,
    visitor_user,
)
from migrations_ops.outages import written_if_possible

RELATED_SHOWN = 6
COMMENTS_SHOWN = 5
#: Entries with fewer headings or characters are seen at a glance and get no table of contents.
CONTENTS_HEADINGS = 3
CONTENTS_CHARS = 1_200


@require_safe
def entry(request: HttpRequest, pk: UUID, slug: str = "") -> HttpResponse:
    """One entry, with what goes with it. The first view in a session counts.

    An older title in the address, and the address of an entry that was merged, lead to where it is now.
    """
    found = entry_visible(request, pk)
    if found is None:
        return moved(request, entry_or_404(request, merged_into(pk)))
    if slug and slug != entry_slug(found.title):
        return moved(request, found)
    if request.method == "GET":
        count_view(request, found)
    codes = [link.error_code for link in found.entrycode_set.select_related("error_code").order_by("position")]
    context = {
        **vote_context(request, found),
        **text_context(found, codes),
        **following_context(request, found),
        "codes": codes,
        "tags": found.tags.all(),
        "related": entries_related(found, RELATED_SHOWN),
        "comments": found.feedback.exclude(comment="").select_related("user")[:COMMENTS_SHOWN],
        "now": timezone.now(),
        "permalink": request.build_absolute_uri(found.get_absolute_url()),
        "may": actions_allowed(request, found),
        "review": review_context(request, found),
    }
    return render(request, "knowledge/entry.html", context)


def text_context(entry: Entry, codes: list[ErrorCode]) -> dict[str, Any]:
    """The texts with their codes as links, and the table of contents if they are long enough to want one."""
    links = {code.code: reverse("code", args=[code.code]) for code in codes}
    problem = reading_text(entry.problem_html, links, prefix="p-")
    solution = reading_text(entry.solution_html, links)
    headings = (*problem.headings, *solution.headings)
    long = len(headings) >= CONTENTS_HEADINGS and len(entry.problem) + len(entry.solution) >= CONTENTS_CHARS
    return {"problem": problem.html, "solution": solution.html, "contents": headings if long else ()}


def merged_into(pk: UUID) -> UUID:
    """The id of the entry that took this one over, or the same id."""
    return EntryAddress.objects.filter(old_id=pk).values_list("entry", flat=True).first() or pk


def moved(request: HttpRequest, entry: Entry) -> HttpResponse:
    """The way to the entry's present address. Not a permanent one: a title may change back."""
    query = request.GET.urlencode()
    return redirect(f"{entry.get_absolute_url()}{'?' if query else ''}{query}")


def count_view(request: HttpRequest, entry: Entry) -> None:
    """Count the view of a published entry once a session, and tell the search that led here."""
    with written_if_possible("A view"):
        search_opened_by(request, entry)
        if entry.status == EntryStatus.PUBLISHED and first_view(request, entry):
            entry_viewed(entry=entry)


def actions_allowed(request: HttpRequest, entry: Entry) -> dict[str, bool]:
    """The buttons that this person gets."""
    user = request.user
    publishes = user.has_perm("knowledge.publish_entry")
    return {
        "change": may_edit(request, entry),
        "delete": user.has_perm("knowledge.delete_entry"),
        "merge": user.has_perms(["knowledge.change_entry", "knowledge.delete_entry"]),
        "publish": publishes and entry.status != EntryStatus.PUBLISHED,
        "archive": publishes and entry.status == EntryStatus.PUBLISHED,
    }


def vote_context(request: HttpRequest, entry: Entry, form: VoteForm | None = None) -> dict[str, Any]:
    """What the vote block prints: the entry, the reader's own vote, the form."""
    own = None
    if request.user.is_authenticated or request.session.session_key:
        own = Feedback.objects.filter(entry=entry, voter=visitor_key(request)).first()
    return {"entry": entry, "own_vote": own, "vote_form": form or VoteForm()}


@require_POST
def entry_vote(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Record "worked" or "did not"; a second vote of the same reader replaces the first."""
    found = entry_or_404(request, pk)
    form = VoteForm(request.POST)
    if form.is_valid():
        feedback_give(entry=found, voter=visitor_key(request), user=visitor_user(request), **form.facts())
        found.refresh_from_db()
        if not request.htmx:  # type: ignore[attr-defined]
            messages.success(request, _("Thank you. Your vote is counted."))
            return redirect(found)
    status = 200 if form.is_valid() else 422
    template = "knowledge/_voted.html" if request.htmx else "knowledge/vote.html"  # type: ignore[attr-defined]
    return render(request, template, vote_context(request, found, form), status=status)
