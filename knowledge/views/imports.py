"""One import in the console: bring a file, say what its columns mean, look, import, take back."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from knowledge.errors import ImportGoneError, ImportUnreadableError, KnowledgeError
from knowledge.models import Import, ImportState
from knowledge.transfer.files import VERDICTS, import_folder
from knowledge.transfer.jobs import (
    import_bring,
    import_get,
    import_options_save,
    import_remove,
    options_remembered,
    rows_kept,
)
from knowledge.transfer.judging import Verdict
from knowledge.transfer.limits import limits
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.reports import verdicts_read
from knowledge.transfer.tasks import (
    RUN_EXPORT,
    RUN_IMPORT,
    UNDO_IMPORT,
    active_run_of,
    import_enqueue,
    import_run_of,
    preview_enqueue,
    undo_enqueue,
)
from knowledge.transfer.undoing import UndoOutlook, undo_outlook
from knowledge.views.bulk import bulk_page
from knowledge.views.import_choices import choices_context, options_posted
from knowledge.views.import_figures import figures, import_facts
from migrations_ops.console.access import actor, wants_json
from migrations_ops.console.confirming import Prompt, confirm
from migrations_ops.console.present.quantities import count_text
from migrations_ops.errors import OpsError

ROWS_PER_PAGE = 50
KEPT_SHOWN = 100


@require_http_methods(["GET", "HEAD", "POST"])
@bulk_page(RUN_IMPORT)
def import_new(request: HttpRequest) -> HttpResponse:
    """The form that brings a file; on POST the file with the choices of the last time for its columns."""
    error = ""
    if request.method == "POST":
        try:
            return redirect("bulk_import", _brought(request).pk)
        except KnowledgeError as refusal:
            if wants_json(request):
                raise
            error = str(refusal)
    context = {"error": error, "limit_mb": limits().file_bytes // 1024**2, "console_here": "bulk"}
    return render(request, "knowledge/bulk_import_new.html", context, status=422 if error else 200)


def _brought(request: HttpRequest) -> Import:
    upload = request.FILES.get("file")
    if upload is None:
        raise ImportUnreadableError(format=_("a file"), reason=_("none was sent."))
    user = request.user if isinstance(request.user, User) else None
    job = import_bring(
        file=upload, file_name=upload.name or "upload", options=ImportOptions(), actor=actor(request), user=user
    )
    remembered = options_remembered(job.columns, before=job)
    return import_options_save(job=job, options=remembered)


@require_http_methods(["GET", "HEAD", "POST"])
@bulk_page(RUN_EXPORT, RUN_IMPORT, UNDO_IMPORT)
def import_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One import; on POST its choices are kept and a preview is queued."""
    job, error = import_get(pk), ""
    if request.method == "POST":
        try:
            return _previewed(request, job)
        except (KnowledgeError, OpsError) as refusal:
            if wants_json(request):
                raise
            error = str(refusal)
    return render(request, "knowledge/bulk_import.html", _context(request, job, error), status=422 if error else 200)


def _previewed(request: HttpRequest, job: Import) -> HttpResponse:
    if not request.user.has_perm(RUN_IMPORT):
        return redirect("bulk_import", job.pk)
    with transaction.atomic():  # while a run holds the site, which may be that of this import, its choices stay
        import_options_save(job=job, options=options_posted(job, request.POST))
        run = preview_enqueue(job=job, actor=actor(request))
    return redirect("console:run", run.pk)


def _context(request: HttpRequest, job: Import, error: str) -> dict[str, Any]:
    active = active_run_of(job)
    ready = job.state == ImportState.READY and active is None
    checked = bool(job.rows_total) and job.preview.get("rows") == job.rows_total
    may_import, may_undo = request.user.has_perm(RUN_IMPORT), request.user.has_perm(UNDO_IMPORT)
    undoable = job.state in {ImportState.DONE, ImportState.RUNNING, ImportState.FAILED} and active is None
    run = active or import_run_of(job)
    facts = import_facts(job)
    return {
        "job": job,
        "error": error,
        **facts,
        "run": run,
        "is_active": active is not None,
        "checked": checked,
        "preview": figures(job, job.preview) if checked else None,
        "report": figures(job, job.report) if job.report and job.state != ImportState.READY else None,
        "choices": choices_context(job, facts["example"]) if ready and may_import else None,
        "may_start": ready and checked and may_import,
        "may_undo": undoable and may_undo,
        "may_remove": ready and may_import,
        "kept": rows_kept(job)[:KEPT_SHOWN] if job.state == ImportState.UNDONE else [],
        "days": settings.TRANSFER_DAYS,
        "console_here": "bulk",
    }


