"""target_checks: whether a database can take the site, asked before anything is made there.

Read only, over a connection of its own with a short patience, so that a plan's page does not hang.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import PlaceDamagedError, PlaceSecretError
from migrations_ops.models import Finding, FindingStatus
from migrations_ops.move.target_schema import LIVE, target_mark
from migrations_ops.place.pointer import Place, place_settings

PASS, WARN, FAIL = FindingStatus.PASS, FindingStatus.WARN, FindingStatus.FAIL
CONNECT_SECONDS = 5
VERSION_LEAST = 14
SQLITE_LEAST = (3, 37)
#: Connections that a move opens: copying processes, the mover's own, the web and worker after the cut-over.
CONNECTIONS = 12
#: Times the size of the source that the target needs: rows, indexes and the log of writing them.
ROOM = {"postgresql": 3.0, "sqlite": 2.5}
#: Clocks further apart than this are told.
CLOCK_SECONDS = 2.0
MEGABYTE = 1024**2


def target_checks(place: Place) -> list[Finding]:
    """Every check of a place as a target, unsaved; the first ones only where it does not answer."""
    try:
        with _connected(place) as target:
            return list(_checks(target, place))
    except (PlaceDamagedError, PlaceSecretError) as error:
        return [_finding("target_reachable", "Target answers", FAIL, str(error), "Give address and password again.")]
    except (DatabaseError, InterfaceError, OSError) as error:
        evidence = f"{place.url} does not answer: {_without_password(place, str(error))}"
        remedy = "Start the server; look at address, account, password, firewall and pg_hba.conf."
        return [_finding("target_reachable", "Target answers", FAIL, evidence, remedy)]


@contextmanager
def _connected(place: Place) -> Iterator[BaseDatabaseWrapper]:
    """A connection under a name of its own that gives up soon. Raises OperationalError and FileNotFoundError."""
    facts = place_settings(place, Path(settings.DATA_DIR))
    if facts["ENGINE"].endswith("postgresql"):
        facts["OPTIONS"] = {"connect_timeout": CONNECT_SECONDS, **facts["OPTIONS"]}
    elif not Path(facts["NAME"]).exists():
        facts = {**facts, "NAME": ":memory:", "KB_FILE": str(facts["NAME"])}  # looked at without being made
    alias = f"target-{uuid4().hex}"
    connections.settings[alias] = connections.configure_settings({"default": {}, alias: facts})[alias]
    target = connections[alias]
    try:
        target.ensure_connection()
        yield target
    finally:
        target.close()
        del connections[alias]
        del connections.settings[alias]


def _without_password(place: Place, text: str) -> str:
    """What a driver said; none of ours repeats a password, and none would get through."""
    password = ""
    if place.secret:
        password = str(place_settings(place, Path(settings.DATA_DIR)).get("PASSWORD") or "")
    said = " ".join(text.split())
    return said.replace(password, "***") if password else said


def _checks(target: BaseDatabaseWrapper, place: Place) -> Iterator[Finding]:
    yield _finding("target_reachable", "Target answers", PASS, f"{place.url} answers.")
    checks = _POSTGRESQL if target.vendor == "postgresql" else _SQLITE
    for code, title, check in checks:
        try:
            yield _finding(code, title, *check(target, place))
        except DatabaseError as error:
            evidence = f"The check itself failed: {_without_password(place, str(error))}"
            yield _finding(code, title, FAIL, evidence, "Mend the cause, then check again.")


def _finding(code: str, title: str, status: FindingStatus, evidence: str, remedy: str = "") -> Finding:
    return Finding(code=code, title=title, status=status, evidence=evidence, remedy=remedy)


#: What a check says: verdict, evidence, and what to do where it is no pass.
Verdict = tuple[FindingStatus, str, str]


def _row(target: BaseDatabaseWrapper, sql: str) -> tuple[Any, ...]:
    with target.cursor() as cursor:
        cursor.execute(sql)
        return tuple(cursor.fetchone())


# Either ----------------------------------------------------------------------------------------


def _empty(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    """Empty, or left over from a move of this very site."""
    names = [name for name in target.introspection.table_names() if not name.startswith("sqlite_")]
    if not names:
        return PASS, "The database is empty.", ""
    mark = target_mark(target)
    if mark is None:
        evidence = f"It holds {len(names)} table(s) that no move of this site has made: {', '.join(names[:5])}."
        return FAIL, evidence, "Name an empty database, or one with an empty schema on its search path."
    if mark[0] != place.site:
        return (
            FAIL,
            f"It is the target of a move of another site ({mark[0][:8]}…).",
            "Name a database of its own for each site.",
        )
    if mark[1] == LIVE:
        evidence = "This site has moved here before and its tables are still there."
        return FAIL, evidence, "Drop its tables, or name another database."
    return PASS, "It holds what an earlier move of this site left: that is gone on with, or cleared.", ""


def _room(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    needed = int(_source_bytes() * ROOM[target.vendor])
    folder = disk_folder(target)
    if folder is None:
        evidence = f"A server elsewhere does not tell its free disk; about {needed / MEGABYTE:.0f} MB are needed."
        return WARN, evidence, "Look at the disk of the server yourself."
    free = shutil.disk_usage(folder).free
    evidence = f"{free / MEGABYTE:.0f} MB are free there; about {needed / MEGABYTE:.0f} MB are needed."
    return (
        (PASS, evidence, "") if free > needed else (FAIL, evidence, "Free some space there, or name another database.")
    )


def _source_bytes() -> int:
    source = connections[DEFAULT_DB_ALIAS]
    if source.vendor == "postgresql":
        return int(_row(source, "SELECT pg_database_size(current_database())")[0])
    return int(_row(source, "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")[0])


def disk_folder(target: BaseDatabaseWrapper) -> Path | None:
    """A folder on the disk of the target, where this machine can see it."""
    if target.vendor == "sqlite":
        folder = _file(target).parent
        return folder if folder.is_dir() else None
    if not _is_local(target):
        return None
    # Only some accounts may see it; to the others the view says nothing.
    (named,) = _row(target, "SELECT max(setting) FROM pg_settings WHERE name = 'data_directory'")
    try:
        return Path(named) if named and Path(named).is_dir() else None
    except OSError:
        return None


def _is_local(target: BaseDatabaseWrapper) -> bool:
    host = str(target.settings_dict.get("HOST") or "")
    return host in {"", "localhost", "127.0.0.1", "::1"} or host.startswith("/")


# PostgreSQL -------------------------------------------------------------------------------------


def _version(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    number, said = _row(target, "SELECT current_setting('server_version_num')::int, current_setting('server_version')")
    remedy = f"Use PostgreSQL {VERSION_LEAST} or newer."
    return (PASS if number >= VERSION_LEAST * 10_000 else FAIL), f"PostgreSQL {said}.", remedy


def _encoding(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    (said,) = _row(target, "SHOW server_encoding")
    remedy = "Create the database with ENCODING 'UTF8' TEMPLATE template0."
    return (PASS if said == "UTF8" else FAIL), f"The encoding of the database is {said}.", remedy


def _rights(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    schema, create, temporary, language = _row(
        target,
        "SELECT current_schema(), coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), "
        "has_database_privilege(current_database(), 'TEMPORARY'), has_language_privilege('plpgsql', 'USAGE')",
    )
    needs = {"create tables in its schema": create, "make temporary tables": temporary, "use plpgsql": language}
    missing = [name for name, may in needs.items() if not may]
    if schema is None:
        return FAIL, "No schema of the search path exists.", "Create the schema, or correct search_path in the address."
    if missing:
        remedy = "Make the account the owner of the database, or grant it CREATE on the schema."
        return FAIL, f"The account may not {' nor '.join(missing)} (schema {schema}).", remedy
    return PASS, f"The account may create what the site needs in the schema {schema}.", ""


def _writable(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    standby, read_only = _row(target, "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'")
    if standby:
        return FAIL, "The server is a standby, which takes no writes.", "Name the primary server."
    if read_only:
        return FAIL, "Transactions are read only here.", "Unset default_transaction_read_only for this account."
    return PASS, "The database takes writes.", ""


def _extensions(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    (there,) = _row(target, "SELECT EXISTS (SELECT 1 FROM pg_language WHERE lanname = 'plpgsql')")
    if not there:
        return FAIL, "The language plpgsql is missing.", "CREATE EXTENSION plpgsql, as an administrator."
    return PASS, "No extension is needed beside plpgsql, which is there.", ""


def _connections(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    (free,) = _row(
        target,
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int "
        "- (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')",
    )
    evidence = f"{free} more connections are possible; move and site want about {CONNECTIONS}."
    return (PASS if free >= CONNECTIONS else FAIL), evidence, "Raise max_connections, or close what others hold."


def _limits(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    names = ("statement_timeout", "idle_in_transaction_session_timeout", "temp_file_limit")
    values = _row(target, f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}")
    given = [f"{name} = {value}" for name, value in zip(names, values, strict=True) if value not in {"0", "-1"}]
    if given:
        remedy = "Lift them for this account while the move runs: building an index or comparing rows takes long."
        return WARN, f"The account has limits: {', '.join(given)}.", remedy
    return PASS, "No time limit would end a long statement.", ""


def _durability(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    names = ("fsync", "full_page_writes", "synchronous_commit")
    values = dict(
        zip(names, _row(target, f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}"), strict=True)
    )
    unsafe = [f"{name} = {value}" for name, value in values.items() if value == "off"]
    if unsafe:
        evidence = f"The server may lose what it has confirmed when the machine fails: {', '.join(unsafe)}."
        return WARN, evidence, "Switch these on for a site that matters; off is for trying out."
    return PASS, "What the server confirms is on its disk.", ""


def _clock(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    before = datetime.now(tz=UTC)
    (theirs,) = _row(target, "SELECT clock_timestamp()")
    after = datetime.now(tz=UTC)
    apart = abs((theirs - before - (after - before) / 2).total_seconds())
    evidence = f"The clocks are {apart:.1f} s apart."
    return (PASS if apart <= CLOCK_SECONDS else WARN), evidence, "Set both machines by the same time server."


def _tls(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    used, version, cipher = _row(target, "SELECT ssl, version, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    mode = target.settings_dict.get("OPTIONS", {}).get("sslmode", "prefer")
    if used:
        checked = (
            "and the server's certificate is checked"
            if mode in {"verify-ca", "verify-full"}
            else "the certificate is not checked"
        )
        return PASS, f"The connection is encrypted ({version}, {cipher}); sslmode={mode}, {checked}.", ""
    evidence = f"The connection is not encrypted (sslmode={mode})."
    if _is_local(target):
        return PASS, f"{evidence} The server is on this machine.", ""
    return WARN, evidence, "Add ?sslmode=verify-full to the address, and switch ssl on at the server."


# SQLite -----------------------------------------------------------------------------------------


def _file(target: BaseDatabaseWrapper) -> Path:
    """Where the database is, or would be."""
    return Path(str(target.settings_dict.get("KB_FILE") or target.settings_dict["NAME"]))


def _sqlite_version(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    (said,) = _row(target, "SELECT sqlite_version()")
    enough = tuple(int(part) for part in said.split(".")[:2]) >= SQLITE_LEAST
    return (PASS if enough else FAIL), f"SQLite {said}.", "Use a Python with a newer SQLite."


def _sqlite_encoding(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    (said,) = _row(target, "PRAGMA encoding")
    return (PASS if said == "UTF-8" else FAIL), f"The encoding of the file is {said}.", "Name a new file."


def _sqlite_rights(target: BaseDatabaseWrapper, place: Place) -> Verdict:
    file = _file(target)
    remedy = "Create the folder, or give the account of the site the right to write there."
    if not os.access(file.parent, os.W_OK | os.X_OK):
        return FAIL, f"{file.parent} is no folder that the site may write to.", remedy
    if file.exists() and not os.access(file, os.W_OK):
        return FAIL, f"{file} may not be written.", remedy
    return PASS, f"{file} may be written.", ""


Check = tuple[str, str, Callable[[BaseDatabaseWrapper, Place], Verdict]]

_POSTGRESQL: list[Check] = [
    ("target_version", "Version of the target", _version),
    ("target_encoding", "Encoding of the target", _encoding),
    ("target_rights", "Rights in the target", _rights),
    ("target_writable", "Target takes writes", _writable),
    ("target_empty", "Target is empty", _empty),
    ("target_room", "Room at the target", _room),
    ("target_extensions", "Extensions of the target", _extensions),
    ("target_connections", "Connections of the target", _connections),
    ("target_limits", "Time limits of the target", _limits),
    ("target_durability", "Target keeps what it confirms", _durability),
    ("target_clock", "Clock of the target", _clock),
    ("target_tls", "Encryption on the way", _tls),
]
_SQLITE: list[Check] = [
    ("target_version", "Version of the target", _sqlite_version),
    ("target_encoding", "Encoding of the target", _sqlite_encoding),
    ("target_rights", "Rights in the target", _sqlite_rights),
    ("target_empty", "Target is empty", _empty),
    ("target_room", "Room at the target", _room),
]
