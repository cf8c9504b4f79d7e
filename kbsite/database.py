"""Where the site's data lives: the settings of `default`, from a URL or the embedded SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

#: Run on every new SQLite connection. WAL lets readers go on while one writer commits; the
#: journal limit keeps the log file small after a large run; cache_size is in KiB when negative.
SQLITE_INIT_COMMAND = (
    "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA journal_size_limit=67108864;PRAGMA cache_size=-20000;"
)

SQLITE_BUSY_TIMEOUT_SECONDS = 30


def database_settings(url: str | None, data_dir: Path) -> dict[str, Any]:
    """Django's settings of one database.

    `url` is `postgresql://user:password@host:port/name?option=value` or `sqlite:///path`;
    without one the site lives in `kb.sqlite3` below `data_dir`. Query options of a PostgreSQL
    URL are passed to libpq (`sslmode=require`, `options=-csearch_path%3Dx`).
    Raises ImproperlyConfigured for any other scheme.
    """
    if not url:
        return sqlite_settings(data_dir / "kb.sqlite3")
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite_settings(Path(unquote(parts.path)))
    if parts.scheme in {"postgresql", "postgres"}:
        return postgresql_settings(url)
    raise ImproperlyConfigured(f"KB_DATABASE_URL has the scheme {parts.scheme!r}; use postgresql:// or sqlite:///")


def sqlite_settings(path: Path) -> dict[str, Any]:
    """Settings of an embedded database: write transactions take their lock at BEGIN.

    Without IMMEDIATE a transaction that reads and then writes fails at once with
    "database is locked" whenever another one wrote in between.
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": SQLITE_BUSY_TIMEOUT_SECONDS,
            "init_command": SQLITE_INIT_COMMAND,
        },
    }


def postgresql_settings(url: str) -> dict[str, Any]:
    """Settings of a PostgreSQL database, connections kept for a minute and checked before use."""
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(parse_qsl(parts.query)),
    }
