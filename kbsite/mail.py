"""Where mail goes, from an address like smtp+tls://user:password@mail.example.org:587."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

#: Scheme -> the usual port; smtp+tls begins plain and turns to TLS, smtps is TLS from the first byte.
PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """What Django's SMTP backend needs to know."""

    host: str
    port: int
    user: str
    password: str
    starttls: bool
    tls: bool


def mail_server(url: str) -> MailServer:
    """The server of this address. Raises ImproperlyConfigured, which does not repeat the password."""
    problem = f"KB_MAIL_URL must look like {', '.join(f'{scheme}://host:{port}' for scheme, port in PORTS.items())}."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ImproperlyConfigured(problem) from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise ImproperlyConfigured(problem)
    return MailServer(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starttls=parts.scheme == "smtp+tls",
        tls=parts.scheme == "smtps",
    )
