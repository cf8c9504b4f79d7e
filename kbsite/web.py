"""The web server's worker: gunicorn's threads, with pages of ours for what is refused before Django sees it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.template.loader import render_to_string
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

PAGES = {
    LimitRequestLine: (HTTPStatus.REQUEST_URI_TOO_LONG, "414.html"),
    LimitRequestHeaders: (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "431.html"),
}


class PageWorker(ThreadWorker):
    """Threads that answer an address or headers of too many characters with a page that says the way on."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Called by gunicorn with the socket and what it could not read of a request."""
        status, template = PAGES.get(type(exc), (None, ""))
        if status is None:
            super().handle_error(req, client, addr, exc)
            return
        self.log.info("Refused a request with %d: %s", status, exc)
        write_nonblock(client, page(status, template, limit=self.cfg.limit_request_line))


def page(status: HTTPStatus, template: str, limit: int) -> bytes:
    """A whole response. Whether JSON was asked for, or which theme, is not known: that was not read."""
    body = render_to_string(template, {"limit": limit}).encode()
    head = (
        f"HTTP/1.1 {status} {status.phrase}",
        "Connection: close",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Content-Security-Policy: default-src 'none'; style-src 'self'",
        "X-Content-Type-Options: nosniff",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
