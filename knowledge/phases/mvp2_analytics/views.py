"""Pages of analytics. Everything works without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from knowledge.errors import KnowledgeError
from knowledge.models import ErrorCode
from knowledge.phases.mvp2_analytics import aliases, patterns, reports
from knowledge.phases.mvp2_analytics.csv_file import csv_response
from knowledge.phases.mvp2_analytics.dashboard import RANGES, dashboard_context, range_days
from knowledge.phases.mvp2_analytics.errors import PatternNotFoundError
from knowledge.phases.mvp2_analytics.figures import DayRange
from knowledge.phases.mvp2_analytics.models import PatternState, PatternType, UsagePattern
from knowledge.phases.mvp2_analytics.plugins import PATTERNS
from knowledge.phases.mvp2_analytics.usage import today
from knowledge.plugins import plugin_configuration
from migrations_ops.gate import HttpView, requires_mvp

LEVEL = 2
PATTERNS_PER_PAGE = 25


def viewer_of(permission: str) -> Callable[[HttpView], HttpView]:
    """Decorator: for staff, and for people who may `permission`; others log in or are refused."""

    def decorate(view: HttpView) -> HttpView:
        @requires_mvp(LEVEL)
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not (request.user.is_staff or request.user.has_perm(permission)):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def actor_with(permission: str) -> Callable[[HttpView], HttpView]:
    """Decorator of a view that changes something: POST, and only for people who may."""

    def decorate(view: HttpView) -> HttpView:
        allowed = permission_required(permission, raise_exception=True)(view)
        return requires_mvp(LEVEL)(require_POST(login_required(allowed)))

    return decorate


@require_GET
@viewer_of("analytics.view_searchanalytics")
def dashboard(request: HttpRequest) -> HttpResponse:
    days = range_days(request.GET.get("days"))
    context = dashboard_context(DayRange.ending(today(), days))
    context |= {
        "ranges": RANGES,
        "range": days,
        "may_write": request.user.has_perm("knowledge.add_entry"),
        "may_alias": request.user.has_perm("knowledge.add_codealias"),
        "may_ignore": request.user.has_perm("analytics.ignore_query"),
        "may_see_patterns": request.user.is_staff or request.user.has_perm("analytics.view_usagepattern"),
    }
    return render(request, "analytics/dashboard.html", context)


@require_GET
@viewer_of("analytics.view_searchanalytics")
def table_csv(request: HttpRequest, table: str) -> HttpResponse:
    if table not in reports.TABLES:
        raise Http404(_("There is no table of this name."))
    days = range_days(request.GET.get("days"))
    return csv_response(reports.TABLES[table](DayRange.ending(today(), days)), f"{table}-{days}-days.csv")


@actor_with("analytics.ignore_query")
def query_ignore(request: HttpRequest) -> HttpResponse:
    query = _posted_query(request)
    patterns.query_ignore(normalized=query, actor=request.user.get_username())
    messages.success(request, _("“{query}” is ignored from now on; undo it below the list.").format(query=query))
    return _back(request)


@actor_with("analytics.ignore_query")
def query_unignore(request: HttpRequest) -> HttpResponse:
    query = _posted_query(request)
    patterns.query_unignore(normalized=query)
    messages.success(request, _("“{query}” is listed again.").format(query=query))
    return _back(request)


@actor_with("knowledge.add_codealias")
def alias_add(request: HttpRequest) -> HttpResponse:
    alias = request.POST.get("alias", "")
    try:
        code = aliases.alias_add(alias=alias, code=request.POST.get("code", ""))
    except KnowledgeError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("“{alias}” now stands for {code}.").format(alias=alias, code=code.code))
    return _back(request)


def _posted_query(request: HttpRequest) -> str:
    """The normalised query in the form; a 404 for one that no form of ours has sent."""
    query = request.POST.get("query", "").replace("\x00", "")
    if not query or len(query) > 500:
        raise Http404(_("This query is not known."))
    return query


def _back(request: HttpRequest) -> HttpResponse:
    """To the page that the form was on, never to another site."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = reverse("analytics:dashboard")
    return redirect(target)


#: Value of ?state= and the patterns that it shows; the first is the default.
STATE_FILTERS: dict[str, Q] = {
    "waiting": patterns.patterns_waiting(),
    "acknowledged": Q(state=PatternState.ACKNOWLEDGED),
    "resolved": Q(state=PatternState.RESOLVED, came_back_at__isnull=True),
    "all": Q(),
}


