"""Whole sites for tests: a data folder and a database of their own, driven from outside.

For tests that kill processes, change tables or switch databases, which must not happen to the
database that the other tests share.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.postgres import PostgresServer, database_name, postgres_server
from tests.warm import warm_run

ROOT = Path(__file__).resolve().parent.parent
#: Commands that ask Django's checks first, which is a third of their time and has tests of its own.
CHECKED = {"mvp", "checkpoint", "kb"}
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 40


@dataclass(frozen=True)
class Site:
    """One site: where its data is, and its commands as a person or a supervisor would run them."""

    vendor: str
    data_dir: Path
    url: str
    #: More KB_ variables for its processes.
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """The environment of the site's processes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KB_", "COV_"))}
        kept.pop("PYTEST_CURRENT_TEST", None)
        ours = {
            "DJANGO_SETTINGS_MODULE": "kbsite.settings",
            "KB_DATA_DIR": str(self.data_dir),
            "KB_DATABASE_URL": self.url,
            "PYTHONUNBUFFERED": "1",
        }
        return {**kept, **ours, **self.extra}

    def manage(self, *args: str, check: bool = True, timeout_seconds: int = 300) -> subprocess.CompletedProcess[str]:
        """Run `manage.py` with these arguments; AssertionError with all output where it fails and `check` is set."""
        if args[0] in CHECKED:
            args = (args[0], "--skip-checks", *args[1:])
        return self.python("manage.py", *args, check=check, timeout_seconds=timeout_seconds)

    def python(self, *args: str, check: bool = True, timeout_seconds: int = 300) -> subprocess.CompletedProcess[str]:
        """Run this Python with these arguments in the site's environment."""
        done = warm_run(list(args), env=self.env, cwd=ROOT, timeout_seconds=timeout_seconds)
        if check and done.returncode:
            raise AssertionError(f"{args} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def manage_json(self, *args: str) -> Any:
        """What a command prints with --json."""
        return json.loads(self.manage(*args, "--json").stdout)

    def spawn(self, *args: str, **options: Any) -> subprocess.Popen[str]:
        """A process of this site that the test ends by itself."""
        return subprocess.Popen([sys.executable, *args], cwd=ROOT, env=self.env, text=True, **options)

    @contextmanager
    def served(self, port: int | None = None) -> Iterator[ServedSite]:
        """The site with web and worker running, until the block ends."""
        port = port or free_port()
        log = self.data_dir / "serve.log"
        with log.open("w") as output:
            site = Site(self.vendor, self.data_dir, self.url, {**self.extra, "KB_BIND": f"127.0.0.1:{port}"})
            process = site.spawn("-m", "kbsite.serve", stdout=output, stderr=subprocess.STDOUT)
        served = ServedSite(site=site, address=f"http://127.0.0.1:{port}", process=process, log=log)
        try:
            served.wait_until_ready()
            yield served
        finally:
            served.stop()


@dataclass(frozen=True)
class ServedSite:
    """A site that answers requests."""

    site: Site
    #: http://127.0.0.1:port
    address: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.rpartition(":")[2])

    def wait_until_ready(self) -> None:
        """Return when web, worker and database are up; AssertionError with the log when they are not in time."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the site did not come up\n{self.log.read_text()}")
            time.sleep(0.1)

    def ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            with urllib.request.urlopen(f"{self.address}/readyz", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """Stop it as Ctrl-C does, and kill it when that takes too long."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout=STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port() -> int:
    """A port of this machine that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def site_new(vendor: str, data_dir: Path) -> Site:
    """A site whose database is still empty. Raises PostgresMissingError."""
    data_dir.mkdir(parents=True, exist_ok=True)
    if vendor == "postgresql":
        return Site(vendor, data_dir, postgres_server().create_database())
    return Site(vendor, data_dir, f"sqlite://{data_dir / 'kb.sqlite3'}")


def site_copy(site: Site, data_dir: Path) -> Site:
    """A second site with the data of one at which no process works."""
    shutil.copytree(site.data_dir, data_dir, dirs_exist_ok=True)
    if site.vendor == "postgresql":
        return Site(site.vendor, data_dir, postgres_server().create_database(template=database_name(site.url)))
    return Site(site.vendor, data_dir, f"sqlite://{data_dir / 'kb.sqlite3'}")


def site_drop(site: Site) -> None:
    """Forget the site's database; its folder is the test's temporary one."""
    if site.vendor == "postgresql":
        server: PostgresServer = postgres_server()
        server.drop_database(site.url)
