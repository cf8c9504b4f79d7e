"""Middleware of the site: the content security policy, sessions, forms and how many of them, answers that have no page."""

from __future__ import annotations

from collections.abc import Callable

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import reverse

from kbsite.failures import logged_out, method_refused, moved, too_large, too_often
from knowledge.bodies import body_bytes, body_drain
from knowledge.errors import RateLimitedError
from knowledge.rates import rate_take
from knowledge.views.visitor import LOOPBACK, address_of
from migrations_ops.console.access import wants_json
from migrations_ops.outages import written_if_possible
from migrations_ops.place.middleware import MovedResponse

METHODS_THAT_READ = {"GET", "HEAD"}


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """Sends the strict policy everywhere and the admin's own below /admin/."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.path.startswith(reverse("admin:index")):
            response._csp_replace = settings.ADMIN_CONTENT_SECURITY_POLICY  # type: ignore[attr-defined]
        answer: HttpResponseBase = super().process_response(request, response)
        return answer


class MovedPageMiddleware:
    """Gives a request that a move has cut off its page or JSON; stands outside of MovedMiddleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, MovedResponse):
            filled(response, moved(request))
        return response


class ReadersSessionMiddleware(SessionMiddleware):
    """Keeps a session, and lets who only reads have the page where the database takes none just now."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if request.method not in METHODS_THAT_READ:
            return super().process_response(request, response)
        with written_if_possible("A session"):
            response = super().process_response(request, response)
        return response  # noqa: RET504 - it is the answer without a session where that cannot be kept


class MethodMiddleware:
    """Gives an address that does not answer to a method its page or JSON; Django's own answer is empty."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            filled(response, method_refused(request, response["Allow"]))
        return response


def filled(response: HttpResponse, page: HttpResponse) -> None:
    """Give a bare response the content of a page; its status and other headers stay."""
    response.content = page.content
    response["Content-Type"] = page["Content-Type"]
    if "Content-Length" in response:
        response["Content-Length"] = str(len(page.content))


class VisitorLimitMiddleware:
    """Counts forms of people who are not logged in by address: votes and reports stay, and a log is work to read.

    Without it one program votes as often as it likes, each time as somebody new. The API counts for itself.
    Who calls from this machine is not counted: the load script, and everybody behind a proxy that
    KB_BEHIND_PROXY does not name, who would share one count.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "POST" and not request.path.startswith("/api/") and not request.user.is_authenticated:
            address = address_of(request)
            if address in LOOPBACK:
                return self.get_response(request)
            try:
                rate_take(key=f"form:{address}", limit=settings.VISITOR_FORMS_PER_MINUTE)
            except RateLimitedError as error:
                body_drain(request, most_bytes=settings.LARGE_FORM_BYTES)
                return too_often(request, error)
        return self.get_response(request)


class LoggedOutFormMiddleware:
    """Gives the text back to somebody whose login ended while they wrote; the way to the login would forget it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method != "POST" or request.user.is_authenticated or wants_json(request):
            return response
        to_login = response.headers.get("Location", "").startswith(f"{reverse(settings.LOGIN_URL)}?")
        return (logged_out(request) if to_login else None) or response


FORM = "application/x-www-form-urlencoded"
FORM_WITH_FILES = "multipart/form-data"


class LargeFormMiddleware:
    """Reads a form over Django's own limit, up to LARGE_FORM_BYTES, so that the page can give its text back.

    Django would refuse it while it checks the form's token, before any field could say its limit. What is
    larger than `form_bytes_most` is read to its end and forgotten: a browser whose answer comes early shows a
    broken connection.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        size = form_bytes(request)
        if size > settings.VISITOR_FORM_BYTES and size > (most := form_bytes_most(request)):
            body_drain(request, most_bytes=4 * settings.LARGE_FORM_BYTES)
            return too_large(request, most)
        if size > settings.DATA_UPLOAD_MAX_MEMORY_SIZE and request.content_type == FORM:
            request._body = request.read(size)  # where `request.body` keeps what it has read
        return self.get_response(request)


def form_bytes(request: HttpRequest) -> int:
    """The size of a form; 0 for everything else, which has limits of its own."""
    is_form = request.method == "POST" and request.content_type in {FORM, FORM_WITH_FILES}
    return body_bytes(request) if is_form else 0


def form_bytes_most(request: HttpRequest) -> int:
    """What is read of a form, by who sends it.

    To decode a form takes up to a hundred times its size in memory, and its files lie on the disk before any
    page looks at them: so strangers send little, and only staff send files to import.
    """
    if request.content_type == FORM:
        return settings.LARGE_FORM_BYTES if request.user.is_authenticated else settings.VISITOR_FORM_BYTES
    if request.user.is_authenticated and request.user.is_staff:
        return settings.LARGE_FORM_BYTES + settings.TRANSFER_LIMITS["file_bytes"]
    return settings.LARGE_FORM_BYTES
