"""Favourites, watched entries and reports: the buttons of an entry's page, "Mine", and the staff's list."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from knowledge.errors import FlagInvalidError, KnowledgeError
from knowledge.following import (
    flag_open_of,
    flag_raise,
    flag_settle,
    flags_open,
    flags_settled,
    mark_of,
    mark_seen,
    mark_set,
    marks_of,
)
from knowledge.forms import FlagForm
from knowledge.history import revision_kept
from knowledge.models import Entry, EntryFlag
from knowledge.reviews import reviews_of
from knowledge.views.links import page_of
from knowledge.views.visitor import entries_visible, entry_or_404, visitor_key, visitor_user

#: Each list of "Mine" shows at most this many.
LISTED_MOST = 200
FLAGS_PER_PAGE = 25
DUE_SHOWN = 50
MARKS = {
    "favourite": {"favourite": True},
    "unfavourite": {"favourite": False},
    "watch": {"watched": True},
    "unwatch": {"watched": False},
}


def following_context(request: HttpRequest, entry: Entry) -> dict[str, Any]:
    """What the entry's page prints: the person's marks, what is news to them, their open report.

    What the person sees now is no news the next time.
    """
    user = visitor_user(request)
    mark = mark_of(entry, user) if user else None
    context: dict[str, Any] = {"mark": mark, **flag_context(request, entry)}
    if mark and mark.watched and mark.seen_version < entry.version:
        context["news_since"] = mark.seen_version if revision_kept(entry, mark.seen_version) else None
        if request.method == "GET":
            mark_seen(mark=mark, version=entry.version)
    return context


@require_POST
@login_required
def entry_mark(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Favourite or watch an entry, or stop that."""
    entry = entry_or_404(request, pk)
    action = MARKS.get(request.POST.get("action", ""))
    user = cast(User, request.user)
    mark = mark_set(entry=entry, user=user, **action) if action else mark_of(entry, user)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "knowledge/_marks.html", {"entry": entry, "mark": mark})
    return redirect(entry)


@require_safe
@login_required
def mine(request: HttpRequest) -> HttpResponse:
    """What a person is to review, their favourites, what they watch, and what became of their reports."""
    user = cast(User, request.user)
    marks = list(marks_of(user).filter(entry__in=entries_visible(request))[: 2 * LISTED_MOST])
    reports = EntryFlag.objects.filter(user=user).select_related("entry", "settled_by")
    today = timezone.localdate()
    due = reviews_of(user, today).select_related("review").defer("problem", "solution", "problem_html", "solution_html")
    context = {
        "today": today,
        "due": due.filter(pk__in=entries_visible(request))[:DUE_SHOWN],
        "favourites": [mark for mark in marks if mark.favourite][:LISTED_MOST],
        "watched": [mark for mark in marks if mark.watched][:LISTED_MOST],
        "reports": reports.filter(entry__in=entries_visible(request))[:LISTED_MOST],
    }
    return render(request, "knowledge/mine.html", context)


def flag_context(request: HttpRequest, entry: Entry, form: FlagForm | None = None) -> dict[str, Any]:
    """What the report block prints."""
    own = None
    if request.user.is_authenticated or request.session.session_key:
        own = flag_open_of(entry, visitor_key(request))
    initial = {"reason": own.reason, "comment": own.comment} if own else {}
    return {"entry": entry, "own_flag": own, "flag_form": form or FlagForm(initial=initial)}


@require_POST
def entry_flag(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Tell the staff what is wrong with an entry."""
    entry = entry_or_404(request, pk)
    form = FlagForm(request.POST)
    if form.is_valid():
        flag_raise(entry=entry, reporter=visitor_key(request), user=visitor_user(request), **form.cleaned_data)
        if not request.htmx:  # type: ignore[attr-defined]
            messages.success(request, _("Thank you. Somebody will look at it."))
            return redirect(entry)
    status = 200 if form.is_valid() else 422
    template = "knowledge/_flag.html" if request.htmx else "knowledge/flag.html"  # type: ignore[attr-defined]
    return render(request, template, flag_context(request, entry, form), status=status)


@require_safe
@login_required
@permission_required("knowledge.change_entryflag", raise_exception=True)
def flags(request: HttpRequest) -> HttpResponse:
    """What readers reported: open reports, or the settled ones."""
    settled = request.GET.get("show") == "settled"
    return flags_page(request, flags_settled() if settled else flags_open(), settled=settled)


def flags_page(request: HttpRequest, listed: QuerySet[EntryFlag], *, status: int = 200, **context: Any) -> HttpResponse:
    """One page of a list of reports."""
    page, paging = page_of(request, Paginator(listed, FLAGS_PER_PAGE))
    tabs = [
        {"title": title, "url": url, "active": context.get("settled", False) == settled}
        for title, url, settled in (
            (_("Open"), reverse("flags"), False),
            (_("Settled"), f"{reverse('flags')}?show=settled", True),
        )
    ]
    return render(
        request, "knowledge/flags.html", {"page": page, "paging": paging, "tabs": tabs, **context}, status=status
    )


@require_POST
@login_required
@permission_required("knowledge.change_entryflag", raise_exception=True)
def settle(request: HttpRequest, flag: int) -> HttpResponse:
    """Close a report with an answer."""
    if flag > 2**62:
        raise Http404
    answer = request.POST.get("answer", "")
    try:
        flag_settle(flag=flag, answer=answer, author=visitor_user(request))
    except FlagInvalidError as error:
        refused = {"flag": flag, "answer": answer, "problem": str(error)}
        return flags_page(request, flags_open().filter(pk=flag), status=422, refused=refused)
    except KnowledgeError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The report is settled."))
    return redirect("flags")
