"""The page that stands before an action: what will happen, and what a person types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from migrations_ops.console.access import refusal, status_of, wants_json
from migrations_ops.console.errors import ReasonMissingError
from migrations_ops.errors import ConfirmationError, OpsError
from migrations_ops.models import RunEvent

REASON_MAX = RunEvent._meta.get_field("reason").max_length or 500


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What a confirmation page says and asks for."""

    title: str
    button: str
    back_url: str
    #: What will happen, one sentence each.
    consequences: Sequence[str] = ()
    #: Facts in pairs of label and value.
    facts: Sequence[tuple[str, str]] = ()
    #: Ordered operations that will run: pairs of kind and description.
    operations: Sequence[tuple[str, str]] = ()
    operations_title: str = field(default_factory=lambda: _("In this order"))
    #: What a person has to type; empty for nothing.
    expected: str = ""
    reason_required: bool = False
    #: False where nothing would keep the reason.
    asks_reason: bool = True
    danger: bool = False
    #: Why it cannot be done now; then there is no form.
    impossible: str = ""
    crumbs: Sequence[tuple[str, str]] = ()


def confirm(
    request: HttpRequest,
    prompt: Prompt,
    carry_out: Callable[[str, str], HttpResponse],
) -> HttpResponse:
    """The page on GET; on POST what `carry_out(confirmation, reason)` answers, or the page with the error."""
    if request.method != "POST":
        return _page(request, prompt)
    confirmation = request.POST.get("confirmation", "").strip()
    reason = request.POST.get("reason", "").strip()[:REASON_MAX]
    try:
        _expect(prompt, confirmation, reason)
        return carry_out(confirmation, reason)
    except (ConfirmationError, ReasonMissingError) as error:
        return refusal(request, error) if wants_json(request) else _page(request, prompt, error)


def _expect(prompt: Prompt, confirmation: str, reason: str) -> None:
    """Raise ReasonMissingError or ConfirmationError unless everything that was asked for is there."""
    if prompt.reason_required and not reason:
        raise ReasonMissingError
    if prompt.expected and confirmation != prompt.expected:
        raise ConfirmationError(expected=prompt.expected)


def _page(request: HttpRequest, prompt: Prompt, error: OpsError | None = None) -> HttpResponse:
    typed: dict[str, Any] = {name: request.POST.get(name, "") for name in ("confirmation", "reason")}
    context = {
        "prompt": prompt,
        "typed": typed,
        "reason_max": REASON_MAX,
        "confirmation_error": str(error) if isinstance(error, ConfirmationError) else "",
        "reason_error": str(error) if isinstance(error, ReasonMissingError) else "",
    }
    return render(request, "migrations_ops/confirm.html", context, status=status_of(error) if error else 200)
