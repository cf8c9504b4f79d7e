"""A move of the database: plan it, let it cut over, change its speed, read its ledger, end its way back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from migrations_ops.console.access import actor, console_page, refusal, require, status_of, wants_json
from migrations_ops.console.answers import done, run_report_for
from migrations_ops.console.confirming import Prompt, confirm
from migrations_ops.console.errors import InputError
from migrations_ops.console.present.moves import lag_label, lag_text
from migrations_ops.console.reading import FormReader
from migrations_ops.errors import MoveTargetError, OpsError
from migrations_ops.models import GoMode, Move, MoveState, Plan, Run
from migrations_ops.moves import (
    AHEAD,
    WORKERS_MAX,
    MoveOptions,
    close_confirmation_expected,
    go_confirmation_expected,
    move_get,
    move_go,
    move_hours_set,
    move_open,
    move_plan_create,
    move_speed_set,
    place_here,
    return_path_close,
    target_given,
)
from migrations_ops.reports import move_report, plan_report

FIELDS = ("target_url", "go_mode", "go_at", "rows_per_second", "quiet_from", "quiet_until", "workers")


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def plan_form(request: HttpRequest) -> HttpResponseBase:
    """The form that plans a move; on POST the plan. A password is never sent back."""
    require(request, "move_database")
    if request.method != "POST":
        return _form(request)
    try:
        plan = _plan_posted(request)
    except (InputError, MoveTargetError) as error:
        return refusal(request, error) if wants_json(request) else _form(request, error)
    message = _("Plan %(plan)d is made. Nothing has been changed yet.") % {"plan": plan.pk}
    return done(
        request, url=reverse("console:plan", args=[plan.pk]), message=message, report=plan_report(plan), status=201
    )


def _plan_posted(request: HttpRequest) -> Plan:
    posted = FormReader(request.POST)
    options = MoveOptions(
        go_mode=GoMode(posted.choice("go_mode", GoMode.values, default=GoMode.MANUAL)),
        go_at=posted.moment("go_at"),
        rows_per_second=posted.number("rows_per_second", default=0, lowest=0, highest=10_000_000),
        quiet_from=posted.time("quiet_from"),
        quiet_until=posted.time("quiet_until"),
        workers=posted.number("workers", default=2, lowest=1, highest=WORKERS_MAX),
    )
    if options.go_mode == GoMode.AT and options.go_at is None:
        raise InputError(field=_("Cut-over at"), expected=_("a moment"))
    return move_plan_create(
        target_url=request.POST.get("target_url", ""),
        password=request.POST.get("password", ""),
        options=options,
        actor=actor(request),
    )


def _form(request: HttpRequest, error: OpsError | None = None) -> HttpResponse:
    typed = {name: request.POST.get(name, "") for name in FIELDS}
    typed["target_url"] = "" if ":" in typed["target_url"].partition("@")[0].partition("//")[2] else typed["target_url"]
    open_move = move_open()
    context = {
        "error": str(error) if error else "",
        "typed": typed,
        "here": place_here().url,
        "given": target_given(),
        "go_modes": [(value, label, value == (typed["go_mode"] or GoMode.MANUAL)) for value, label in GoMode.choices],
        "workers_max": WORKERS_MAX,
        "open_run": open_move.run if open_move else None,
    }
    return render(request, "migrations_ops/move_form.html", context, status=status_of(error) if error else 200)


def _run_of(move: Move) -> Run:
    assert move.run is not None  # noqa: S101 found by the number of its run
    return move.run


def _run_url(run: Run) -> str:
    return reverse("console:run", args=[run.pk])


def _crumbs(run: Run) -> list[tuple[str, str]]:
    return [(_("Runs"), reverse("console:runs")), (_("Run %(run)d") % {"run": run.pk}, _run_url(run))]


def _facts(move: Move) -> list[tuple[str, str]]:
    return [
        (_("From"), move.source_url),
        (_("To"), move.target_url),
        (_("State"), str(move.get_state_display())),
        (lag_label(move), lag_text(move)),
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def go(request: HttpRequest, pk: int) -> HttpResponse:
    """What the cut-over does, and on POST the operator's word."""
    require(request, "go_move")
    move = move_get(pk)
    run = _run_of(move)

    def carry_out(confirmation: str, reason: str) -> HttpResponse:
        move_go(move=move, actor=actor(request), confirmation=confirmation, reason=reason)
        return done(request, url=_run_url(run), report=run_report_for(request, run))

    prompt = Prompt(
        title=_("Cut over: run %(run)d") % {"run": run.pk},
        button=_("Cut over"),
        back_url=_run_url(run),
        consequences=[
            _(
                "As soon as every row is copied and verified, writers are held for some milliseconds, the last changes "
                "are carried over, and the site goes on in the new database. Readers never wait."
            ),
            _("Nobody has to do anything: pages, the worker and open shells follow by themselves; logins stay."),
            _("Questions are then asked of the new database. If an answer is wrong, the site goes back by itself."),
            _(
                "The old database is kept, follows every change, and the site can go back to it until you close that "
                "way."
            ),
        ],
        facts=_facts(move),
        expected=go_confirmation_expected(move),
        impossible="" if move.state in AHEAD else _("The move is past its cut-over."),
        crumbs=_crumbs(run),
    )
    return confirm(request, prompt, carry_out)


@require_POST
@console_page
def speed(request: HttpRequest, pk: int) -> HttpResponse:
    """Another speed from the next range on."""
    require(request, "speed_move")
    move = move_get(pk)
    rows = FormReader(request.POST).number("rows_per_second", default=0, lowest=0, highest=10_000_000)
    changed = move_speed_set(move=move, rows_per_second=rows, actor=actor(request))
    return done(request, url=_run_url(_run_of(move)), report=move_report(changed))


@require_POST
@console_page
def hours(request: HttpRequest, pk: int) -> HttpResponse:
    """Other hours from now on; without both times it works always."""
    require(request, "speed_move")
    move, posted = move_get(pk), FormReader(request.POST)
    changed = move_hours_set(
        move=move,
        quiet_from=posted.time("quiet_from"),
        quiet_until=posted.time("quiet_until"),
        actor=actor(request),
    )
    return done(request, url=_run_url(_run_of(move)), report=move_report(changed))


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def close_return(request: HttpRequest, pk: int) -> HttpResponse:
    """What it means to close the way back, and on POST that."""
    require(request, "close_return_path")
    move = move_get(pk)
    run = _run_of(move)

    def carry_out(confirmation: str, reason: str) -> HttpResponse:
        changed = return_path_close(move=move, actor=actor(request), confirmation=confirmation, reason=reason)
        return done(request, url=_run_url(run), message=_("The way back is closed."), report=move_report(changed))

    prompt = Prompt(
        title=_("Close the way back: run %(run)d") % {"run": run.pk},
        button=_("Close the way back"),
        back_url=_run_url(run),
        consequences=[
            _("The old database is no longer followed up; it stays as it was last, and refuses writes."),
            _("This run can no longer be rolled back. To return, plan a move in the other direction."),
            _("Levels can be opened and closed again."),
        ],
        facts=_facts(move),
        expected=close_confirmation_expected(move),
        danger=True,
        impossible="" if move.state == MoveState.MOVED else _("There is no open way back."),
        crumbs=_crumbs(run),
    )
    return confirm(request, prompt, carry_out)


@require_safe
@console_page
def move_json(request: HttpRequest, pk: int) -> HttpResponse:
    """The move of a run as data."""
    return JsonResponse(move_report(move_get(pk)))