@require_POST
@bulk_page(RUN_IMPORT)
def start(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue the import of a file that was looked at."""
    run = import_enqueue(job=import_get(pk), actor=actor(request))
    return redirect("console:run", run.pk)


@require_safe
@bulk_page(RUN_IMPORT, UNDO_IMPORT)
def rows(request: HttpRequest, pk: int) -> HttpResponse:
    """The rows of a preview with their verdicts, some at a time."""
    job = import_get(pk)
    verdict = request.GET.get("verdict", "")
    verdict = verdict if verdict in set(Verdict) else ""
    offset = request.GET.get("from", "0")
    path = import_folder(job) / VERDICTS
    if not path.exists() or not offset.isdecimal() or len(offset) > 15:
        raise ImportGoneError(number=pk)
    try:
        found, after = verdicts_read(path, offset=int(offset), limit=ROWS_PER_PAGE, verdict=verdict)
    except (json.JSONDecodeError, KeyError) as error:  # an address that somebody made up
        raise ImportGoneError(number=pk) from error
    context = {
        "job": job,
        "rows": found,
        "verdicts": figures(job, job.preview)["verdicts_of_all"],
        "verdict": verdict,
        "next": after if after >= 0 else None,
        "is_first": offset == "0",
        "console_here": "bulk",
    }
    return render(request, "knowledge/bulk_import_rows.html", context)


@require_safe
@bulk_page(RUN_IMPORT, UNDO_IMPORT)
def failed(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The rows that were not imported, to mend and to send again."""
    job = import_get(pk)
    path = import_facts(job)["failed_path"]
    if path is None:
        raise ImportGoneError(number=pk)
    name = f"import-{job.pk}-{path.name}"
    return FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type="application/octet-stream")


@require_http_methods(["GET", "HEAD", "POST"])
@bulk_page(UNDO_IMPORT)
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """What an undo would do, and on POST the undo."""
    job = import_get(pk)

    def carry_out(confirmation: str, reason: str) -> HttpResponse:
        run = undo_enqueue(job=job, actor=actor(request), reason=reason)
        return redirect("console:run", run.pk)

    return confirm(request, _undo_prompt(job), carry_out)


def _undo_prompt(job: Import) -> Prompt:
    outlook = undo_outlook(job)
    possible = job.state in {ImportState.DONE, ImportState.RUNNING, ImportState.FAILED} and not active_run_of(job)
    return Prompt(
        title=_("Undo import %(n)d") % {"n": job.pk},
        button=_("Undo the import"),
        back_url=reverse("bulk_import", args=[job.pk]),
        consequences=_undo_consequences(outlook),
        facts=[(_("File"), job.file_name), (_("State"), str(job.get_state_display()))],
        operations=[(_("stays"), title) for _key, title in outlook.edited],
        operations_title=_("Edited since"),
        reason_required=True,
        danger=True,
        expected=f"UNDO {job.pk}",
        impossible="" if possible else _("This import cannot be undone now."),
        crumbs=[(_("Bulk data"), reverse("bulk")), (job.file_name, reverse("bulk_import", args=[job.pk]))],
    )


def _undo_consequences(outlook: UndoOutlook) -> list[str]:
    """What an undo would do, one sentence each; what there is none of is not said."""
    sentences = (
        (
            outlook.added,
            ngettext(
                "%(n)s entry that the import added is removed, unless people have voted on it, reported or marked it.",
                "%(n)s entries that the import added are removed, unless people have voted on them, reported or marked"
                " them.",
                outlook.added,
            ),
        ),
        (
            outlook.changed,
            ngettext(
                "%(n)s entry that the import changed becomes what it was before.",
                "%(n)s entries that the import changed become what they were before.",
                outlook.changed,
            ),
        ),
        (
            outlook.others,
            ngettext(
                "%(n)s row of another table goes or becomes what it was before, unless it was changed since.",
                "%(n)s rows of other tables go or become what they were before, unless they were changed since.",
                outlook.others,
            ),
        ),
        (
            outlook.edited_count,
            ngettext(
                "%(n)s of these entries was edited since and stays as it is; it is named below.",
                "%(n)s of these entries were edited since and stay as they are; the first are named below.",
                outlook.edited_count,
            ),
        ),
    )
    said = [text % {"n": count_text(number)} for number, text in sentences if number]
    return said or [_("The import has added and changed nothing.")]


@require_POST
@bulk_page(RUN_IMPORT)
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a file of which nothing was imported."""
    job = import_get(pk)
    if active := active_run_of(job):
        return redirect("console:run", active.pk)
    import_remove(job)
    messages.success(request, _("%(file)s is removed; nothing of it was imported.") % {"file": job.file_name})
    return redirect("bulk")
