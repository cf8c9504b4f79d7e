"""Plans: make one, look at it, check it again, rehearse it, start it."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from migrations_ops.console.access import actor, console_page, permitted, require
from migrations_ops.console.answers import done, page_of, run_report_for
from migrations_ops.console.confirming import Prompt, confirm
from migrations_ops.console.errors import InputError
from migrations_ops.console.present.badges import overall_risk_badge
from migrations_ops.console.present.plans import (
    blockers,
    estimate_text,
    may_start,
    plan_context,
    plan_row,
    plan_title,
)
from migrations_ops.models import FindingStatus, Plan, PlanKind
from migrations_ops.planning import plan_check, plan_create, plan_get
from migrations_ops.reports import plan_report
from migrations_ops.runs import confirmation_expected, rehearsal_enqueue, run_enqueue


@require_safe
@console_page
def plan_list(request: HttpRequest) -> HttpResponse:
    """Every plan that people made, newest first; rehearsals stand with their plan, tasks have pages of their own."""
    plans = Plan.objects.exclude(kind__in=[PlanKind.REHEARSAL, PlanKind.TASK]).prefetch_related("runs__plan")
    page = page_of(request, plans)
    return render(request, "migrations_ops/plan_list.html", {"page": page, "rows": [plan_row(plan) for plan in page]})


@require_POST
@console_page
def plan_new(request: HttpRequest) -> HttpResponse:
    """Plan the way to the posted level."""
    require(request, "create_plan")
    level = request.POST.get("to_level", "")
    if not level.isdecimal() or len(level) > 4:
        raise InputError(field="to_level", expected=_("the number of a level"))
    plan = plan_create(to_level=int(level), actor=actor(request))
    message = _("Plan %(plan)d is made. Nothing has been changed yet.") % {"plan": plan.pk}
    return done(request, url=_plan_url(plan), message=message, report=plan_report(plan), status=201)


def _plan_url(plan: Plan) -> str:
    return reverse("console:plan", args=[plan.pk])


def _run_url(run_id: int) -> str:
    return reverse("console:run", args=[run_id])


@require_safe
@console_page
def plan_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One plan with everything that is known of it."""
    plan = plan_get(pk)
    context = {
        **plan_context(plan, request.user),
        "may_check": permitted(request.user, "check_plan"),
        "may_rehearse": permitted(request.user, "rehearse_plan"),
        "may_start": may_start(request.user, plan),
        "may_plan": permitted(request.user, "create_plan"),
    }
    return render(request, "migrations_ops/plan.html", context)


@require_safe
@console_page
def plan_json(request: HttpRequest, pk: int) -> HttpResponse:
    """The same as data."""
    return JsonResponse(plan_report(plan_get(pk)))


@require_POST
@console_page
def check(request: HttpRequest, pk: int) -> HttpResponse:
    """Repeat checks, risks and estimate."""
    require(request, "check_plan")
    plan = plan_check(plan=plan_get(pk), actor=actor(request))
    failed = plan.findings.filter(run__isnull=True, status=FindingStatus.FAIL).count()
    message = _("Checked again: %(n)d check(s) failed.") % {"n": failed} if failed else _("Checked again: none failed.")
    return done(request, url=_plan_url(plan), message=message, report=plan_report(plan))


@require_POST
@console_page
def rehearse(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue a rehearsal of the plan on a copy."""
    require(request, "rehearse_plan")
    run = rehearsal_enqueue(plan=plan_get(pk), actor=actor(request))
    return done(request, url=_run_url(run.pk), report=run_report_for(request, run), status=201)


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def start(request: HttpRequest, pk: int) -> HttpResponse:
    """What a start does, and on POST the start."""
    plan = plan_get(pk)
    if not may_start(request.user, plan):
        raise PermissionDenied

    def carry_out(confirmation: str, reason: str) -> HttpResponse:
        run = run_enqueue(plan=plan, actor=actor(request), confirmation=confirmation, reason=reason)
        return done(request, url=_run_url(run.pk), report=run_report_for(request, run), status=201)

    return confirm(request, start_prompt(plan), carry_out)


def start_prompt(plan: Plan) -> Prompt:
    """What the start of a plan will do."""
    reasons = blockers(plan, list(_failed_titles(plan)))
    return Prompt(
        title=_("Start plan %(plan)d: %(what)s") % {"plan": plan.pk, "what": plan_title(plan)},
        button=_("Restore now") if plan.kind == PlanKind.RESTORE else _("Start the run"),
        back_url=_plan_url(plan),
        consequences=_start_consequences(plan),
        facts=[
            (_("Estimate"), estimate_text(plan.assessment)),
            (_("Risk"), str(overall_risk_badge(plan.assessment.get("risk", "none")).label)),
        ],
        operations=[(step["kind"], step["title"]) for step in plan.document.get("steps", [])],
        operations_title=_("The steps, in this order"),
        expected=confirmation_expected(plan),
        danger=plan.kind == PlanKind.RESTORE,
        impossible=" ".join(reasons),
        crumbs=[(_("Plans"), reverse("console:plans")), (_("Plan %(plan)d") % {"plan": plan.pk}, _plan_url(plan))],
    )


def _failed_titles(plan: Plan) -> list[str]:
    failed = plan.findings.filter(run__isnull=True, status=FindingStatus.FAIL)
    return list(failed.values_list("title", flat=True))


def _start_consequences(plan: Plan) -> list[str]:
    if plan.kind == PlanKind.RESTORE:
        return [
            _("Every row of the knowledge base is replaced by what the checkpoint holds."),
            _("A checkpoint of the site as it is now is made first, so the restore can be rolled back."),
            _("Readers see the old rows until the new ones are complete; writers wait meanwhile."),
        ]
    if plan.kind == PlanKind.MOVE:
        return [
            _("Every row is copied to the new database and compared there; people go on working meanwhile."),
            _("The site goes over when you say so, unless the plan sets a time or does it automatically."),
            _("Until then a rollback removes everything from both databases, and leaves no trace."),
            _("After it the old database follows every change; going back loses nothing until you close that way."),
        ]
    return [
        _("The checks are repeated right before the first step; a failed one stops the run."),
        _("A checkpoint of the whole site is made before anything changes."),
        _("Readers and writers go on working. MVP%(to)d opens at the very end.") % {"to": plan.to_level},
        _("The run can be paused, cancelled or rolled back at any time, also after it has finished."),
    ]
