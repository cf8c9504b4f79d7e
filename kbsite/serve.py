"""The whole site under one process: `python -m kbsite.serve` prepares it, then keeps web and worker running.

1. Takes the address and the data folder, or says who has them.
2. Prepares tables, static files, starter entries and the first administrator.
3. Starts web and worker in process groups of their own. A dead one is started again, and so is a
   worker that no longer works. The address stays open meanwhile: requests wait, none is refused.
4. On SIGINT or SIGTERM asks both to finish; what is left after KB_STOP_SECONDS is killed.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import django

from kbsite.children import Child
from migrations_ops.errors import OpsError

ROOT = Path(__file__).resolve().parent.parent
LOOK_SECONDS = 0.2
WATCH_SECONDS = 5.0
#: A web process that dies this often before it ever answered will not come up by itself.
HOPELESS_DEATHS = 4


class StartError(Exception):
    """The site cannot start; the message says why and what to do."""


class Stopping:
    """Whether a person or a supervisor asked us to stop; asking twice means: at once."""

    def __init__(self) -> None:
        self.asked = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1


def address_parse(bind: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[host]:port`. Raises StartError."""
    try:
        parts = urlsplit(f"//{bind}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise StartError(f"KB_BIND is {bind!r}; write an address and a port, such as 127.0.0.1:8000.")
    return host, port


def address_take(bind: str) -> socket.socket:
    """A listening socket at `bind`. Raises StartError."""
    host, port = address_parse(bind)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartError(
            f"{bind} cannot be used ({error.strerror}). Choose another address: KB_BIND=127.0.0.1:{port + 1} make run"
        ) from error
    listener.listen(2048)
    return listener


@contextmanager
def data_folder_taken(data_dir: Path) -> Iterator[None]:
    """Holds the data folder for this process; its children do not inherit the lock. Raises StartError."""
    with (data_dir / "serve.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise StartError(
                f"The site in {data_dir} is running already (process {lock.read().strip()}). "
                "Stop that one, or set KB_DATA_DIR to another folder."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def prepare() -> None:
    """Everything before the first request. Raises StartError."""
    from django.core.management import CommandError
    from django.db import OperationalError, connections

    from kbsite import first_start
    from kbsite.groups import groups_create

    say("Preparing the database and the static files ...")
    try:
        first_start.leftovers_remove()
        first_start.tables_prepare()
        first_start.static_collect()
        first_start.starter_load()
        if admin := first_start.admin_create():
            groups_create()
            say_admin(admin.username, admin.shown_password)
    except OpsError as error:
        raise StartError(str(error)) from error
    except OperationalError as error:
        raise StartError(f"The database does not answer: {error}") from error
    except CommandError as error:
        raise StartError(str(error)) from error
    finally:
        connections.close_all()


def say_admin(username: str, shown_password: str) -> None:
    """Show the login of the first administrator."""
    say(f"Administrator created: {username}")
    if shown_password:
        say(f"  password: {shown_password}   (shown this once; change it on the site, under Mine)")


def web(listener: socket.socket, workers: int, threads: int) -> Child:
    """The web server on a socket that stays open while it restarts."""
    options = {
        "bind": f"fd://{listener.fileno()}",
        "worker-class": "kbsite.web.PageWorker",
        "workers": str(workers),
        "threads": str(threads),
        "timeout": "60",
        "graceful-timeout": "10",
        "log-level": "warning",
        # A search of 500 characters in Japanese, or of 2,000 by the API, is longer than the usual 4,094.
        "limit-request-line": "8190",
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    command = [sys.executable, "-m", "gunicorn", *flags, "--no-control-socket", "kbsite.wsgi"]
    return Child("web", command, ROOT, keep_fds=(listener.fileno(),))


def worker() -> Child:
    """The task worker."""
    from kbsite.watchdog import tasks_release

    return Child("worker", [sys.executable, "-m", "kbsite.worker"], ROOT, before_restart=tasks_release)


class Site:
    """Web and worker, looked after until someone asks to stop."""

    def __init__(self, listener: socket.socket, stop_seconds: float) -> None:
        from django.conf import settings

        from kbsite.watchdog import Watchdog

        self.address = url_of(listener)
        self.stop_seconds = stop_seconds
        self.web = web(listener, settings.SERVE_WEB_WORKERS, settings.SERVE_WEB_THREADS)
        self.worker = worker()
        self.watchdog = Watchdog(timedelta(seconds=settings.SERVE_STUCK_SECONDS))
        self.answered = False
        self.watch_at = time.monotonic() + WATCH_SECONDS

    def run(self, stopping: Stopping) -> None:
        """Returns after an orderly stop. Raises StartError when the web server does not come up."""
        try:
            while not stopping.asked:
                self.look()
                time.sleep(LOOK_SECONDS)
            say("Stopping ...")
            self.finish(stopping)
        finally:
            for child in (self.web, self.worker):
                child.clear()

    def look(self) -> None:
        """Start what is due, report what died, restart a worker that is stuck."""
        from django.db import connections

        for child in (self.web, self.worker):
            if news := child.tend():
                say(news)
        if not self.answered:
            self.greet()
        if time.monotonic() >= self.watch_at:
            self.watch_at = time.monotonic() + WATCH_SECONDS
            self.watch()
        connections.close_all()  # kept open, it would keep a database from being dropped or replaced

    def greet(self) -> None:
        """Print the addresses as soon as the site answers."""
        if self.web.deaths >= HOPELESS_DEATHS:
            raise StartError("The web server does not start; its own messages are above.")
        if self.web.pid and answers(f"{self.address}/healthz"):
            self.answered = True
            say(f"The site is running:\n  Site     {self.address}/\n  Admin    {self.address}/admin/")
            say(f"  Console  {self.address}/console/\nStop it with Ctrl-C.")

    def watch(self) -> None:
        """Restart a worker that no longer works."""
        if self.worker.pid is None:
            self.watchdog.reset()
        elif reason := self.watchdog.verdict(self.worker.pid):
            say(f"worker is stuck ({reason}); starting it again in {self.worker.kill():.1f} s")
            self.watchdog.reset()

    def finish(self, stopping: Stopping) -> None:
        """Ask both to stop and wait, but not for ever."""
        children = [self.web, self.worker]
        asked_before = stopping.asked
        deadline = time.monotonic() + self.stop_seconds
        for child in children:
            child.ask_to_stop()
        while time.monotonic() < deadline and stopping.asked == asked_before:
            if all(child.stopped() for child in children):
                return
            time.sleep(0.05)
        late = " and ".join(child.name for child in children if not child.stopped())
        say(f"{late} did not stop in time and is ended; what was not committed starts again next time.")


def url_of(listener: socket.socket) -> str:
    """The address that a browser of this machine uses."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def answers(url: str) -> bool:
    """Whether the site answers there."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address
            return True
    except (urllib.error.URLError, OSError):
        return False


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


def main() -> int:
    """Serve until asked to stop; the exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kbsite.settings")
    stopping = Stopping()
    try:
        django.setup()
        from django.conf import settings

        with address_take(settings.SERVE_BIND) as listener, data_folder_taken(settings.DATA_DIR):
            prepare()
            Site(listener, settings.SERVE_STOP_SECONDS).run(stopping)
    except (StartError, OpsError) as error:
        print(error, file=sys.stderr)
        return 1
    say("Stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
