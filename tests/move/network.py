"""A wire between the mover and a database that can be delayed, frozen and cut."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

BLOCK_BYTES = 65_536


class Wire:
    """Carries bytes between a port of this machine and a server, until told otherwise."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (str(parts.hostname), int(parts.port or 0))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        #: How long every block of bytes is under way.
        self.delay_seconds = 0.0
        self.url = url.replace(f":{parts.port}/", f":{self._listener.getsockname()[1]}/")
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """Let nothing through, and tell nobody: as a network that went away."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Let everything through again."""
        self._flowing.set()

    def cut(self) -> None:
        """Close every connection."""
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._sockets.clear()

    def close(self) -> None:
        """Take the wire away."""
        self._listener.close()
        self.cut()
        self.thaw()

    def _accept(self) -> None:
        while True:
            try:
                near, _address = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._server)
            except OSError:  # nobody is there
                near.close()
                continue
            self._sockets += [near, far]
            for here, there in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(here, there), daemon=True).start()

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := here.recv(BLOCK_BYTES):
                self._flowing.wait()
                if self.delay_seconds:
                    time.sleep(self.delay_seconds)
                there.sendall(block)
        with contextlib.suppress(OSError):
            there.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire(url: str) -> Iterator[Wire]:
    """A wire to the server of this URL."""
    made = Wire(url)
    try:
        yield made
    finally:
        made.close()
