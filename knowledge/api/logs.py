"""Paste a log by API: the same reading and the same limit as the page, and nothing is kept here either."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from ninja import Router

from knowledge.api.answers import FAILURES, ErrorAnswer, LogAnswer
from knowledge.api.present import entry_summary
from knowledge.bodies import body_bytes, body_drain
from knowledge.errors import LogTooLargeError, LogUnreadableError
from knowledge.logs import LOG_BYTES, log_advice, log_read, log_text
from knowledge.logs.advice import CodeAdvice
from knowledge.views.logs import DRAINED_BYTES, REQUEST_BYTES

SIGHTINGS_SHOWN = 5
JSON = "application/json"
#: How a log can be sent; other types are refused, so that a form is not read as a log by mistake.
SENT_AS = ("text/plain", "application/octet-stream", JSON)

logs_router = Router(tags=["Logs"])

_BODY = {
    "required": True,
    "description": "The log as it is, of at most 1 MB, or in JSON.",
    "content": {
        "text/plain": {"schema": {"type": "string"}},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        JSON: {"schema": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}},
    },
}


@logs_router.post(
    "/logs",
    response={200: LogAnswer, **FAILURES, 413: ErrorAnswer},
    summary="Read a log",
    operation_id="logs",
    openapi_extra={"requestBody": _BODY},
)
def logs(request: HttpRequest) -> dict[str, Any]:
    """The codes of a job log, dump summary, SQLCA or CICS message with line, step and program, and the entries
    that help. Send the log as the body (text/plain) or as JSON {"text": "..."}, at most 1 MB. Nothing is stored."""
    report = log_read(log_sent(request))
    advice = log_advice(report)
    return {
        "lines": report.line_count,
        "jobs": report.jobs,
        "steps": [{**asdict(step), "abended": step.abended} for step in report.steps],
        "codes": [_code(request, code) for code in advice.codes],
        "items": [{**entry_summary(request, item.entry), "matched": item.codes} for item in advice.entries],
    }


def log_sent(request: HttpRequest) -> str:
    """The log in the body. Raises LogTooLargeError, LogUnreadableError."""
    if body_bytes(request) > REQUEST_BYTES:
        body_drain(request, most_bytes=DRAINED_BYTES)
        raise LogTooLargeError(limit_kb=LOG_BYTES // 1024)
    if request.content_type not in SENT_AS:
        raise LogUnreadableError(problem=_("its type is %(type)s.") % {"type": request.content_type or "unknown"})
    try:
        body = request.body
    except RequestDataTooBig as error:  # sent without a length
        raise LogTooLargeError(limit_kb=LOG_BYTES // 1024) from error
    if not body:  # or sent in chunks, which the web server does not count
        raise LogUnreadableError(problem=_("its body is empty, or was sent without a Content-Length."))
    text = _text_of(body) if request.content_type == JSON else log_text(body)
    if len(text.encode("utf-8", "ignore")) > LOG_BYTES:
        raise LogTooLargeError(limit_kb=LOG_BYTES // 1024)
    return text


def _text_of(body: bytes) -> str:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise LogUnreadableError(problem=_("the body is no JSON.")) from error
    text = given.get("text") if isinstance(given, dict) else None
    if not isinstance(text, str):
        raise LogUnreadableError(problem=_("the JSON has no text in it."))
    return text


def _code(request: HttpRequest, advice: CodeAdvice) -> dict[str, Any]:
    found = advice.found
    return {
        "code": found.code,
        "kind": found.kind,
        "role": found.role.name.lower(),
        "meaning": advice.meaning,
        "url": request.build_absolute_uri(reverse("code", args=[found.code])) if advice.known else None,
        "entries": advice.entry_count,
        "count": found.count,
        "sightings": [asdict(sighting) for sighting in found.sightings[:SIGHTINGS_SHOWN]],
    }
