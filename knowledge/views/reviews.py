"""What waits for a reviewer, one's own drafts, and the buttons of a review on an entry's page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from knowledge.entries import entry_publish
from knowledge.errors import KnowledgeError, ReviewDateError
from knowledge.listing import code_links
from knowledge.models import Entry, EntryReview, EntryStatus, Validation
from knowledge.reviews import (
    REVIEW_EVERY,
    entries_never_reviewed,
    entry_drafts,
    review_ask,
    review_due_first,
    review_due_last,
    review_hold,
    review_validate,
    reviews_asked,
    reviews_due_soon,
    reviews_overdue,
)
from knowledge.views.links import page_of, url_with
from knowledge.views.visitor import entry_or_404, may_edit, visitor_user

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

#: Longer lists are cut here; who works on one sees the rest come up.
LISTED_MOST = 1_000
ENTRIES_PER_PAGE = 25


@dataclass(frozen=True, kw_only=True)
class ReviewList:
    """One of the lists of the page."""

    title: StrOrPromise
    #: What it means that it is empty.
    empty: StrOrPromise
    entries: Callable[[date], QuerySet[Entry]]


LISTS = {
    "asked": ReviewList(
        title=gettext_lazy("To review"),
        empty=gettext_lazy("Nobody asks for a review."),
        entries=lambda today: reviews_asked(),
    ),
    "overdue": ReviewList(
        title=gettext_lazy("Overdue"), empty=gettext_lazy("No review is past its day."), entries=reviews_overdue
    ),
    "soon": ReviewList(
        title=gettext_lazy("Due soon"),
        empty=gettext_lazy("No review is due in the next 30 days."),
        entries=reviews_due_soon,
    ),
    "never": ReviewList(
        title=gettext_lazy("Never reviewed"),
        empty=gettext_lazy("Every published entry has been reviewed or waits for it."),
        entries=lambda today: entries_never_reviewed(),
    ),
    "drafts": ReviewList(
        title=gettext_lazy("Drafts"), empty=gettext_lazy("There is no draft."), entries=lambda today: entry_drafts()
    ),
}


@dataclass(frozen=True, kw_only=True)
class ListTab:
    """A link to one of the lists."""

    title: StrOrPromise
    url: str
    count: str
    active: bool


@require_safe
@login_required
@permission_required("knowledge.validate_entry", raise_exception=True)
def reviews(request: HttpRequest) -> HttpResponse:
    """The entries that want a reviewer, list by list."""
    today = timezone.localdate()
    counts = {name: one.entries(today)[: LISTED_MOST + 1].count() for name, one in LISTS.items()}
    shown = request.GET.get("show", "")
    if shown not in LISTS:
        shown = next((name for name in ("overdue", "asked", "soon") if counts[name]), "asked")
    context = {
        **listed(request, LISTS[shown].entries(today)),
        "shown": LISTS[shown],
        "today": today,
        "tabs": [
            ListTab(
                title=one.title,
                url=url_with(request, show=name),
                count=f"{counts[name]:,}" if counts[name] <= LISTED_MOST else f"{LISTED_MOST:,}+",
                active=name == shown,
            )
            for name, one in LISTS.items()
        ],
    }
    return render(request, "knowledge/reviews.html", context)


@require_safe
@login_required
def drafts(request: HttpRequest) -> HttpResponse:
    """One's own drafts."""
    context = {
        **listed(request, entry_drafts(visitor_user(request))),
        "may_add": request.user.has_perm("knowledge.add_entry"),
    }
    return render(request, "knowledge/drafts.html", context)


def listed(request: HttpRequest, entries: QuerySet[Entry]) -> dict[str, Any]:
    """One page of a list, each entry with its `state` of review."""
    texts = ("problem", "solution", "problem_html", "solution_html")
    rows = entries.defer(*texts).select_related("review__reviewed_by", "created_by", "updated_by")
    page, paging = page_of(request, Paginator(rows.prefetch_related(code_links())[:LISTED_MOST], ENTRIES_PER_PAGE))
    for entry in page:
        entry.state = ReviewState.of(getattr(entry, "review", None))
    return {"page": page, "paging": paging}


