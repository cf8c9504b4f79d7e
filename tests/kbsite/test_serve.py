"""`python -m kbsite.serve` from outside: it starts, survives kills, and stops in order."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sites import ServedSite, Site, free_port, site_copy, site_new

PATIENCE_SECONDS = 40


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with tables and an administrator, so that it starts fast."""
    site = site_new("sqlite", tmp_path_factory.mktemp("prepared"))
    site.python(
        "-c",
        "import django; django.setup()\n"
        "from kbsite import first_start\n"
        "first_start.tables_prepare(); first_start.static_collect(); first_start.admin_create()\n"
        "from knowledge.models import Entry\n"
        "Entry.objects.create(title='S0C7', problem='x' * 10, solution='y' * 10, category='COBOL')",
    )
    return site


@pytest.fixture
def served(prepared: Site, tmp_path: Path) -> Iterator[ServedSite]:
    copy = site_copy(prepared, tmp_path / "site")
    quick = Site(copy.vendor, copy.data_dir, copy.url, {"KB_STUCK_SECONDS": "2"})
    with quick.served() as served:
        yield served


def until(condition: Callable[[], object], what: str, served: ServedSite | None = None) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen\n{served.log.read_text() if served else ''}")
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in done.stdout.split()]


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def leader(served: ServedSite, name: str) -> int:
    """The process of `web` or `worker`."""
    program = {"web": "gunicorn", "worker": "kbsite.worker"}[name]
    found = [pid for pid in children(served.process.pid) if program in command(pid)]
    return found[0] if found else 0


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def group(pgid: int) -> list[int]:
    done = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    return [int(pid) for pid, its_group, state in rows if int(its_group) == pgid and not state.startswith("Z")]


def queue_a_task(served: ServedSite) -> None:
    served.site.python(
        "-c", "import django; django.setup(); from django_q.tasks import async_task; async_task('math.sqrt', 4)"
    )


def tasks_done(served: ServedSite) -> int:
    code = "import django; django.setup(); from django_q.models import Success; print(Success.objects.count())"
    return int(served.site.python("-c", code).stdout)


def test_a_first_start_creates_one_administrator_and_shows_the_password_once(tmp_path: Path) -> None:
    site = site_new("sqlite", tmp_path / "site")
    with site.served() as served:
        until(lambda: "Stop it with Ctrl-C" in served.log.read_text(), "the greeting", served)
        first = served.log.read_text()
    with site.served() as served:
        until(lambda: "Stop it with Ctrl-C" in served.log.read_text(), "the greeting", served)
        second = served.log.read_text()
    assert "Administrator created: admin" in first
    assert re.search(r"password: \S{12,}", first)
    assert f"Site     {served.address.rpartition(':')[0]}" in first
    assert "Console" in first
    assert "assword" not in second


def test_variables_name_the_first_administrator_and_their_password_is_not_shown(prepared: Site, tmp_path: Path) -> None:
    site = site_copy(prepared, tmp_path / "site")
    site = Site(site.vendor, site.data_dir, site.url, {"KB_ADMIN_USER": "ada", "KB_ADMIN_PASSWORD": "analytical-77"})
    code = (
        "import django; django.setup()\n"
        "from django.contrib.auth import authenticate, get_user_model\n"
        "from kbsite import first_start\n"
        "get_user_model().objects.all().delete()\n"
        "print(first_start.admin_create())\n"
        "print(authenticate(username='ada', password='analytical-77'))\n"
        "print(first_start.admin_create())"
    )
    created, login, again = site.python("-c", code).stdout.splitlines()
    assert created == "NewAdmin(username='ada', shown_password='')"
    assert (login, again) == ("ada", "None")


def test_a_killed_worker_takes_its_processes_along_and_is_started_again(served: ServedSite) -> None:
    old = leader(served, "worker")
    os.kill(old, signal.SIGKILL)
    until(lambda: leader(served, "worker") not in {0, old}, "a new worker", served)
    assert group(old) == []
    until(served.ready, "readiness", served)


def test_a_killed_sentinel_leaves_no_orphans_and_tasks_are_done_again(served: ServedSite) -> None:
    old = leader(served, "worker")
    sentinel = children(old)[0]
    os.kill(sentinel, signal.SIGKILL)
    until(lambda: leader(served, "worker") not in {0, old}, "a new worker", served)
    assert group(old) == []
    queue_a_task(served)
    until(lambda: tasks_done(served), "the task", served)


def test_a_worker_whose_queue_is_locked_for_ever_is_started_again(served: ServedSite) -> None:
    old = leader(served, "worker")
    # An idle process that is killed keeps the lock of the queue; the others wait for it.
    for pid in children(children(old)[0]):
        os.kill(pid, signal.SIGKILL)
    queue_a_task(served)
    until(lambda: tasks_done(served), "the task", served)


def test_a_killed_web_server_refuses_nobody_while_it_restarts(served: ServedSite) -> None:
    old = leader(served, "web")
    os.killpg(old, signal.SIGKILL)
    with urllib.request.urlopen(f"{served.address}/healthz", timeout=PATIENCE_SECONDS) as response:
        assert response.status == 200
    assert leader(served, "web") != old


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_every_process_and_succeeds(served: ServedSite, number: signal.Signals) -> None:
    groups = [leader(served, "web"), leader(served, "worker")]
    served.process.send_signal(number)
    assert served.process.wait(timeout=PATIENCE_SECONDS) == 0
    assert [group(pgid) for pgid in groups] == [[], []]
    assert served.log.read_text().endswith("Stopped.\n")


def test_children_end_when_the_supervisor_is_killed(served: ServedSite) -> None:
    groups = [leader(served, "web"), leader(served, "worker")]
    served.process.kill()
    until(lambda: not any(group(pgid) for pgid in groups), "the end of the children")


def test_a_taken_port_is_named_with_a_way_out(prepared: Site) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        site = Site(prepared.vendor, prepared.data_dir, prepared.url, {"KB_BIND": f"127.0.0.1:{port}"})
        done = site.python("-m", "kbsite.serve", check=False)
    assert done.returncode == 1
    assert f"127.0.0.1:{port} cannot be used" in done.stderr
    assert "KB_BIND=" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_site_in_the_same_folder_is_refused(served: ServedSite) -> None:
    second = Site("sqlite", served.site.data_dir, served.site.url, {"KB_BIND": f"127.0.0.1:{free_port()}"})
    done = second.python("-m", "kbsite.serve", check=False)
    assert done.returncode == 1
    assert f"process {served.process.pid}" in done.stderr


def test_a_database_that_is_away_is_named(prepared: Site, tmp_path: Path) -> None:
    site = Site("sqlite", tmp_path, f"sqlite://{tmp_path}/missing/kb.sqlite3", {"KB_BIND": f"127.0.0.1:{free_port()}"})
    done = site.python("-m", "kbsite.serve", check=False)
    assert done.returncode == 1
    assert "The database does not answer" in done.stderr
    assert "Traceback" not in done.stderr
