"""The real server, with people on it, while its database becomes another one and comes back."""

from __future__ import annotations

import http.cookiejar
import re
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import pytest

from tests.engine.live import TOKEN, Crowd
from tests.place.moving import Mover
from tests.postgres import PostgresServer, database_name
from tests.sites import Site, site_copy, site_drop, site_new

SETUP = """
from django.contrib.auth.models import User
from knowledge.entries import entry_create
entry = entry_create(title="S0C7 in payroll", problem="A data exception in step 20.", solution="Initialise it first.",
    category="COBOL", severity="high", tags=["abend"], codes=["S0C7"], status="published", origin="manual", author=None)
User.objects.create_superuser("ada", "", "pw-of-ada-1")
print(entry.pk)
"""
#: A shell that answers each line; it stays open over every move.
SHELL = """
import sys, django
django.setup()
from django.db import connection
from django_q.tasks import async_task
from knowledge.models import Feedback, Tag
for line in sys.stdin:
    print(eval(line), flush=True)
"""
TIMEOUT_SECONDS = 40


@dataclass
class Shell:
    """An open shell of the site."""

    process: subprocess.Popen[str]

    def say(self, expression: str) -> str:
        """What the expression gives there."""
        print(expression, file=cast("IO[str]", self.process.stdin), flush=True)
        return cast("IO[str]", self.process.stdout).readline().strip()


@dataclass
class Person:
    """Somebody who is logged in and stays so."""

    address: str
    visits: int = 0
    errors: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        token = TOKEN.search(self.read("/login/"))
        assert token
        body = {"csrfmiddlewaretoken": token.group(1), "username": "ada", "password": "pw-of-ada-1"}
        self.read("/login/", urllib.parse.urlencode(body).encode())
        self.thread = threading.Thread(target=self._visit, daemon=True)
        self.thread.start()

    def read(self, path: str, body: bytes | None = None) -> str:
        """A page."""
        with self.browser.open(self.address + path, body, timeout=TIMEOUT_SECONDS) as response:
            return response.read().decode()

    def _visit(self) -> None:
        while not self._stop.wait(0.05):
            try:
                page = self.read("/console/")
                if 'name="password"' in page:
                    self.errors.append("logged out")
                self.visits += 1
            except OSError as error:
                self.errors.append(repr(error))

    def stop(self) -> None:
        """Leave."""
        self._stop.set()
        self.thread.join(TIMEOUT_SECONDS)


@pytest.fixture
def sqlite_site(site_templates: dict[str, Site], tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Site:
    """A site that lives in its embedded file, with nothing said about it."""
    if "sqlite" not in site_templates:
        site_templates["sqlite"] = site_new("sqlite", tmp_path_factory.mktemp("template-sqlite"))
        site_templates["sqlite"].manage("migrate", "--verbosity=0")
    copy = site_copy(site_templates["sqlite"], tmp_path / "site")
    return Site(copy.vendor, copy.data_dir, "")


@pytest.fixture
def mover(
    sqlite_site: Site,
    site_templates: dict[str, Site],
    postgres_server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: object,
) -> Iterator[Mover]:
    """What moves it to a PostgreSQL database of its own and back."""
    if "postgresql" not in site_templates:
        site_templates["postgresql"] = site_new("postgresql", tmp_path_factory.mktemp("template-postgresql"))
        site_templates["postgresql"].manage("migrate", "--verbosity=0")
    url = postgres_server.create_database(template=database_name(site_templates["postgresql"].url))
    with django_db_blocker.unblock():
        yield Mover(sqlite_site.data_dir, {"sqlite": "sqlite:kb.sqlite3", "postgresql": url})
    site_drop(Site("postgresql", sqlite_site.data_dir, url))


@pytest.mark.own_site
def test_nobody_notices_that_the_database_becomes_another_one(
    sqlite_site: Site, mover: Mover, settings: object
) -> None:
    settings.SECRET_KEY = sqlite_site.python(
        "-c", "import django; django.setup(); from django.conf import settings; print(settings.SECRET_KEY)"
    ).stdout.strip()
    entry = sqlite_site.manage("shell", "--verbosity=0", "--command", SETUP).stdout.strip().splitlines()[-1]
    with sqlite_site.served() as served:
        shell = Shell(
            served.site.spawn("-c", SHELL, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        )
        crowd = Crowd(served.address, f"/entries/{entry}/", ("/", "/search/?q=s0c7", "/browse/", "/readyz"))
        person = Person(served.address)
        crowd.start()
        jobs, left = 0, {}
        for vendor in ("postgresql", "sqlite"):
            for _ in range(10):
                shell.say(f"async_task('tests.place.jobs.job', {jobs})")
                jobs += 1
            wait_for_votes(crowd, 15)
            was = next(each for each in mover.urls if each != vendor)
            mover.move(vendor)
            left[was] = votes_in(mover, was)
            wait_for_votes(crowd, 15)
            assert shell.say("connection.vendor") in {was, vendor}
            time.sleep(1.1)
            assert shell.say("connection.vendor") == vendor
            assert votes_in(mover, was) == left[was], "somebody writes to the place that was left"
            assert f'"vendor": "{vendor}"' in urllib.request.urlopen(f"{served.address}/readyz").read().decode()
        crowd.stop()
        person.stop()
        wait_for_jobs(mover, jobs)
        counted = int(shell.say("Feedback.objects.count()"))
        shell.process.stdin.close()
        shell.process.wait(20)
        shell.process.stdout.close()
        assert "Error" not in shell.process.stderr.read()
        shell.process.stderr.close()

    assert crowd.errors == []
    assert person.errors == []
    assert crowd.votes == counted == votes_in(mover, "sqlite")
    assert mover.one("sqlite", "SELECT success_count FROM kb_entries") == counted
    ran = (sqlite_site.data_dir / "jobs.log").read_text().split()
    assert sorted(map(int, ran)) == list(range(jobs))
    assert mover.one("sqlite", "SELECT count(*) FROM kb_tags WHERE name LIKE 'job %'") == jobs
    assert (
        mover.one("sqlite", "SELECT count(*) FROM django_q_task WHERE func = 'tests.place.jobs.job' AND success")
        == jobs
    )
    assert mover.one("sqlite", "SELECT count(*) FROM django_q_ormq") == 0
    # Whoever asks before the first heartbeat of the worker is told so.
    logged = re.findall(r"(?m)^.*(?:ERROR|Traceback|Error:).*$", served.log.read_text())
    assert not [line for line in logged if not line.endswith("Service Unavailable: /readyz")]
    assert person.visits > 20


def votes_in(mover: Mover, vendor: str) -> int:
    return mover.one(vendor, "SELECT count(*) FROM kb_feedback")


def wait_for_votes(crowd: Crowd, more: int) -> None:
    """Return when so many more votes were confirmed."""
    enough, deadline = crowd.votes + more, time.monotonic() + TIMEOUT_SECONDS
    while crowd.votes < enough and not crowd.errors:
        assert time.monotonic() < deadline, "nobody can vote"
        time.sleep(0.05)


def wait_for_jobs(mover: Mover, jobs: int) -> None:
    """Return when every task has its result."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    sql = "SELECT count(*) FROM django_q_task WHERE func = 'tests.place.jobs.job'"
    while mover.one("sqlite", sql) < jobs or mover.one("sqlite", "SELECT count(*) FROM django_q_ormq"):
        assert time.monotonic() < deadline, "tasks are lost"
        time.sleep(0.1)
