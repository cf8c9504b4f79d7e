"""What the web server refuses before Django sees it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn

from kbsite.web import PageWorker


@pytest.fixture
def worker() -> Iterator[PageWorker]:
    config = Config()
    config.set("limit_request_line", 8190)
    worker = PageWorker(1, 0, [], None, 60, config, Logger(config))
    yield worker
    worker.tmp.close()


def answer(worker: PageWorker, request: bytes) -> str:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(request)
        worker.handle(TConn(worker.cfg, ours, ("127.0.0.1", 1), ("127.0.0.1", 2)))
        return theirs.recv(65536).decode()


def test_an_address_that_is_too_long_gets_a_page_with_the_way_to_the_log_page(worker: PageWorker) -> None:
    head, _, page = answer(worker, b"GET /search/?q=" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: kb\r\n\r\n").partition(
        "\r\n\r\n"
    )
    assert head.startswith("HTTP/1.1 414 ") and f"Content-Length: {len(page.encode())}" in head
    assert "This address is too long" in page and "8190 characters" in page and 'href="/logs/"' in page


def test_cookies_that_are_too_long_get_a_page_that_names_them(worker: PageWorker) -> None:
    text = answer(worker, b"GET / HTTP/1.1\r\nHost: kb\r\nCookie: a=" + b"x" * 10_000 + b"\r\n\r\n")
    assert text.startswith("HTTP/1.1 431 ") and "Delete the cookies" in text


def test_what_is_no_request_gets_the_short_answer_of_the_server(worker: PageWorker) -> None:
    text = answer(worker, b"nonsense\r\n\r\n")
    assert text.startswith("HTTP/1.1 400 ") and "knowledge/kb.css" not in text
