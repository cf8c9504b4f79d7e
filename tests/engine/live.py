"""Readers and writers of a served site who keep count of what they were told."""

from __future__ import annotations

import http.cookiejar
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field

TIMEOUT_SECONDS = 40
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass
class Crowd:
    """Two readers and two voters in threads, until `stop`; a voter is a new visitor for every vote."""

    address: str
    entry_path: str
    pages: tuple[str, ...]
    #: How long each of them rests after a request; without a rest the run that they watch gets little of the processor.
    rest_seconds: float = 0.05
    reads: int = 0
    #: Votes that the site has confirmed.
    votes: int = 0
    errors: list[str] = field(default_factory=list)
    #: Whether nobody serves just now; who is turned away then comes again.
    closed: bool = False
    #: Votes that were sent and never answered, of which nobody knows whether they arrived.
    unsure: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin to read and to vote."""
        for target in (self._read, self._read, self._vote, self._vote):
            thread = threading.Thread(target=self._loop, args=(target,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End after the requests that are under way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS)

    def _loop(self, target: object) -> None:
        while not self._stopping.is_set():
            try:
                target()
            except (OSError, ValueError) as error:
                if self.closed and isinstance(getattr(error, "reason", error), ConnectionError):
                    time.sleep(0.05)
                    continue
                detail = error.read()[:300] if isinstance(error, urllib.error.HTTPError) else b""
                with self._lock:
                    self.errors.append(f"{target.__name__}: {error!r} {detail!r}")

    def _read(self) -> None:
        for page in (*self.pages, self.entry_path):
            with urllib.request.urlopen(self.address + page, timeout=TIMEOUT_SECONDS) as response:
                response.read()
            with self._lock:
                self.reads += 1
            self._stopping.wait(self.rest_seconds)

    def _vote(self) -> None:
        jar = http.cookiejar.CookieJar()
        visitor = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        with visitor.open(self.address + self.entry_path, timeout=TIMEOUT_SECONDS) as response:
            found = TOKEN.search(response.read().decode())
        if found is None:
            raise ValueError("the page has no form to vote with")
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": found.group(1), "worked": "yes"}).encode()
        with self._lock:
            self.unsure += 1
        with visitor.open(f"{self.address}{self.entry_path}vote/", body, timeout=TIMEOUT_SECONDS) as response:
            response.read()
        with self._lock:
            self.unsure -= 1
            self.votes += 1
        self._stopping.wait(self.rest_seconds)
