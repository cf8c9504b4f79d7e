"""Pages and JSON of requests that no view answers: a refused form, a wrong address, a database that is away.

Callers that asked for JSON, and everything below /api/, get `{"error": {"code", "message"}}`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import REASON_BAD_ORIGIN, REASON_NO_CSRF_COOKIE
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import defaults

from knowledge.errors import RateLimitedError
from migrations_ops.console.access import json_error, wants_json
from migrations_ops.errors import DatabaseMovedError
from migrations_ops.outages import database_away
from migrations_ops.place.middleware import MovedResponse

#: Fields with what a person wrote: a refused form gives them back. Passwords and tokens are in none of them.
WRITTEN_FIELDS = {
    "title": gettext_lazy("Title"),
    "problem": gettext_lazy("Problem"),
    "solution": gettext_lazy("Solution"),
    "codes": gettext_lazy("Codes"),
    "tags": gettext_lazy("Tags"),
    "comment": gettext_lazy("Comment"),
    "answer": gettext_lazy("Answer"),
    "text": gettext_lazy("Log"),
    "lines": gettext_lazy("Lines"),
    "reason": gettext_lazy("Reason"),
}
MEGABYTE = 1024 * 1024


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """What a form gets whose token is missing or no longer valid, with what was typed into it."""
    if _as_json(request):
        return json_error("csrf_failed", _("The request carries no valid CSRF token. Nothing was changed."), 403)
    context = {
        "cookieless": reason == REASON_NO_CSRF_COOKIE,
        "other_origin": reason.startswith(REASON_BAD_ORIGIN.partition("%")[0]),
        "written": list(_written(request)),
    }
    return render(request, "form_refused.html", context, status=403)


def logged_out(request: HttpRequest) -> HttpResponse | None:
    """What a form gets whose sender is not logged in any more; None where nothing in it would be lost."""
    written = list(_written(request))
    if not written:
        return None
    context = {"logged_out": True, "again": request.path, "written": written}
    return render(request, "form_refused.html", context, status=403)


def too_large(request: HttpRequest, most_bytes: int) -> HttpResponse:
    """What a request gets that is larger than anything that is read here."""
    limit = most_bytes // MEGABYTE
    if _as_json(request):
        message = _("The request is larger than %(limit)d MB, so it was not read.") % {"limit": limit}
        return json_error("request_too_large", message, 413)
    return render(request, "413.html", {"limit_mb": limit}, status=413)


def too_often(request: HttpRequest, error: RateLimitedError) -> HttpResponse:
    """What a form gets that comes after too many others from the same address."""
    seconds = error.facts["seconds"]
    if _as_json(request):
        answer: HttpResponse = json_error(error.code, str(error), 429)
    else:
        answer = render(request, "429.html", {"seconds": seconds}, status=429)
    answer["Retry-After"] = str(seconds)
    return answer


def method_refused(request: HttpRequest, methods: str) -> HttpResponse:
    """What a request gets whose method its address does not answer to; `methods` are those that it does."""
    if _as_json(request):
        return json_error("method_not_allowed", _("This address answers to %(methods)s.") % {"methods": methods}, 405)
    return render(request, "405.html", {"methods": methods}, status=405)


def unavailable(request: HttpRequest) -> HttpResponse:
    """What a request gets while the database does not answer; made without asking it anything."""
    if _as_json(request):
        message = _("The database does not answer. Nothing was changed; try again when it is back.")
        return json_error("database_gone", message, 503)
    return _bare(request, "503.html", 503)


def moved(request: HttpRequest) -> HttpResponse:
    """What a request gets that a move of the database has cut off."""
    if _as_json(request):
        message = _("The database was moved meanwhile, and the request was not finished. Look, then send it again.")
        return json_error("database_moved", message, 503)
    return _bare(request, "503.html", 503, moved=True)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400; what is too large says the limit."""
    if isinstance(exception, RequestDataTooBig):
        return too_large(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    if _as_json(request):
        return json_error("bad_request", _("This request could not be read."), 400)
    return _bare(request, "400.html", 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403."""
    if _as_json(request):
        return json_error("permission_denied", _("Your account lacks the permission for this."), 403)
    return defaults.permission_denied(request, exception)


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404."""
    if _as_json(request):
        return json_error("not_found", _("There is nothing at this address."), 404)
    return defaults.page_not_found(request, exception)


def broken(request: HttpRequest) -> HttpResponse:
    """handler500; 503 where the database is what did not answer, and another run where it was moved meanwhile.

    Such an error of a view has not come this far; that of a middleware has.
    """
    if isinstance(sys.exception(), DatabaseMovedError):
        return MovedResponse()
    if database_away(sys.exception()):
        return unavailable(request)
    if _as_json(request):
        return json_error("internal_error", _("The site could not answer. The reason is in its log."), 500)
    return _bare(request, "500.html", 500)


def _bare(request: HttpRequest, template: str, status: int, **facts: object) -> HttpResponse:
    """A page without navigation, which asks the database nothing; the theme comes from the cookie."""
    theme = request.COOKIES.get("theme")
    context = {"theme": theme if theme in {"light", "dark"} else "", **facts}
    return HttpResponse(render_to_string(template, context), status=status)


def _as_json(request: HttpRequest) -> bool:
    return request.path.startswith("/api/") or wants_json(request)


def _written(request: HttpRequest) -> Iterator[dict[str, Any]]:
    for name, label in WRITTEN_FIELDS.items():
        if text := request.POST.get(name, "").strip():
            yield {"name": name, "label": label, "text": text, "rows": min(20, text.count("\n") + 2)}
