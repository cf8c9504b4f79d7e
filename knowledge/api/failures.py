"""One shape for everything that is no success: {"error": {"code", "message"}}."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from knowledge.errors import (
    KnowledgeError,
    LogTooLargeError,
    LogUnreadableError,
    RateLimitedError,
    StatusHiddenError,
    TokenInvalidError,
)
from migrations_ops.errors import DatabaseMovedError
from migrations_ops.outages import database_away

logger = logging.getLogger(__name__)
View = Callable[..., HttpResponseBase]
STATUSES: dict[type[KnowledgeError], int] = {
    TokenInvalidError: 401,
    StatusHiddenError: 403,
    LogTooLargeError: 413,
    LogUnreadableError: 422,
    RateLimitedError: 429,
}


def failure(status: int, code: str, message: str) -> JsonResponse:
    """An answer in the one shape."""
    return JsonResponse({"error": {"code": code, "message": message}}, status=status)


def not_found(request: HttpRequest, rest: str = "") -> HttpResponse:
    """What addresses below /api/ answer that stand for nothing."""
    return failure(404, "not_found", _("There is nothing at this address."))


def methods_shaped(view: View) -> View:
    """The view, with refused methods in the one shape."""

    @wraps(view)
    def shaped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if response.status_code != 405:
            return response
        allowed = response.headers.get("Allow", "GET")
        answer = failure(405, "method_not_allowed", _("This address answers to %(methods)s.") % {"methods": allowed})
        answer["Allow"] = allowed
        return answer

    return shaped


def failures_shaped(api: NinjaAPI) -> None:
    """Answer every failure of the API in the one shape."""
    api.exception_handler(ValidationError)(_invalid)
    api.exception_handler(KnowledgeError)(_refused)
    api.exception_handler(Http404)(lambda request, error: not_found(request))
    api.exception_handler(HttpError)(lambda request, error: failure(error.status_code, "refused", str(error)))
    api.exception_handler(DatabaseMovedError)(_moved)
    api.exception_handler(Exception)(_failed)


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    problems = [f"{'.'.join(str(part) for part in one['loc'][1:])}: {one['msg']}" for one in error.errors]
    return failure(422, "invalid_request", "; ".join(problems))


def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    answer = failure(STATUSES.get(type(error), 400), error.code, str(error))
    if isinstance(error, TokenInvalidError):
        answer["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RateLimitedError):
        answer["Retry-After"] = str(error.facts["seconds"])
    return answer


def _moved(request: HttpRequest, error: Any) -> HttpResponse:
    raise error  # the request is run again


def _failed(request: HttpRequest, error: Any) -> HttpResponse:
    logger.error("The API failed at %s", request.path, exc_info=error)
    if database_away(error):
        message = _("The database does not answer. Nothing was changed; try again when it is back.")
        return failure(503, "database_gone", message)
    return failure(
        500, "internal_error", _("The site could not answer. The administrators find the reason in its log.")
    )