@require_GET
@viewer_of("analytics.view_usagepattern")
def pattern_list(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state") if request.GET.get("state") in STATE_FILTERS else "waiting"
    type_ = request.GET.get("type") if request.GET.get("type") in PatternType.values else ""
    of_type = UsagePattern.objects.filter(type=type_) if type_ else UsagePattern.objects.all()
    page = Paginator(
        of_type.filter(STATE_FILTERS[str(state)]).order_by("-last_seen", "-pk"), PATTERNS_PER_PAGE
    ).get_page(request.GET.get("page"))
    if request.GET.get("format") == "csv":
        return csv_response(_patterns_table(of_type.filter(STATE_FILTERS[str(state)])), "patterns.csv")
    return render(
        request,
        "analytics/patterns.html",
        {
            "page": page,
            "state": state,
            "type": type_,
            "states": _state_tabs(of_type, str(state), str(type_)),
            "types": _type_links(str(state), str(type_)),
            "csv_query": urlencode({"state": state, "type": type_, "format": "csv"}),
            "page_query": urlencode({"state": state, "type": type_}),
            "limits": plugin_configuration(PATTERNS),
            "any": UsagePattern.objects.exists(),
        },
    )


def _state_tabs(of_type: QuerySet[UsagePattern], current: str, type_: str) -> list[dict[str, Any]]:
    counts = of_type.aggregate(
        **{name: Count("pk", filter=condition or Q(pk__gte=0)) for name, condition in STATE_FILTERS.items()}
    )
    titles = {
        "waiting": _("To look at"),
        "acknowledged": _("Acknowledged"),
        "resolved": _("Resolved"),
        "all": _("All"),
    }
    return [
        {
            "title": titles[name],
            "count": counts[name],
            "query": urlencode({"state": name, "type": type_}),
            "current": name == current,
        }
        for name in STATE_FILTERS
    ]


def _type_links(state: str, current: str) -> list[dict[str, Any]]:
    counts = dict(
        UsagePattern.objects.filter(STATE_FILTERS[state]).order_by().values_list("type").annotate(Count("pk"))
    )
    links = [{"title": _("Every type"), "value": "", "count": sum(counts.values())}]
    links += [
        {"title": type_.label, "value": type_.value, "count": counts.get(type_.value, 0)} for type_ in PatternType
    ]
    return [
        {**link, "query": urlencode({"state": state, "type": link["value"]}), "current": link["value"] == current}
        for link in links
    ]


def _patterns_table(rows: QuerySet[UsagePattern]) -> reports.Table:
    names = ("type", "title", "frequency", "confidence", "first_seen", "last_seen", "state", "state_by", "note")
    columns = tuple(reports.Column(name, name) for name in names)
    return reports.Table(columns, list(rows.order_by("-last_seen", "-pk").values_list(*names)[: reports.CSV_ROWS]))


@require_GET
@viewer_of("analytics.view_usagepattern")
def pattern_detail(request: HttpRequest, pk: int) -> HttpResponse:
    pattern = get_object_or_404(UsagePattern, pk=pk)
    return render(
        request,
        "analytics/pattern.html",
        {
            "pattern": pattern,
            "meaning": MEANINGS[PatternType(pattern.type)](),
            "examples": [_example(example) for example in pattern.examples],
            "query": pattern.title if pattern.type == PatternType.ZERO_RESULT else "",
            "actions": _actions(pattern, request),
            "may_write": request.user.has_perm("knowledge.add_entry"),
            "may_alias": request.user.has_perm("knowledge.add_codealias"),
            "codes": list(ErrorCode.objects.filter(code__in=pattern.key.split("|"))),
        },
    )


def _example(example: dict[str, Any]) -> dict[str, Any]:
    return {**example, "at": parse_datetime(str(example.get("at", "")))}


#: What each type says, and what its confidence is.
MEANINGS: dict[PatternType, Callable[[], str]] = {
    PatternType.REPEATED_QUERY: lambda: _(
        "Several searches ask the same. Confidence is how certain it is that it will be asked "
        "once more; more people or days make it more certain."
    ),
    PatternType.ZERO_RESULT: lambda: _(
        "People ask this and find nothing. Confidence is the chance that the next such search finds nothing either."
    ),
    PatternType.CODE_SURGE: lambda: _(
        "On one day this code was searched for far more than on the others. Confidence is the chance that usual "
        "days would all have stayed below."
    ),
    PatternType.QUERY_FAILURE: lambda: _(
        "This search leads to an entry that people say did not work. Confidence is the chance that the next "
        "vote says so too."
    ),
    PatternType.CO_SEARCHED: lambda: _(
        "People who search for one of these codes soon search for the other. Confidence is the chance that the "
        "rarer one comes with the other."
    ),
}


def _actions(pattern: UsagePattern, request: HttpRequest) -> list[dict[str, str]]:
    waiting = pattern.state == PatternState.OPEN or pattern.came_back
    offered = []
    if waiting and request.user.has_perm("analytics.acknowledge_pattern"):
        offered.append({"name": "acknowledge", "title": _("Acknowledge"), "kind": "primary"})
    if request.user.has_perm("analytics.resolve_pattern"):
        if waiting or pattern.state == PatternState.ACKNOWLEDGED:
            offered.append({"name": "resolve", "title": _("Resolve"), "kind": "" if waiting else "primary"})
        if pattern.state != PatternState.OPEN:
            offered.append({"name": "reopen", "title": _("Reopen"), "kind": "quiet"})
    return offered


#: By the last part of the address: service and permission.
CHANGES = {
    "acknowledge": (patterns.pattern_acknowledge, "analytics.acknowledge_pattern"),
    "resolve": (patterns.pattern_resolve, "analytics.resolve_pattern"),
    "reopen": (patterns.pattern_reopen, "analytics.resolve_pattern"),
}


@requires_mvp(LEVEL)
@require_POST
@login_required
def pattern_change(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    if action not in CHANGES:
        raise Http404(_("There is no such action."))
    change, permission = CHANGES[action]
    if not request.user.has_perm(permission):
        raise PermissionDenied
    try:
        change(pattern_id=pk, actor=request.user.get_username(), note=request.POST.get("note", "").replace("\x00", ""))
    except PatternNotFoundError as error:
        raise Http404(str(error)) from error
    except KnowledgeError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The pattern was changed."))
    return redirect("analytics:pattern", pk=pk)
