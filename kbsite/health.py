"""Health endpoints for supervisors and load balancers: /healthz and /readyz.

A middleware and not views: a probe calls by address and by plain HTTP, which the host check and
the redirect to HTTPS would refuse, and it must not open a session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from migrations_ops.gate import site_level
from migrations_ops.place.pointer import KNOWN
from migrations_ops.queue import workers


class HealthMiddleware:
    """Answers the two health addresses and passes everything else on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.answers = {"/healthz": healthz, "/readyz": readyz}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.answers.get(request.path_info)
        return answer() if answer else self.get_response(request)


def healthz() -> JsonResponse:
    """The process answers; nothing else is asked."""
    return _uncached({"status": "ok"}, 200)


def readyz() -> JsonResponse:
    """Whether the site can serve and work: database, worker heartbeat, level; 503 when it cannot.

    Says what is wrong in one word; reasons, which may name hosts and accounts, stay in the log.
    """
    database = _database_state()
    # Whether workers live is asked through the queue's broker, which needs the database.
    worker = _worker_state() if database["state"] == "ok" else {"state": "unknown"}
    ready = database["state"] == "ok" and worker["state"] == "ok"
    facts = {"status": "ready" if ready else "unavailable", "database": database, "worker": worker}
    return _uncached(facts, 200 if ready else 503)


def _database_state() -> dict[str, Any]:
    try:
        level = site_level()
    except (DatabaseError, InterfaceError) as error:
        return {"state": "failed", "vendor": connection.vendor, "error": type(error).__name__}
    moves = connection.settings_dict[KNOWN].epoch
    return {"state": "ok", "vendor": connection.vendor, "level": level, "moves": moves}


def _worker_state() -> dict[str, Any]:
    living = [status for status in workers() if status.alive]
    if not living:
        return {"state": "missing"}
    age = min(status.age for status in living)
    return {"state": "ok", "heartbeat_age_seconds": round(max(0.0, age.total_seconds()), 1)}


def _uncached(facts: dict[str, Any], status: int) -> JsonResponse:
    return JsonResponse(facts, status=status, headers={"Cache-Control": "no-store"})
