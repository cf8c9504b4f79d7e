"""Health, checks, repairs and cleanups."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from migrations_ops.cleanup_runs import cleanup_enqueue, cleanup_undo_enqueue, undo_confirmation
from migrations_ops.console.access import actor, console_page, permitted, require
from migrations_ops.console.answers import done, page_of, query_without_page
from migrations_ops.console.confirming import Prompt, confirm
from migrations_ops.console.present.integrity import checks_context, cleanup_context, cleanup_row, health_context
from migrations_ops.console.present.quantities import count_text
from migrations_ops.integrity.checking import checks_ask, checks_named
from migrations_ops.integrity.cleaning import (
    cleanup_confirmation,
    cleanup_get,
    cleanup_named,
    cleanup_preview,
    cleanups_known,
    undo_refused,
)
from migrations_ops.integrity.cleanup import Cleanup
from migrations_ops.integrity.health import health, health_tone
from migrations_ops.integrity.reports import check_report, cleanup_report
from migrations_ops.models import CheckRun, CleanupRecord


@require_safe
@console_page
def health_page(request: HttpRequest) -> HttpResponse:
    """Every part of the site: green, amber or red, and what to do."""
    return render(request, "migrations_ops/health.html", health_context())


@require_safe
@console_page
def health_json(request: HttpRequest) -> HttpResponse:
    """The same as data."""
    facts = health()
    return JsonResponse({"tone": health_tone(facts), "parts": [fact.as_json() for fact in facts]})


@require_safe
@console_page
def checks(request: HttpRequest) -> HttpResponse:
    """Every check with what it found last."""
    context = {
        **checks_context(),
        "may_check": permitted(request.user, "run_checks"),
        "may_repair": permitted(request.user, "run_cleanup"),
    }
    return render(request, "migrations_ops/checks.html", context)


@require_safe
@console_page
def checks_json(request: HttpRequest) -> HttpResponse:
    """The last whole pass over the checks as data."""
    last = CheckRun.objects.filter(finished_at__isnull=False).first()
    return JsonResponse(check_report(last) if last else {"check": None, "results": {}})


@require_POST
@console_page
def ask(request: HttpRequest) -> HttpResponse:
    """Have the worker ask the checks, all or one."""
    require(request, "run_checks")
    names = [name for name in request.POST.getlist("name") if name]
    checks_named(names)
    checks_ask(actor=actor(request), names=names)
    message = _("The worker checks now. Load this page again in a moment.")
    return done(request, url=reverse("console:checks"), message=message, report={"asked": names or "all"}, status=202)


@require_safe
@console_page
def cleanups(request: HttpRequest) -> HttpResponse:
    """What can be cleaned up, and what was."""
    page = page_of(request, CleanupRecord.objects.select_related("run"))
    context = {
        "cleanups": list(cleanups_known().values()),
        "page": page,
        "rows": [cleanup_row(record) for record in page],
        "query": query_without_page(request),
        "may_clean": permitted(request.user, "run_cleanup"),
    }
    return render(request, "migrations_ops/cleanups.html", context)


@require_safe
@console_page
def cleanup_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One cleanup: what it did, what an undo has left."""
    record = cleanup_get(pk)
    context = {**cleanup_context(record), "may_undo": permitted(request.user, "undo_cleanup")}
    return render(request, "migrations_ops/cleanup.html", context)


@require_safe
@console_page
def cleanup_json(request: HttpRequest, pk: int) -> HttpResponse:
    """The same as data."""
    return JsonResponse(cleanup_report(cleanup_get(pk)))


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def cleanup_start(request: HttpRequest, name: str) -> HttpResponse:
    """What a cleanup would do now, by a dry run; on POST its run."""
    require(request, "run_cleanup")
    cleanup = cleanup_named(name)
    given = {option.name: request.GET.get(option.name, "") for option in cleanup.options}
    chosen = cleanup.chosen(given)

    def carry_out(confirmation: str, reason: str) -> HttpResponse:
        record, run = cleanup_enqueue(
            name=name, options=chosen, actor=actor(request), confirmation=confirmation, reason=reason
        )
        url = reverse("console:run", args=[run.pk])
        return done(request, url=url, report={**cleanup_report(record), "run": run.pk}, status=202)

    return confirm(request, _prompt(cleanup, chosen, dry=request.method != "POST"), carry_out)


def _prompt(cleanup: Cleanup, chosen: dict[str, int], *, dry: bool) -> Prompt:
    facts = [(str(option.label), str(chosen[option.name])) for option in cleanup.options]
    operations: list[tuple[str, str]] = []
    impossible = ""
    if dry:
        found = cleanup_preview(name=cleanup.name, options=chosen)
        facts += [(_("Would change"), count_text(found.count)), (_("Dry run"), found.evidence)]
        operations = [("", one.text) for one in found.examples]
        impossible = "" if found.count else _("There is nothing to do: the dry run found nothing.")
    undo = _("It can be undone until its time is over; every row is kept as it was.")
    return Prompt(
        title=str(cleanup.title),
        button=_("Start it"),
        back_url=reverse("console:cleanups"),
        consequences=[*map(str, cleanup.consequences), undo if cleanup.undoable else _("There is nothing to undo.")],
        facts=facts,
        operations=operations,
        operations_title=_("Found by the dry run, for example"),
        expected=cleanup_confirmation(cleanup),
        danger=cleanup.destructive,
        impossible=impossible,
        crumbs=_crumbs(),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def cleanup_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """What an undo does; on POST its run."""
    require(request, "undo_cleanup")
    record = cleanup_get(pk)

    def carry_out(confirmation: str, reason: str) -> HttpResponse:
        run = cleanup_undo_enqueue(record=record, actor=actor(request), confirmation=confirmation, reason=reason)
        url = reverse("console:run", args=[run.pk])
        return done(request, url=url, report={**cleanup_report(record), "run": run.pk}, status=202)

    prompt = Prompt(
        title=_("Undo: %(title)s") % {"title": record.title},
        button=_("Undo it"),
        back_url=reverse("console:cleanup", args=[record.pk]),
        consequences=[
            _("Every row that it changed becomes what it was; rows that it removed come back."),
            _("What somebody has changed since stays as it is and is listed."),
        ],
        facts=[(_("Done"), count_text(record.done)), (_("Rows"), count_text(record.rows_changed))],
        expected=undo_confirmation(record),
        danger=True,
        impossible=undo_refused(record),
        crumbs=[*_crumbs(), (str(record.pk), reverse("console:cleanup", args=[record.pk]))],
    )
    return confirm(request, prompt, carry_out)


def _crumbs() -> list[tuple[str, str]]:
    return [(_("Health"), reverse("console:health")), (_("Cleanups"), reverse("console:cleanups"))]
