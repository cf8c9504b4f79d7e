"""The ledger of a move: every row that was compared, as a page and as files."""

from __future__ import annotations

import json

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from migrations_ops.console.access import console_page, permitted
from migrations_ops.console.answers import page_of
from migrations_ops.console.errors import InputError
from migrations_ops.console.present.moves import ledger_page_context
from migrations_ops.errors import LedgerMissingError
from migrations_ops.move.reports import FORMS, ledger_path
from migrations_ops.moves import move_get
from migrations_ops.runs import actions_legal

DIFFERENCES_PER_PAGE = 100


@require_safe
@console_page
def ledger_page(request: HttpRequest, pk: int) -> HttpResponse:
    """What the newest verification compared, and every difference that it has listed."""
    move = move_get(pk)
    try:
        ledger = json.loads(ledger_path(move, "json").read_text())
    except FileNotFoundError as error:
        raise LedgerMissingError(run=pk) from error
    legal = actions_legal(move.run) if move.run else []
    context = {
        "run": move.run,
        "move": move,
        "ledger": ledger_page_context(move, ledger),
        "page": page_of(request, ledger.get("by_difference", []), DIFFERENCES_PER_PAGE),
        "may_retry": not ledger["sound"] and "retry" in legal and permitted(request.user, "retry_run"),
    }
    return render(request, "migrations_ops/ledger.html", context)


@require_safe
@console_page
def ledger(request: HttpRequest, pk: int, form: str) -> HttpResponseBase:
    """The whole record of the newest verification, as JSON or CSV."""
    move = move_get(pk)
    if form not in FORMS:
        raise InputError(field=_("The form"), expected=", ".join(FORMS))
    try:
        file = ledger_path(move, form).open("rb")
    except FileNotFoundError as error:
        raise LedgerMissingError(run=pk) from error
    return FileResponse(file, as_attachment=True, filename=f"ledger-run-{pk}.{form}", content_type=FORMS[form])
