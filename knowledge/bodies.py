"""Bodies of requests that may be longer than anything that is read here."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def body_bytes(request: HttpRequest) -> int:
    """The length that the caller announces; 0 where there is none."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isascii() and length.isdigit() else 0


def body_drain(request: HttpRequest, *, most_bytes: int) -> None:
    """Read what is sent and forget it, up to this much: who is answered before the end sees a broken connection."""
    left = min(body_bytes(request), most_bytes)
    while left > 0 and (part := request.read(min(left, settings.FILE_UPLOAD_MAX_MEMORY_SIZE))):
        left -= len(part)
