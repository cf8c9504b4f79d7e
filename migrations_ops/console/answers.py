"""What an action answers when it has done its work: the next page, or JSON."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import PermissionsMixin
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse

from migrations_ops.console.access import permitted, wants_json
from migrations_ops.models import PlanKind, Run
from migrations_ops.reports import run_report
from migrations_ops.tasks import task_kind

ROWS_PER_PAGE = 25

#: The permission that each action on a run needs.
ACTION_PERMISSIONS = {
    "pause": "pause_run",
    "resume": "resume_run",
    "cancel": "cancel_run",
    "retry": "retry_run",
    "force_stop": "force_stop_run",
    "roll_back": "roll_back_run",
}


def done(
    request: HttpRequest, *, url: str, report: dict[str, Any], message: str = "", status: int = 200
) -> HttpResponse:
    """The report as JSON for those who asked for it, else the next page, with a message if there is one.

    A run's page says itself what happens, so what leads there needs no message that would grow stale.
    """
    if wants_json(request):
        return JsonResponse(report, status=status)
    if message:
        messages.success(request, message)
    return HttpResponseRedirect(url)


def run_report_for(request: HttpRequest, run: Run) -> dict[str, Any]:
    """The report of a run, with what this person may do with it."""
    report = run_report(run)
    return {**report, "allowed_actions": actions_allowed(request, run, report["actions"])}


def actions_allowed(request: HttpRequest, run: Run, legal: list[str]) -> list[str]:
    """Of the legal actions those that this person may take."""
    return [action for action in legal if may_act(request, run, action)]


def may_act(request: HttpRequest, run: Run, action: str) -> bool:
    """Whether a person may take an action on a run: by its own permission, or by that of the run's task.

    Taking a run away from its worker is no part of a task.
    """
    if permitted(request.user, ACTION_PERMISSIONS[action]):
        return True
    if run.plan.kind != PlanKind.TASK or action == "force_stop":
        return False
    kind = task_kind(run.plan.options["task"])
    needed = (action == "roll_back" and kind.permission_back) or kind.permission
    return isinstance(request.user, PermissionsMixin) and request.user.has_perm(needed)


def page_of(request: HttpRequest, rows: QuerySet[Any] | list[Any], per_page: int = ROWS_PER_PAGE) -> Page[Any]:
    """The page that the address asks for; a wrong number gives the nearest one."""
    return Paginator(rows, per_page).get_page(request.GET.get("page"))


def query_without_page(request: HttpRequest) -> str:
    """The filters of the address, for the links to other pages."""
    query = request.GET.copy()
    query.pop("page", None)
    return query.urlencode()
