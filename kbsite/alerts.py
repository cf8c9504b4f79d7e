"""Where alerts go: an https address, or plain http on this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


def alert_address(url: str) -> str:
    """The address, empty for none. Raises ImproperlyConfigured, which does not repeat it: it may hold a token."""
    if not url:
        return ""
    problem = "KB_ALERT_WEBHOOK must be https://host/path, or http:// on this machine, without user and password."
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError as error:
        raise ImproperlyConfigured(problem) from error
    near = parts.scheme == "http" and _on_this_machine(parts.hostname or "")
    if not parts.hostname or parts.username or not (parts.scheme == "https" or near):
        raise ImproperlyConfigured(problem)
    return url


def _on_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
