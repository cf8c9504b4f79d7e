"""Requests that meet a move: run again where the database is now.

Nearly none does: connections follow by themselves. What is left are raw statements that write outside
a transaction, and fences.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from migrations_ops.errors import DatabaseMovedError
from migrations_ops.place.follow import place_follow

#: Longest body, in bytes, that is kept for a second run.
KEPT_BYTES = 1024 * 1024
#: How often a request is run again: a slow one may meet a move and the way back.
RUNS_AGAIN = 4
METHODS_WITHOUT_BODY = {"GET", "HEAD", "OPTIONS", "TRACE"}


class MovedResponse(HttpResponse):
    """The database was moved during this request; leaves `MovedMiddleware` only when that cannot help.

    The status is 500 until then: no session is saved with it.
    """

    def __init__(self) -> None:
        text = _(
            "The site's database was moved while this request was on its way, and it was not finished. "
            "Look at what is there, then send it again."
        )
        super().__init__(text, status=500, headers={"Retry-After": "1"}, content_type="text/plain")


class MovedMiddleware:
    """Runs a request again when it met a move and has committed nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        body = body_kept(request)
        commits = _commits()
        response = self.get_response(request)
        for _run in range(RUNS_AGAIN):
            if not isinstance(response, MovedResponse) or body is None or _commits() != commits:
                break
            place_follow()
            response = self.get_response(request_again(request, body))
        if isinstance(response, MovedResponse):
            response.status_code = 503
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Turn the error of a view into an answer that the middlewares around it let through."""
        return MovedResponse() if isinstance(exception, DatabaseMovedError) else None


def body_kept(request: HttpRequest) -> bytes | None:
    """The body, which the request can still read; None where it is too long to be kept."""
    if request.method in METHODS_WITHOUT_BODY:
        return b""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > KEPT_BYTES:
        return None
    body: bytes = request._stream.read(length)
    request._stream = BytesIO(body)
    return body


def request_again(request: HttpRequest, body: bytes) -> HttpRequest:
    """The same request before anyone has worked on it."""
    environ: dict[str, Any] = {**request.environ, "wsgi.input": BytesIO(body)}  # type: ignore[attr-defined]
    return type(request)(environ)  # type: ignore[call-arg]


def _commits() -> int:
    return int(getattr(connections[DEFAULT_DB_ALIAS], "commits", 0))
