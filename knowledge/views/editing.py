"""Create, edit, publish, archive and delete entries, for those allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from knowledge.entries import entry_archive, entry_create, entry_delete, entry_publish, entry_update
from knowledge.errors import EntryInvalidError, KnowledgeError, StaleEntryError
from knowledge.forms import EntryForm
from knowledge.models import Entry, EntryOrigin, EntryStatus
from knowledge.outlines import OUTLINES, is_untouched, outline_for, outline_named
from knowledge.reviews import review_ask, review_hold
from knowledge.views.assist import assistance
from knowledge.views.conflicts import compare, entry_values, same, with_choices
from knowledge.views.visitor import entry_or_404, may_edit, visitor_user

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

#: What a link to the empty form may fill in.
PREFILLED = ("title", "category", "severity", "problem", "tags", "codes")
PREFILLED_CHARS = 5_000
FORM_FIELDS = (*PREFILLED, "solution")


@login_required
@permission_required("knowledge.add_entry", raise_exception=True)
def create(request: HttpRequest) -> HttpResponse:
    """The empty form, or with what the address fills in; saved as a draft or published at once."""
    if request.method != "POST":
        return editor(request, EntryForm(initial=prefilled(request)))
    if "outline" in request.POST:
        return editor(request, EntryForm(initial=outlined(request.POST, request.POST["outline"])))
    form = EntryForm(request.POST)
    if not form.is_valid() or "preview" in request.POST:
        return editor(request, form)
    try:
        made = entry_made(request, form)
    except KnowledgeError as error:
        return editor(request, with_error(form, error))
    published = made.status == EntryStatus.PUBLISHED
    messages.success(request, _("The entry is published.") if published else _("The draft is saved."))
    return redirect(made)


def prefilled(request: HttpRequest) -> dict[str, str]:
    """The form's values from the address, with the outline that it names or that suits its codes."""
    given = {name: request.GET[name][:PREFILLED_CHARS] for name in PREFILLED if name in request.GET}
    suited = outline_for(given.get("codes", "").split(","))
    return outlined(given, request.GET.get("outline") or (suited.name if suited else ""))


def outlined(typed: Mapping[str, str], name: str) -> dict[str, str]:
    """What is typed, with an outline in the fields that nobody has written into yet."""
    values = {field: typed.get(field, "") for field in FORM_FIELDS if field in typed}
    outline = outline_named(name)
    if outline is None:
        return values
    filled = outline.values()
    kept = {field for field in ("problem", "solution") if not is_untouched(field, values.get(field, ""))}
    if kept or values.get("category") not in {"", None, *(one.category for one in OUTLINES)}:
        kept.add("category")
    return values | {field: value for field, value in filled.items() if field not in kept}


def entry_made(request: HttpRequest, form: EntryForm) -> Entry:
    """The saved entry: published if the button says so and the person may, else a draft."""
    publishes = "publish" in request.POST and request.user.has_perm("knowledge.publish_entry")
    with transaction.atomic():
        made = entry_create(
            **form.facts(),
            status=EntryStatus.PUBLISHED if publishes else EntryStatus.DRAFT,
            origin=EntryOrigin.MANUAL,
            author=visitor_user(request),
        )
        if publishes or "ask" in request.POST:
            review_ask(entry=made)
        else:
            review_hold(entry=made)
    return made


@login_required
def edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The entry in the form; an edit of an older version is shown beside what was saved meanwhile."""
    entry = entry_or_404(request, pk)
    if not may_edit(request, entry):
        raise PermissionDenied
    if request.method != "POST":
        return editor(request, EntryForm(initial=entry_values(entry)), entry=entry)
    form = EntryForm(with_choices(request.POST, entry))
    if not form.is_valid() or "preview" in request.POST:
        return editor(request, form, entry=entry)
    version = form.cleaned_data["version"] or 0
    if version == entry.version and "ask" not in request.POST and same(form, entry):
        messages.info(request, _("You changed nothing, so there is no new version."))
        return redirect(entry)
    try:
        entry_update(entry=entry, expected_version=version, author=visitor_user(request), **form.facts())
    except StaleEntryError as error:
        return stale(request, form, entry, error)
    except KnowledgeError as error:
        return editor(request, with_error(form, error), entry=entry)
    if "ask" in request.POST:
        review_ask(entry=entry)
    messages.success(request, _("Your changes are saved."))
    return redirect(entry)


def with_error(form: EntryForm, error: KnowledgeError) -> EntryForm:
    """The form with the reason why the service refused, at the fields where it names them."""
    if not isinstance(error, EntryInvalidError):
        form.add_error(None, str(error))
        return form
    for name, problems in error.fields.items():
        form.add_error(name if name in form.fields else None, ValidationError(problems))
    return form


def stale(request: HttpRequest, form: EntryForm, entry: Entry, error: StaleEntryError) -> HttpResponse:
    """The typed text kept, and how it differs from what is saved; saving again decides knowingly."""
    entry.refresh_from_db()
    comparison = compare(form, entry, form.cleaned_data["version"] or 0)
    return editor(request, form, entry=entry, stale=str(error), comparison=comparison, status=409)


def editor(
    request: HttpRequest, form: EntryForm, *, entry: Entry | None = None, status: int | None = None, **extra: Any
) -> HttpResponse:
    """The page with the form and what goes beside it."""
    is_draft = entry is None or entry.status == EntryStatus.DRAFT
    context = {
        "form": form,
        "entry": entry,
        "assistance": assistance(
            request, form.data if form.is_bound else form.initial, without=entry.pk if entry else None
        ),
        "outlines": OUTLINES if entry is None else (),
        "may_publish": entry is None and request.user.has_perm("knowledge.publish_entry"),
        "may_ask": is_draft,
        **extra,
    }
    code = status or (422 if form.is_bound and form.errors else 200)
    return render(request, "knowledge/edit.html", context, status=code)


@dataclass(frozen=True, kw_only=True)
class StatusChange:
    """A button that changes the status: the service behind it and what it says afterwards."""

    service: Any
    done: StrOrPromise


STATUS_CHANGES = {
    "publish": StatusChange(service=entry_publish, done=gettext_lazy("The entry is published.")),
    "archive": StatusChange(
        service=entry_archive, done=gettext_lazy("The entry is archived: readers no longer find it.")
    ),
}


@require_POST
@login_required
@permission_required("knowledge.publish_entry", raise_exception=True)
def change_status(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Publish or archive, as the button says."""
    entry = entry_or_404(request, pk)
    change = STATUS_CHANGES.get(request.POST.get("action", ""))
    if change:
        change.service(entry=entry, author=visitor_user(request))
        messages.success(request, change.done)
    return redirect(entry)


@require_POST
@login_required
@permission_required("knowledge.delete_entry", raise_exception=True)
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete for good; the page asked before."""
    entry = entry_or_404(request, pk)
    title = entry.title
    entry_delete(entry=entry)
    messages.success(request, _("“%(title)s” is deleted.") % {"title": title})
    return redirect("browse")
