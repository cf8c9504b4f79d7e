"""The versions of an entry: listed, shown, compared side by side, restored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from knowledge.differences import DiffRow, difference_rows
from knowledge.entries import entry_restore
from knowledge.errors import KnowledgeError
from knowledge.history import field_text, revision_changes, revision_of
from knowledge.markdown import markdown_html
from knowledge.models import Entry, EntryRevision, EntryStatus
from knowledge.views.links import page_of
from knowledge.views.visitor import entry_or_404, sees_all, visitor_user

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

PAGE_SIZE = 20
#: Versions beyond this are no numbers of ours; databases refuse larger ones.
VERSION_MOST = 2_147_483_647


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """A version in the list, with what it changed; the first one changed nothing."""

    revision: EntryRevision
    status: str
    changed: tuple[StrOrPromise, ...]
    previous: int | None


@dataclass(frozen=True, kw_only=True)
class FieldDifference:
    """A field of the comparison, line beside line."""

    label: StrOrPromise
    rows: tuple[DiffRow, ...]


def revisions_visible(request: HttpRequest, entry: Entry) -> QuerySet[EntryRevision]:
    """Versions that this person may see: the published ones, and for author and editors all."""
    revisions = EntryRevision.objects.filter(entry=entry).select_related("saved_by").order_by("-version")
    if sees_all(request) or (entry.created_by_id and entry.created_by_id == request.user.pk):
        return revisions
    return revisions.filter(status=EntryStatus.PUBLISHED)


def revision_or_404(request: HttpRequest, entry: Entry, version: int) -> EntryRevision:
    """The version if this person may see it. The present one is there even if no row keeps it."""
    if not 0 < version <= VERSION_MOST:
        raise Http404
    found = revisions_visible(request, entry).filter(version=version).first()
    if found is None and version == entry.version:
        return revision_of(entry)
    if found is None:
        raise Http404
    return found


@require_safe
def history(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The versions of an entry, newest first, a page at a time."""
    entry = entry_or_404(request, pk)
    revisions = revisions_visible(request, entry)
    page, paging = page_of(request, Paginator(revisions, PAGE_SIZE))
    listed = list(page.object_list)
    if page.number == 1 and (not listed or listed[0].version != entry.version):
        listed.insert(0, revision_of(entry))
    older = revisions.filter(version__lt=listed[-1].version).first()
    context = {"entry": entry, "rows": history_rows(listed, older), "paging": paging}
    return render(request, "knowledge/history.html", context)


def history_rows(revisions: list[EntryRevision], older: EntryRevision | None) -> list[HistoryRow]:
    """Each version beside the one before it; `older` is the one before the last listed."""
    before = [*revisions[1:], older]
    return [
        HistoryRow(
            revision=revision,
            status=field_text(revision, "status"),
            changed=tuple(change.label for change in revision_changes(previous, revision)) if previous else (),
            previous=previous.version if previous else None,
        )
        for revision, previous in zip(revisions, before, strict=True)
    ]


@require_safe
def version(request: HttpRequest, pk: UUID, version: int) -> HttpResponse:
    """One version as readers saw it."""
    entry = entry_or_404(request, pk)
    revision = revision_or_404(request, entry, version)
    facts = [
        (EntryRevision._meta.get_field(name).verbose_name, field_text(revision, name))  # type: ignore[union-attr]
        for name in ("category", "severity", "status", "codes", "tags")
    ]
    context = {
        "entry": entry,
        "revision": revision,
        "facts": facts,
        "problem": markdown_html(revision.problem),
        "solution": markdown_html(revision.solution),
        "is_current": revision.version == entry.version,
        "may_restore": revision.version != entry.version and request.user.has_perm("knowledge.change_entry"),
    }
    return render(request, "knowledge/version.html", context)


@require_safe
def compare(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Two versions side by side; without `new` the present one."""
    entry = entry_or_404(request, pk)
    old, new = (revision_or_404(request, entry, version_asked(request, name, entry.version)) for name in ("old", "new"))
    if old.version > new.version:
        old, new = new, old
    context: dict[str, Any] = {"entry": entry, "old": old, "new": new, "fields": field_differences(old, new)}
    return render(request, "knowledge/compare.html", context)


def version_asked(request: HttpRequest, name: str, default: int) -> int:
    """The number in the query string; 0, which is no version, for anything else."""
    text = request.GET.get(name) or str(default)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 11 else 0


def field_differences(old: EntryRevision, new: EntryRevision) -> list[FieldDifference]:
    """The fields that differ, in lines and words."""
    return [
        FieldDifference(label=change.label, rows=difference_rows(change.old, change.new))
        for change in revision_changes(old, new)
    ]


@require_POST
@login_required
@permission_required("knowledge.change_entry", raise_exception=True)
def restore(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Make a version the newest one again; refused when somebody saved the entry since the page was shown."""
    entry = entry_or_404(request, pk)
    wanted, expected = (_posted_number(request, name) for name in ("version", "expected_version"))
    try:
        entry_restore(entry=entry, version=wanted, expected_version=expected, author=visitor_user(request))
    except KnowledgeError as error:
        messages.error(request, str(error))
        return redirect("entry_history", entry.pk)
    messages.success(
        request, _("Version %(version)d is restored. What was there before is in the history.") % {"version": wanted}
    )
    return redirect(entry)


def _posted_number(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
