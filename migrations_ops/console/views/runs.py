"""Runs: the list, one run live, its journal, its JSON."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from migrations_ops.console.access import console_page, permitted
from migrations_ops.console.answers import actions_allowed, page_of, query_without_page, run_report_for
from migrations_ops.console.present.journal import line_context
from migrations_ops.console.present.moves import move_context
from migrations_ops.console.present.rehearsals import rehearsal_context
from migrations_ops.console.present.runs import opened_context, run_context, run_row, state_counts
from migrations_ops.console.views.actions import buttons
from migrations_ops.gate import site_level
from migrations_ops.models import PlanKind, Run, RunState
from migrations_ops.runs import run_get

LINES_PER_PAGE = 200


@require_safe
@console_page
def run_list(request: HttpRequest) -> HttpResponse:
    """Every run, filtered by state and kind."""
    state, kind = request.GET.get("state", ""), request.GET.get("kind", "")
    runs = Run.objects.select_related("plan")
    if state in RunState.values:
        runs = runs.filter(state=state)
    if kind in PlanKind.values:
        runs = runs.filter(plan__kind=kind)
    page = page_of(request, runs)
    context = {
        "page": page,
        "rows": [run_row(run) for run in page],
        "states": [(value, label, value == state) for value, label in RunState.choices],
        "kinds": [(value, label, value == kind) for value, label in PlanKind.choices],
        "filtered": state in RunState.values or kind in PlanKind.values,
        "query": query_without_page(request),
        "counts": state_counts(),
    }
    return render(request, "migrations_ops/run_list.html", context)


@require_safe
@console_page
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One run."""
    return render(request, "migrations_ops/run.html", live_context(request, run_get(pk)))


@require_safe
@console_page
def run_live(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of the run's page that changes; it asks for itself again while the run moves.

    `said` is what the page has announced last; the answer carries an announcement only when it changed.
    `level` is the one that its menu and its foot show; the page is loaded anew when the site has another one.
    """
    if request.GET.get("level", "") not in {"", str(site_level())}:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = live_context(request, run_get(pk))
    context["announce"] = request.GET.get("said", "") != context["summary"]
    context["is_fragment"] = True
    return render(request, "migrations_ops/_run_live.html", context)


def live_context(request: HttpRequest, run: Run) -> dict[str, Any]:
    """What page and fragment print."""
    context = run_context(run)
    context["buttons"] = buttons(run, actions_allowed(request, run, context["legal"]))
    context["opened"] = opened_context(run, request.user)
    context["may_skip"] = permitted(request.user, "skip_step")
    if run.plan.kind == PlanKind.MOVE:
        context["panel"] = move_context(run.plan.move, run, request.user)
    context["every_seconds"] = _seconds_between_looks(context)
    if context["is_rehearsal"]:
        context["rehearsal"] = rehearsal_context(run)
    return context


def _seconds_between_looks(context: dict[str, Any]) -> int:
    """How often the page looks again; 0 for a run that rests."""
    if context["moving"]:
        return 2
    return 15 if context.get("panel", {}).get("may_go_back") else 0


@require_safe
@console_page
def run_journal(request: HttpRequest, pk: int) -> HttpResponse:
    """The whole journal of a run, page by page."""
    run = run_get(pk)
    page = page_of(request, run.events.order_by("id"), LINES_PER_PAGE)
    context = {
        "run": run,
        "page": page,
        "lines": [line_context(event) for event in page],
        "title": _("Journal of run %(run)d") % {"run": run.pk},
    }
    return render(request, "migrations_ops/run_journal.html", context)


@require_safe
@console_page
def run_json(request: HttpRequest, pk: int) -> HttpResponse:
    """The run as data, with what this person may do."""
    return JsonResponse(run_report_for(request, run_get(pk)))
