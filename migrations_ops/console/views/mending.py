"""What the values of a move's source are, and the repairs that its assessment offers."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from migrations_ops.console.access import actor, console_page, require
from migrations_ops.console.answers import done
from migrations_ops.console.confirming import Prompt, confirm
from migrations_ops.console.present.moves import assessment_context
from migrations_ops.console.present.plans import plan_title
from migrations_ops.errors import PlanNotFoundError
from migrations_ops.mending import FindingName, move_repair, repair_confirmation_expected, repairs_offered
from migrations_ops.models import Move, MoveState, Plan, PlanKind
from migrations_ops.planning import plan_get
from migrations_ops.reports import move_report

LINES_SHOWN = 50


def _plan_of_move(pk: int) -> Plan:
    plan = plan_get(pk)
    if plan.kind != PlanKind.MOVE:
        raise PlanNotFoundError(plan=pk)
    return plan


@require_safe
@console_page
def values_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Every table and column with its rows and bytes, and what the target would refuse or change."""
    plan = _plan_of_move(pk)
    context = {"plan": plan, "title": plan_title(plan), "values": assessment_context(plan.move, request.user)}
    return render(request, "migrations_ops/plan_values.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def repair(request: HttpRequest, pk: int) -> HttpResponse:
    """What a repair changes, and on POST that."""
    require(request, "repair_move")
    move = _plan_of_move(pk).move
    only = _named(request)

    def carry_out(confirmation: str, reason: str) -> HttpResponse:
        rows = move_repair(move=move, actor=actor(request), confirmation=confirmation, reason=reason, only=only)
        message = ngettext("%(n)d row repaired.", "%(n)d rows repaired.", rows) % {"n": rows}
        return done(request, url=_back_url(move), message=message, report={**move_report(move), "repaired": rows})

    return confirm(request, _prompt(move, only), carry_out)


def _named(request: HttpRequest) -> FindingName | None:
    """The one finding that the address names; None for all that block."""
    table = request.GET.get("table", "")
    return FindingName(table, request.GET.get("column", ""), request.GET.get("code", "")) if table else None


def _back_url(move: Move) -> str:
    if move.run_id:
        return reverse("console:run", args=[move.run_id])
    return reverse("console:plan", args=[move.plan_id])


def _prompt(move: Move, only: FindingName | None) -> Prompt:
    offered = repairs_offered(move, only)
    impossible = "" if offered else _("Nothing is left here that a repair can fix.")
    if move.state != MoveState.PLANNED:
        impossible = _("Rows are copied already; values are repaired before that.")
    return Prompt(
        title=_("Repair values: plan %(plan)d") % {"plan": move.plan_id},
        button=_("Repair"),
        back_url=_back_url(move),
        consequences=[
            _("Values are changed in the site's database as it is now; no rollback brings the old ones back."),
            _("People go on working. Search and pages show the repaired texts at once."),
            _("What somebody changes at the same moment is left as they wrote it."),
        ],
        operations=[(one["code"], _repair_text(one)) for one in offered[:LINES_SHOWN]],
        operations_title=_("What is changed"),
        expected=repair_confirmation_expected(move),
        danger=True,
        impossible=impossible,
        crumbs=[
            (_("Plans"), reverse("console:plans")),
            (_("Plan %(plan)d") % {"plan": move.plan_id}, reverse("console:plan", args=[move.plan_id])),
        ],
    )


def _repair_text(finding: dict[str, object]) -> str:
    """One finding: where, how many rows, what is done to them, and examples."""
    text = _("%(place)s, %(n)s row(s): %(repair)s.") % {
        "place": ".".join(str(finding[name]) for name in ("table", "column") if finding[name]),
        "n": finding["repairable"],
        "repair": finding["repair"],
    }
    examples = finding["examples"]
    if not isinstance(examples, list) or not examples:
        return text
    return _("%(text)s For example %(examples)s") % {"text": text, "examples": "; ".join(map(str, examples))}
