"""Django's settings of a database, from its URL or for the embedded SQLite file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from django.core.exceptions import ImproperlyConfigured

#: Run on every new SQLite connection. WAL lets readers go on while one writer commits; the
#: journal limit keeps the log file small after a large run; cache_size is in KiB when negative.
#: Pages are read where the system has them in memory, not copied by a call each: a search touches some
#: hundreds. 2 GB is the most that SQLite maps; nothing here shortens or overwrites the file of an open database.
SQLITE_INIT_COMMAND = (
    "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA journal_size_limit=67108864;PRAGMA cache_size=-20000;"
    "PRAGMA mmap_size=2147418112;"
)

SQLITE_BUSY_TIMEOUT_SECONDS = 30

#: For how long a PostgreSQL server that has vanished is waited for (libpq); what a URL says counts for more.
POSTGRESQL_WAITS = {
    "connect_timeout": "10",  # seconds
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # milliseconds
}


def database_settings(url: str | None, data_dir: Path) -> dict[str, Any]:
    """Django's settings of one database.

    `url` is `postgresql://user:password@host:port/name?option=value`, `sqlite:///path` or
    `sqlite:name` for a file below `data_dir`; without one the site lives in `kb.sqlite3` there.
    Query options of a PostgreSQL URL are passed to libpq (`sslmode=require`,
    `options=-csearch_path%3Dx`). Raises ImproperlyConfigured for any other scheme.
    """
    if not url:
        return sqlite_settings(data_dir / "kb.sqlite3")
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite_settings(data_dir / unquote(parts.path))
    if parts.scheme in {"postgresql", "postgres"}:
        return postgresql_settings(url)
    raise ImproperlyConfigured(f"KB_DATABASE_URL has the scheme {parts.scheme!r}; use postgresql:// or sqlite:///")


def sqlite_settings(path: Path) -> dict[str, Any]:
    """Settings of an embedded database: write transactions take their lock at BEGIN.

    Without IMMEDIATE a transaction that reads and then writes fails at once with
    "database is locked" whenever another one wrote in between.
    """
    return {
        "ENGINE": "migrations_ops.place.backends.sqlite3",
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
        "ENGINE": "migrations_ops.place.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**POSTGRESQL_WAITS, **dict(parse_qsl(parts.query))},
    }


def database_url(settings: dict[str, Any], data_dir: Path) -> tuple[str, str]:
    """The URL of a database without its password, and the password; the reverse of `database_settings`.

    A SQLite file below `data_dir` is named relative to it, so that the folder can be moved or copied whole.
    """
    name = str(settings["NAME"])
    if settings["ENGINE"].endswith("sqlite3"):
        path = Path(name)
        inside = path.is_relative_to(data_dir)
        return (f"sqlite:{quote(str(path.relative_to(data_dir)))}" if inside else f"sqlite://{quote(name)}"), ""
    user, host, port = (str(settings.get(key) or "") for key in ("USER", "HOST", "PORT"))
    place = f"[{host}]" if ":" in host else quote(host, safe="")
    account = f"{quote(user, safe='')}@" if user else ""
    said = {key: text for key, text in settings["OPTIONS"].items() if POSTGRESQL_WAITS.get(key) != text}
    query = urlencode(said, quote_via=quote)
    address = f"{account}{place}{f':{port}' if port else ''}"
    url = urlunsplit(("postgresql", address, f"/{quote(name, safe='')}", query, ""))
    bare, hidden = url_without_password(url)
    return bare, str(settings.get("PASSWORD") or "") or hidden


def url_without_password(url: str) -> tuple[str, str]:
    """A database URL without the password, and the password ("" where there is none)."""
    parts = urlsplit(url)
    account, _at, address = parts.netloc.rpartition("@")
    user, _colon, password = account.partition(":")
    options = parse_qsl(parts.query, keep_blank_values=True)
    hidden = next((value for name, value in options if name == "password"), "")
    if not password and not hidden:
        return url, ""
    query = urlencode([pair for pair in options if pair[0] != "password"], quote_via=quote)
    bare = parts._replace(netloc=f"{user}@{address}" if user else address, query=query)
    return urlunsplit(bare), unquote(password) or hidden


def url_with_password(url: str, password: str) -> str:
    """The reverse of `url_without_password`; for the environment of a child process and nothing else."""
    if not password:
        return url
    parts = urlsplit(url)
    user, _at, address = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{address}"))
