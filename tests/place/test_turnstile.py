"""Writers and a mover at the turnstile."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from migrations_ops.errors import WritersBusyError
from migrations_ops.place.turnstile import Pass, writers_held

PATIENT = timedelta(seconds=10)
HASTY = timedelta(milliseconds=20)


def started(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_writers_do_not_wait_for_each_other(tmp_path: Path) -> None:
    first, second = Pass(str(tmp_path)), Pass(str(tmp_path))
    first.take()
    second.take()
    assert (first.depth, second.depth) == (1, 1)


def test_a_mover_waits_for_the_writer_that_is_inside(tmp_path: Path) -> None:
    writer = Pass(str(tmp_path))
    writer.take()
    with pytest.raises(WritersBusyError), writers_held(tmp_path, HASTY):
        pass
    writer.give_back()
    with writers_held(tmp_path, HASTY):
        pass


def test_a_writer_waits_while_a_mover_is_inside(tmp_path: Path) -> None:
    events: list[str] = []

    def write() -> None:
        writer = Pass(str(tmp_path))
        writer.take()
        events.append("written")

    with writers_held(tmp_path, PATIENT):
        thread = started(write)
        thread.join(0.05)
        events.append("moved")
    thread.join(10)
    assert events == ["moved", "written"]


def test_a_mover_that_gives_up_lets_the_others_go_on(tmp_path: Path) -> None:
    inside, comes = Pass(str(tmp_path)), Pass(str(tmp_path))
    inside.take()
    with pytest.raises(WritersBusyError), writers_held(tmp_path, HASTY):
        pass
    comes.take()
    assert comes.depth == 1


def test_a_mover_is_not_starved_by_writers_that_overlap(tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        writer = Pass(str(tmp_path))
        while not stop.is_set():
            writer.take()
            time.sleep(0.002)
            writer.give_back()

    threads = [started(write) for _ in range(4)]
    try:
        for _ in range(20):
            with writers_held(tmp_path, PATIENT):
                pass
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


def test_a_mover_that_looks_for_a_moment_waits_for_the_writer_inside_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    inside, comes = Pass(str(tmp_path)), Pass(str(tmp_path))
    inside.take()

    def come_and_leave() -> None:
        comes.take()
        comes.give_back()
        inside.give_back()

    thread = threading.Timer(0.02, come_and_leave)
    thread.start()
    with writers_held(tmp_path, timedelta(0), look=PATIENT) as hold:
        assert hold.lasted < PATIENT
    thread.join()


def test_writers_that_were_let_go_pass_before_the_block_ends(tmp_path: Path) -> None:
    comes = Pass(str(tmp_path))
    with writers_held(tmp_path, HASTY) as hold:
        thread = started(comes.take)
        hold.let_go()
        thread.join(10)
        assert comes.depth == 1
        lasted = hold.lasted
    assert hold.lasted == lasted


def test_the_thread_that_holds_the_writers_passes_by_itself(tmp_path: Path) -> None:
    own = Pass(str(tmp_path))
    with writers_held(tmp_path, HASTY):
        own.take()
        own.give_back()
    assert own.depth == 0


def test_it_is_given_back_as_often_as_it_was_taken(tmp_path: Path) -> None:
    writer = Pass(str(tmp_path))
    writer.take()
    writer.take()
    writer.give_back()
    with pytest.raises(WritersBusyError), writers_held(tmp_path, HASTY):
        pass
    writer.give_back()
    writer.give_back()
    with writers_held(tmp_path, HASTY):
        pass


def test_a_closed_or_forgotten_pass_holds_nobody_up(tmp_path: Path) -> None:
    closed, forgotten = Pass(str(tmp_path)), Pass(str(tmp_path))
    closed.take()
    forgotten.take()
    closed.close()
    del forgotten
    with writers_held(tmp_path, HASTY):
        pass
    closed.take()
    assert closed.depth == 1


def test_sites_have_turnstiles_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with writers_held(tmp_path / "other", HASTY):
        Pass(str(tmp_path)).take()


def test_a_forked_child_neither_keeps_nor_loses_the_lock_of_its_parent(tmp_path: Path) -> None:
    writer = Pass(str(tmp_path))
    writer.take()
    child = os.fork()
    if child == 0:
        writer.take()
        writer.give_back()
        signal.pause()
    try:
        time.sleep(0.05)
        with pytest.raises(WritersBusyError), writers_held(tmp_path, HASTY):
            pass
        writer.close()
        with writers_held(tmp_path, PATIENT):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_killed_mover_holds_nobody_up(tmp_path: Path) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with writers_held(tmp_path, PATIENT):
            os.write(write, b".")
            signal.pause()
    os.read(read, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    Pass(str(tmp_path)).take()
