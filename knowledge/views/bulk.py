"""Bulk data in the console: what was exported and imported, and the form of an export."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from knowledge.errors import ExportGoneError, ImportGoneError, ImportOptionError, KnowledgeError
from knowledge.models import Category, EntryStatus, Import, ImportState
from knowledge.transfer.exporting import ExportFormat
from knowledge.transfer.exporting.wanted import FOUND_MOST, ExportWanted
from knowledge.transfer.files import export_path, export_remove
from knowledge.transfer.tables import Section, sections_open
from knowledge.transfer.tasks import RUN_EXPORT, RUN_IMPORT, UNDO_IMPORT, export_enqueue
from migrations_ops.console.access import actor, console_page, json_error, wants_json
from migrations_ops.console.answers import page_of
from migrations_ops.console.present.badges import Badge, run_badge
from migrations_ops.console.present.quantities import age_text, count_text, size_text
from migrations_ops.errors import OpsError
from migrations_ops.models import Run
from migrations_ops.task_runs import task_runs

EXPORTS_SHOWN = 20
WORD_CHARS = 200
IMPORT_TONES = {
    ImportState.READY: "info",
    ImportState.RUNNING: "running",
    ImportState.DONE: "ok",
    ImportState.FAILED: "fail",
    ImportState.UNDOING: "running",
    ImportState.UNDONE: "neutral",
}
SECTION_LABELS = {
    Section.ENTRIES: gettext_lazy("Entries with history, votes and reviews"),
    Section.VOCABULARY: gettext_lazy("Tags and codes"),
    Section.SEARCHES: gettext_lazy("Search history"),
    Section.SETTINGS: gettext_lazy("Settings and plugins"),
    Section.ANALYTICS: gettext_lazy("Analytics"),
}

View = Callable[..., HttpResponseBase]


def bulk_page(*permissions: str) -> Callable[[View], View]:
    """Decorator: staff with one of these permissions; what is refused becomes a page or JSON."""

    def decorated(view: View) -> View:
        @console_page
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not any(request.user.has_perm(name) for name in permissions):
                raise PermissionDenied
            try:
                return view(request, *args, **kwargs)
            except KnowledgeError as error:
                return refused(request, error)

        return guarded

    return decorated


def refused(request: HttpRequest, error: KnowledgeError) -> HttpResponse:
    """What was refused and why; nothing was changed."""
    gone = isinstance(error, (ExportGoneError, ImportGoneError))
    status = 404 if gone else 422 if isinstance(error, ImportOptionError) else 409
    if wants_json(request):
        return json_error(error.code, str(error), status)
    return render(request, "migrations_ops/refused.html", {"error": error, "status": status}, status=status)


@require_safe
@bulk_page(RUN_EXPORT, RUN_IMPORT, UNDO_IMPORT)
def bulk(request: HttpRequest) -> HttpResponse:
    """Every import, the newest exports, and the ways to make more."""
    may_export, may_import = request.user.has_perm(RUN_EXPORT), request.user.has_perm(RUN_IMPORT)
    page = page_of(request, Import.objects.all())
    exports = task_runs("export").prefetch_related("steps")[:EXPORTS_SHOWN] if may_export else []
    context = {
        "page": page,
        "imports": [import_row(job) for job in page],
        "exports": [export_row(run) for run in exports],
        "may_export": may_export,
        "may_import": may_import,
        "days": settings.TRANSFER_DAYS,
        "console_here": "bulk",
    }
    return render(request, "knowledge/bulk.html", context)


def import_row(job: Import) -> dict[str, Any]:
    """One line of the list of imports."""
    return {
        "job": job,
        "badge": import_badge(job),
        "rows": count_text(job.rows_total) if job.rows_total else "",
        "size": size_text(job.size_bytes),
        "age": age_text(job.created_at),
    }


def import_badge(job: Import) -> Badge:
    """The state of an import as a badge."""
    state = ImportState(job.state)
    return Badge(state.label, IMPORT_TONES[state])


def export_row(run: Run) -> dict[str, Any]:
    """One line of the list of exports."""
    facts = run.steps.all()[0].result
    kept = export_path(run.pk, facts.get("file", ""))
    return {
        "run": run,
        "badge": run_badge(run.state),
        "label": run.plan.options["label"],
        "kept": kept is not None,
        "gone": bool(facts) and kept is None,
        "file": facts.get("file", ""),
        "sha256": facts.get("sha256", ""),
        "size": size_text(facts["size_bytes"]) if facts else "",
        "rows": count_text(sum(facts["rows"].values())) if facts else "",
        "age": age_text(run.created_at),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@bulk_page(RUN_EXPORT)
def export_new(request: HttpRequest) -> HttpResponse:
    """The form of an export; on POST its run."""
    if request.method != "POST":
        return _export_form(request)
    try:
        run = export_enqueue(wanted=_wanted(request), actor=actor(request))
    except (KnowledgeError, OpsError) as error:
        if wants_json(request):
            raise
        return _export_form(request, str(error))
    return redirect("console:run", run.pk)


def _wanted(request: HttpRequest) -> ExportWanted:
    posted = request.POST
    file_format = posted.get("format", "")
    tags = [word.strip().lower() for word in posted.get("tags", "").split(",") if word.strip()]
    return ExportWanted.of(
        {
            "format": file_format,
            "sections": posted.getlist("sections"),
            "categories": posted.getlist("categories"),
            "statuses": posted.getlist("statuses"),
            "tags": tags,
            **{name: posted.get(name, "").strip()[:WORD_CHARS] for name in ("since", "until", "query")},
        }
    )


def _export_form(request: HttpRequest, error: str = "") -> HttpResponse:
    posted = request.POST
    chosen_format = posted.get("format", ExportFormat.ARCHIVE.value)
    sections = posted.getlist("sections")
    context = {
        "error": error,
        "formats": [(value, label, value == chosen_format) for value, label in ExportFormat.choices],
        "sections": [(one.value, SECTION_LABELS[one], one.value in sections) for one in sections_open()],
        "categories": [(value, label, value in posted.getlist("categories")) for value, label in Category.choices],
        "statuses": [(value, label, value in posted.getlist("statuses")) for value, label in EntryStatus.choices],
        "typed": {name: posted.get(name, request.GET.get(name, "")) for name in ("tags", "since", "until", "query")},
        "found_most": count_text(FOUND_MOST),
        "days": settings.TRANSFER_DAYS,
        "console_here": "bulk",
    }
    return render(request, "knowledge/bulk_export.html", context, status=422 if error else 200)


@require_safe
@bulk_page(RUN_EXPORT)
def export_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The file of an export while it is kept."""
    run = _export(pk)
    path = export_path(run.pk, run.steps.get().result.get("file", ""))
    if path is None:
        raise ExportGoneError(run=pk)
    name = f"{path.stem}-{run.created_at:%Y%m%d-%H%M%S}{path.suffix}"
    return FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type="application/octet-stream")


@require_POST
@bulk_page(RUN_EXPORT)
def export_drop(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove the file of an export before its time is over."""
    run = _export(pk)
    if run.active:
        raise ExportGoneError(run=pk)
    if export_remove(run.pk):
        messages.success(request, _("The file of export %(run)d is removed.") % {"run": run.pk})
    else:
        text = _(
            "The file of export %(run)d could not be removed. Ask who runs the site about the rights of its folder."
        )
        messages.error(request, text % {"run": run.pk})
    return redirect("bulk")


def _export(pk: int) -> Run:
    run = task_runs("export").filter(pk=pk).first()
    if run is None:
        raise ExportGoneError(run=pk)
    return run
