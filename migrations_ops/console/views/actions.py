"""What people do with a run; each action has its address, its permission and its page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from migrations_ops.console.access import actor, console_page, require
from migrations_ops.console.answers import done, may_act, run_report_for
from migrations_ops.console.confirming import Prompt, confirm
from migrations_ops.console.errors import ActionUnknownError
from migrations_ops.console.present.moves import move_return_consequences
from migrations_ops.console.present.runs import what_text
from migrations_ops.errors import RunStateError
from migrations_ops.models import PlanKind, Run, RunState, StepState
from migrations_ops.runs import (
    actions_legal,
    rollback_confirmation_expected,
    rollback_refused,
    run_cancel,
    run_force_stop,
    run_get,
    run_pause,
    run_resume,
    run_retry,
    run_rollback,
    step_skip,
    steps_skippable,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

Service = Callable[..., Run]


@dataclass(frozen=True, kw_only=True)
class RunAction:
    """One thing that a person can do with a run."""

    name: str
    label: StrOrPromise
    icon: str
    service: Service
    consequences: tuple[StrOrPromise, ...]
    #: False: one click does it; True: its page comes first.
    asks: bool = False
    reason_required: bool = False
    danger: bool = False
    primary: bool = False


ACTIONS = {
    action.name: action
    for action in (
        RunAction(
            name="resume",
            label=gettext_lazy("Resume"),
            icon="play",
            service=run_resume,
            primary=True,
            consequences=(gettext_lazy("The run goes on from its last commit, in the direction that it had."),),
        ),
        RunAction(
            name="retry",
            label=gettext_lazy("Retry"),
            icon="play",
            service=run_retry,
            primary=True,
            consequences=(gettext_lazy("The run goes on from its last commit; finished steps are not done again."),),
        ),
        RunAction(
            name="pause",
            label=gettext_lazy("Pause"),
            icon="pause",
            service=run_pause,
            consequences=(
                gettext_lazy("The run stops at its next safe point; what is done stays done."),
                gettext_lazy("It still holds the site: no other run can start."),
            ),
        ),
        RunAction(
            name="cancel",
            label=gettext_lazy("Cancel"),
            icon="stop",
            service=run_cancel,
            asks=True,
            reason_required=True,
            consequences=(
                gettext_lazy("The rest of the run is given up at its next safe point; what is done is kept."),
                gettext_lazy("The level does not open. The run can be retried or rolled back later."),
                gettext_lazy("To undo what is done, roll back instead."),
            ),
        ),
        RunAction(
            name="force_stop",
            label=gettext_lazy("Force stop"),
            icon="alert",
            service=run_force_stop,
            asks=True,
            reason_required=True,
            danger=True,
            consequences=(
                gettext_lazy("The run is taken away from its worker at once."),
                gettext_lazy("A batch that the worker has not committed can no longer commit and is done again later."),
                gettext_lazy("Use it when the worker does not answer; else pause."),
            ),
        ),
        RunAction(
            name="roll_back",
            label=gettext_lazy("Roll back"),
            icon="undo",
            service=run_rollback,
            asks=True,
            reason_required=True,
            danger=True,
            consequences=(
                gettext_lazy("The steps that have begun are reverted, the last one first, with progress of their own."),
                gettext_lazy(
                    "Nothing that a person entered is lost: rows of the level are parked and come back with it."
                ),
            ),
        ),
    )
}


@dataclass(frozen=True)
class Button:
    """An action as a button: a form of its own, or a link to the page that asks first."""

    action: RunAction
    url: str


def buttons(run: Run, allowed: list[str]) -> list[Button]:
    """The buttons of a run for one person, the way on first."""
    return [Button(action, run_url(run, name)) for name, action in ACTIONS.items() if name in allowed]


def run_url(run: Run, action: str = "") -> str:
    """The address of a run, or of an action on it."""
    return reverse("console:run_action", args=[run.pk, action]) if action else reverse("console:run", args=[run.pk])


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def run_action(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """What an action does, and on POST the action."""
    chosen = ACTIONS.get(action)
    if chosen is None:
        raise ActionUnknownError(action=action)
    run = run_get(pk)
    if not may_act(request, run, action):
        raise PermissionDenied
    prompt = action_prompt(run, chosen)

    def carry_out(confirmation: str, reason: str) -> HttpResponse:
        typed = {"confirmation": confirmation} if chosen.name == "roll_back" else {}
        changed = chosen.service(run=run, actor=actor(request), reason=reason, **typed)
        return done(request, url=run_url(run), report=run_report_for(request, changed))

    return confirm(request, prompt, carry_out)


def action_prompt(run: Run, action: RunAction) -> Prompt:
    """What an action on a run will do."""
    legal = action.name in actions_legal(run)
    impossible = _("Run %(run)d is %(state)s; this is not possible now.") % {
        "run": run.pk,
        "state": run.get_state_display().lower(),
    }
    return Prompt(
        title=_("%(action)s: run %(run)d") % {"action": action.label, "run": run.pk},
        button=str(action.label),
        back_url=run_url(run),
        consequences=_consequences(run, action),
        facts=[
            (_("Run"), _("%(run)d: %(what)s") % {"run": run.pk, "what": what_text(run)}),
            (_("State"), str(run.get_state_display())),
        ],
        operations=rollback_operations(run) if action.name == "roll_back" else (),
        operations_title=_("What is undone, in this order"),
        expected=_expected(run, action),
        reason_required=action.reason_required,
        danger=action.danger,
        impossible="" if legal else impossible,
        crumbs=_crumbs(run),
    )


def _consequences(run: Run, action: RunAction) -> list[str]:
    """What will happen, one sentence each."""
    if run.plan.kind == PlanKind.MOVE and action.name == "roll_back":
        return move_return_consequences(run.plan.move)
    if run.plan.kind == PlanKind.MOVE and action.name == "cancel":
        return [
            _("The rest of the move is given up at its next safe point; the site stays in the database where it is."),
            _("Triggers and copied rows stay until the run is retried or rolled back."),
        ]
    if run.plan.kind == PlanKind.REHEARSAL and action.name == "cancel":
        return [
            _("The rehearsal is given up at its next safe point, and its copy is removed. The site stays as it is."),
            _("The run can be retried later."),
        ]
    if run.plan.kind == PlanKind.TASK and action.name == "roll_back":
        return [
            _("What the run has done is undone, the last first, with progress of its own."),
            _("What people have changed since stays as it is."),
        ]
    if run.plan.kind == PlanKind.TASK and action.name == "cancel":
        return [
            _("The rest of the run is given up at its next safe point; what is done is kept."),
            _("The run can be retried later.")
            if rollback_refused(run)
            else _("The run can be retried or rolled back later."),
        ]
    return [*map(str, action.consequences), *_losses(run, action)]


def _crumbs(run: Run) -> list[tuple[str, str]]:
    return [(_("Runs"), reverse("console:runs")), (_("Run %(run)d") % {"run": run.pk}, run_url(run))]


def _expected(run: Run, action: RunAction) -> str:
    if action.name == "roll_back":
        return rollback_confirmation_expected(run)
    return f"FORCE STOP {run.pk}" if action.name == "force_stop" else ""


def _losses(run: Run, action: RunAction) -> list[str]:
    if action.name != "roll_back":
        return []
    if run.plan.kind == PlanKind.RESTORE:
        return [_("The rows that the site had before the restore come back; what was entered since is replaced.")]
    return list(run.plan.document.get("loss", []))


def rollback_operations(run: Run) -> list[tuple[str, str]]:
    """The operations of the plan's way back whose steps have begun."""
    begun = set(run.steps.filter(started_at__isnull=False).values_list("name", flat=True))
    begun -= set(run.steps.filter(state=StepState.REVERTED).values_list("name", flat=True))
    lines = run.plan.document.get("rollback", [])
    return [(line["kind"], line["description"]) for line in lines if line["step"] in begun]


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def skip(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """What it means to leave a step out, and on POST that."""
    require(request, "skip_step")
    run = run_get(pk)
    record = run.steps.filter(name=step).first()
    if record is None:
        allowed = _("paused or failed, and the step is not over")
        raise RunStateError(run=run.pk, state=RunState(run.state).label, action="skip", allowed=allowed)

    def carry_out(confirmation: str, reason: str) -> HttpResponse:
        changed = step_skip(run=run, step_name=step, actor=actor(request), reason=reason)
        return done(request, url=run_url(run), report=run_report_for(request, changed))

    prompt = Prompt(
        title=_("Skip a step of run %(run)d: %(step)s") % {"run": run.pk, "step": record.title},
        button=_("Skip the step"),
        back_url=run_url(run),
        consequences=[
            _("The run goes on without this step; what it would have done is missing."),
            _("Later steps that build on it may find less than they expect."),
        ],
        reason_required=True,
        impossible="" if step in steps_skippable(run) else _("This step cannot be skipped now."),
        crumbs=_crumbs(run),
    )
    return confirm(request, prompt, carry_out)
