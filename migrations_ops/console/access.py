"""Who may see the console, and how it answers when something is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from migrations_ops.errors import DatabaseGoneError, DatabaseMovedError, OpsError
from migrations_ops.outages import database_away

Page = Callable[..., HttpResponseBase]

NOT_FOUND = {
    "run_not_found",
    "plan_not_found",
    "checkpoint_not_found",
    "checkpoint_missing",
    "action_unknown",
    "ledger_missing",
    "cleanup_gone",
    "cleanup_unknown",
    "check_unknown",
}
BAD_INPUT = {
    "confirmation_mismatch",
    "reason_missing",
    "level_unknown",
    "input_invalid",
    "cleanup_option",
    "move_target",
}
UNAVAILABLE = {"database_gone"}


def console_page(view: Page) -> Page:
    """Decorator: staff only; errors of the engine and of the database become a page or JSON."""

    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        try:
            return _staff_refusal(request) or view(request, *args, **kwargs)
        except OpsError as error:
            return refusal(request, error)
        except DatabaseMovedError:
            raise  # the request is run again
        except (OperationalError, InterfaceError) as error:
            if not database_away(error):
                raise
            return database_refusal(request, error)
        except PermissionDenied:
            if wants_json(request):
                return json_error("permission_denied", _("Your account lacks the permission for this."), 403)
            raise

    return guarded


def _staff_refusal(request: HttpRequest) -> HttpResponseBase | None:
    if not request.user.is_authenticated:
        if wants_json(request):
            return json_error("login_required", _("Log in first."), 401)
        if request.headers.get("HX-Request"):
            # A page that refreshes a part of itself would show the log-in page inside that part.
            return HttpResponse(status=401, headers={"HX-Refresh": "true"})
        return redirect_to_login(request.get_full_path())
    if not request.user.is_staff:
        raise PermissionDenied
    return None


def require(request: HttpRequest, *permissions: str) -> None:
    """Raise PermissionDenied unless the person has all of these permissions of the engine's app."""
    if not permitted(request.user, *permissions):
        raise PermissionDenied


def permitted(user: AbstractBaseUser | AnonymousUser, *permissions: str) -> bool:
    """Whether a person has all of these permissions of the engine's app."""
    if not isinstance(user, (PermissionsMixin, AnonymousUser)):
        return False
    return user.has_perms([f"migrations_ops.{permission}" for permission in permissions])


def actor(request: HttpRequest) -> str:
    """The name that the journal keeps."""
    return request.user.get_username()


def wants_json(request: HttpRequest) -> bool:
    """Whether the caller asked for JSON, by the address or by the Accept header."""
    if request.path.endswith(".json"):
        return True
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def json_error(code: str, message: str, status: int) -> JsonResponse:
    """The one shape of an error."""
    return JsonResponse({"error": {"code": code, "message": message}}, status=status)


def status_of(error: OpsError) -> int:
    """The HTTP status of an error: 404, 422, 503, or 409 where the state of the site forbids it."""
    if error.code in NOT_FOUND:
        return 404
    if error.code in BAD_INPUT:
        return 422
    return 503 if error.code in UNAVAILABLE else 409


def refusal(request: HttpRequest, error: OpsError) -> HttpResponse:
    """What was refused and why, as a page or as JSON; nothing was changed."""
    status = status_of(error)
    if wants_json(request):
        return json_error(error.code, str(error), status)
    return render(request, "migrations_ops/refused.html", {"error": error, "status": status}, status=status)


def database_refusal(request: HttpRequest, cause: Exception) -> HttpResponse:
    """The page or JSON of a database that does not answer; made without asking it anything."""
    error = DatabaseGoneError(reason=str(cause).strip())
    if wants_json(request):
        return json_error(error.code, str(error), status_of(error))
    page = render_to_string("migrations_ops/refused.html", {"error": error, "status": status_of(error)})
    return HttpResponse(page, status=status_of(error))
