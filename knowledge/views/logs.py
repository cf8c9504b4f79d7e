"""Paste a log: what it says and which entries help. The log is read and forgotten."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST

from knowledge.bodies import body_bytes, body_drain
from knowledge.errors import EntryInvalidError, LogTooLargeError
from knowledge.logs import LOG_BYTES, LogReport, LogRole, log_advice, log_draft_create, log_excerpt, log_read, log_text
from knowledge.logs.draft import CODES_FILLED_IN, EXCERPT_CHARS, log_category, log_codes, log_title
from knowledge.views.visitor import visitor_user

#: A pasted text comes back in its box up to here; a longer one would make a heavy page.
KEPT_CHARS = 20_000
#: A log in a form: carriage returns, the other fields, the frame of the form come to it.
REQUEST_BYTES = 2 * LOG_BYTES
#: A body that is too long is read to its end up to here, so that the browser hears the answer.
DRAINED_BYTES = 16 * LOG_BYTES
CODES_SHOWN = 60
SIGHTINGS_SHOWN = 5


@csrf_exempt
def logs(request: HttpRequest) -> HttpResponse:
    """The box, and below it what was found in the log that was sent."""
    # Before the form is parsed, by the check of its token or by us: the parser's own limit names none.
    if request.method == "POST" and body_bytes(request) > REQUEST_BYTES:
        body_drain(request, most_bytes=DRAINED_BYTES)
        return _too_large(request)
    return _logs(request)


@csrf_protect
def _logs(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return render(request, "knowledge/logs.html", box())
    try:
        text = pasted(request)
    except LogTooLargeError:
        return _too_large(request)
    if not text.strip():
        refused = _("There is nothing to read: paste a log, or choose a file.")
        return render(request, "knowledge/logs.html", box() | {"refused": refused}, status=422)
    report = log_read(text)
    return render(request, "knowledge/logs.html", box(text) | found(request, report))


def pasted(request: HttpRequest) -> str:
    """The log of the request: the file if there is one, else the text of the box. Raises LogTooLargeError."""
    upload = request.FILES.get("file")
    if upload:
        content = upload.read(LOG_BYTES + 1)
        if len(content) > LOG_BYTES:
            raise LogTooLargeError(limit_kb=LOG_BYTES // 1024)
        return log_text(content)
    text = request.POST.get("text", "").replace("\r\n", "\n")
    if len(text.encode("utf-8", "ignore")) > LOG_BYTES:
        raise LogTooLargeError(limit_kb=LOG_BYTES // 1024)
    return text


def box(text: str = "") -> dict[str, Any]:
    """What the form prints."""
    kept = text if len(text) <= KEPT_CHARS else ""
    return {"text": kept, "dropped": bool(text and not kept), "limit_kb": LOG_BYTES // 1024}


def found(request: HttpRequest, report: LogReport) -> dict[str, Any]:
    """What the page says about a log."""
    advice = log_advice(report)
    groups = (
        (_("Likely cause"), advice.of_role(LogRole.CAUSE)),
        (_("What it says about it"), advice.of_role(LogRole.DETAIL)),
        (_("What followed"), advice.of_role(LogRole.CONSEQUENCE)),
    )
    excerpt = log_excerpt(report)
    return {
        "report": report,
        "entries": advice.entries,
        "groups": [(title, codes[:CODES_SHOWN]) for title, codes in groups if codes],
        "routine": advice.of_role(LogRole.ROUTINE),
        "sightings_most": SIGHTINGS_SHOWN,
        "may_add": request.user.has_perm("knowledge.add_entry"),
        "draft": {
            "title": log_title(report),
            "lines": excerpt,
            "codes": ", ".join(log_codes(report)),
            "category": log_category(report),
            "most": EXCERPT_CHARS,
        }
        if excerpt
        else None,
    }


@require_POST
@login_required
@permission_required("knowledge.add_entry", raise_exception=True)
def log_draft(request: HttpRequest) -> HttpResponse:
    """Keep the lines of a log that the person ticked, as a draft entry, and open it in the editor."""
    draft = {name: request.POST.get(name, "") for name in ("title", "lines", "codes", "category")}
    if request.POST.get("keep") != "yes":
        wrong = _("Nothing was stored: tick the box to keep these lines.")
        return _draft_refused(request, draft, wrong)
    codes = [code for part in draft["codes"].split(",") if (code := part.strip())][:CODES_FILLED_IN]
    try:
        entry = log_draft_create(
            title=draft["title"],
            lines=draft["lines"],
            codes=codes,
            category=draft["category"],
            author=visitor_user(request),
        )
    except EntryInvalidError as error:
        return _draft_refused(request, draft, str(error))
    messages.success(request, _("The lines are kept in a draft. Describe the problem and how it was solved."))
    return redirect("entry_edit", pk=entry.pk)


def _draft_refused(request: HttpRequest, draft: dict[str, Any], wrong: str) -> HttpResponse:
    context = box() | {"draft": draft | {"most": EXCERPT_CHARS}, "may_add": True, "wrong": wrong}
    return render(request, "knowledge/logs.html", context, status=422)


def _too_large(request: HttpRequest) -> HttpResponse:
    error = LogTooLargeError(limit_kb=LOG_BYTES // 1024)
    return render(request, "knowledge/logs.html", box() | {"refused": str(error)}, status=413)