@dataclass(frozen=True, kw_only=True)
class ReviewState:
    """How far an entry is trusted, ready to print."""

    validation: str
    label: StrOrPromise
    #: Modifier of the badge.
    css: str
    review: EntryReview | None
    overdue: bool

    @classmethod
    def of(cls, review: EntryReview | None) -> ReviewState:
        """The state; without a row an entry is not validated."""
        validation = Validation(review.validation if review else Validation.NOT_VALIDATED)
        overdue = bool(review and review.due_on and review.due_on < timezone.localdate())
        css = {Validation.VALIDATED: "ok", Validation.WIP: "warn"}.get(validation, "neutral")
        return cls(
            validation=validation,
            label=validation.label,
            css="warn" if overdue else css,
            review=review,
            overdue=overdue,
        )


class ValidateForm(forms.Form):
    """The version that was read, and when it is to be read again."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    due_on = forms.DateField(
        label=gettext_lazy("Next review"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )


def review_context(request: HttpRequest, entry: Entry) -> dict[str, Any]:
    """What the review block of an entry's page prints."""
    state = ReviewState.of(EntryReview.objects.filter(entry=entry).select_related("reviewed_by").first())
    today = timezone.localdate()
    form = ValidateForm(initial={"version": entry.version, "due_on": today + REVIEW_EVERY})
    form.fields["due_on"].widget.attrs |= {
        "min": review_due_first(today).isoformat(),
        "max": review_due_last(today).isoformat(),
    }
    validates = request.user.has_perm("knowledge.validate_entry")
    live = entry.status != EntryStatus.ARCHIVED
    asked = bool(state.review) and state.validation == Validation.NOT_VALIDATED
    return {
        "state": state,
        "form": form,
        "may_validate": validates and live,
        "may_publish": entry.status == EntryStatus.DRAFT and request.user.has_perm("knowledge.publish_entry"),
        "may_ask": live and may_edit(request, entry) and not asked and state.validation != Validation.VALIDATED,
        "may_hold": live and may_edit(request, entry) and state.validation != Validation.WIP,
        "changed_since": bool(state.review and state.review.version and state.validation == Validation.NOT_VALIDATED),
    }


@require_POST
@login_required
def entry_review(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Validate, ask for a review or mark as work in progress, as the button says."""
    entry = entry_or_404(request, pk)
    action = {"ask": ask, "hold": hold, "validate": validate, "publish": validate}.get(request.POST.get("action", ""))
    if action:
        try:
            messages.success(request, action(request, entry))
        except KnowledgeError as error:
            messages.error(request, str(error))
    return redirect(entry)


def ask(request: HttpRequest, entry: Entry) -> str:
    """Asks for a review; what to tell the person."""
    if not may_edit(request, entry):
        raise PermissionDenied
    review_ask(entry=entry)
    return _("The entry is on the list of those who review.")


def hold(request: HttpRequest, entry: Entry) -> str:
    """Marks as work in progress; what to tell the person."""
    if not may_edit(request, entry):
        raise PermissionDenied
    review_hold(entry=entry)
    return _("The entry is marked as work in progress.")


def validate(request: HttpRequest, entry: Entry) -> str:
    """Validates, and publishes if the button says so; what to tell the person."""
    reviewer = visitor_user(request)
    publishes = request.POST.get("action") == "publish"
    if reviewer is None or not reviewer.has_perm("knowledge.validate_entry"):
        raise PermissionDenied
    if publishes and not reviewer.has_perm("knowledge.publish_entry"):
        raise PermissionDenied
    form = ValidateForm(request.POST)
    if not form.is_valid():
        today = timezone.localdate()
        raise ReviewDateError(due_on=form["due_on"].value(), first=review_due_first(today), last=review_due_last(today))
    review_validate(
        entry=entry,
        expected_version=form.cleaned_data["version"],
        reviewer=reviewer,
        due_on=form.cleaned_data["due_on"],
    )
    if publishes:
        entry_publish(entry=entry, author=reviewer)
        return _("The entry is validated and published.")
    return _("The entry is validated.")
