"""A second process works on texts ahead; without it, or when it fails, an import does the same by itself."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from knowledge.codes import codes_find
from knowledge.markdown import markdown_rendered
from knowledge.models import PROBLEM_CHARS, Entry, Import
from knowledge.remembered import Remembered
from knowledge.search import entry_search
from knowledge.search.tokens import tokens_joined
from knowledge.transfer import ahead as ahead_module
from knowledge.transfer import importing
from knowledge.transfer.ahead import ROWS_BEHIND, Ahead, texts_ahead
from knowledge.transfer.drafts import row_texts
from knowledge.transfer.files import ROWS, import_folder
from knowledge.transfer.jobs import import_create
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.spool import SpooledRow, spool_rows
from tests.knowledge.transfer.files import csv_file, row
from tests.knowledge.transfer.inline import import_run

pytestmark = pytest.mark.django_db
MADE = {"codes_find": codes_find, "markdown_rendered": markdown_rendered, "tokens_joined": tokens_joined}


@contextmanager
def begun(job: Import, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Ahead, list[SpooledRow]]]:
    """A second process that was told to begin behind the first ten rows, and the rows after them."""
    monkeypatch.setattr(ahead_module, "ROWS_WORTH", 1)
    path = import_folder(job) / ROWS
    rows = list(spool_rows(path))
    with texts_ahead(job, path, {}) as ahead:
        for _ in range(3_000):
            assert ahead.known(rows[:10]) == {}
            if ahead.begun:
                break
            time.sleep(0.01)
        assert ahead.begun
        yield ahead, rows[10:]


def brought(folder: Path, count: int) -> Import:
    texts = (
        row(number, problem=f"  Step {number} ends with **S0C7**\r\nin a data set {number}") for number in range(count)
    )
    return import_create(path=csv_file(folder, *texts), options=ImportOptions(), actor="ada")


def test_what_was_made_ahead_is_what_would_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with begun(brought(tmp_path, 80), monkeypatch) as (ahead, rows):
        known = ahead.known(rows[:40])
        assert set(known) == set(MADE)
        assert [len(known[name]) >= 40 for name in MADE] == [True] * 3
        for name, results in known.items():
            assert results == {text: MADE[name](text) for text in results}  # type: ignore[operator]
        assert f"Step {40} ends with **S0C7**\nin a data set 40" in known["markdown_rendered"]


def test_a_process_that_ends_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with begun(brought(tmp_path, 5_000), monkeypatch) as (ahead, rows):
        assert ahead._process is not None
        ahead._process.kill()
        left = [rows[first : first + 100] for first in range(0, len(rows), 100)]
        while ahead._process is not None and left:
            assert set(ahead.known(left.pop(0))) <= set(MADE)
        assert left, "it had not made everything"
        assert ahead.known(left[0]) == {}


def test_a_process_that_hangs_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead_module, "ANSWER_SECONDS", 0.2)
    with begun(brought(tmp_path, 5_000), monkeypatch) as (ahead, rows):
        assert ahead._process is not None
        ahead._process.send_signal(signal.SIGSTOP)
        left = [rows[first : first + 100] for first in range(0, len(rows), 100)]
        while ahead._process is not None and left:
            ahead.known(left.pop(0))
        assert left, "it had not made everything"


def test_a_process_that_cannot_be_started_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_given: Any, **_more: Any) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(ahead_module.subprocess, "Popen", refused)
    monkeypatch.setattr(ahead_module, "ROWS_WORTH", 1)
    monkeypatch.setattr(ahead_module.os, "cpu_count", lambda: 2)
    job = import_run(import_create(path=csv_file(tmp_path, row(1), row(2)), options=ImportOptions(), actor="ada"))
    assert job.report["sections"] == {"entries": {"new": 2}}


def test_texts_too_long_for_an_entry_are_not_worked_on() -> None:
    values = {"title": "A title", "problem": "p" * (PROBLEM_CHARS[1] + 1), "solution": ["no", "text"], "other": "x"}
    assert row_texts(values, {}) == {"title": "A title", "solution": "['no', 'text']"}


def test_a_process_that_is_far_behind_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with begun(brought(tmp_path, ROWS_BEHIND + 20), monkeypatch) as (ahead, rows):
        assert ahead.known(rows[-5:]) == {}
        assert ahead._process is None


def test_an_import_takes_what_was_made_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Foreseen(Ahead):
        def known(self, rows: Sequence[SpooledRow]) -> Remembered:
            problem = rows[1].row.values["problem"]
            return {"markdown_rendered": {problem: "<p>ahead</p>"}, "tokens_joined": {problem: "foreseen"}}

    @contextmanager
    def foreseen(*_given: Any) -> Iterator[Ahead]:
        yield Foreseen()

    monkeypatch.setattr(importing, "texts_ahead", foreseen)
    texts = (row(number, problem=f"Step {number} ends with S0C7") for number in range(3))
    import_run(import_create(path=csv_file(tmp_path, *texts), options=ImportOptions(), actor="ada"))
    html = list(Entry.objects.order_by("problem").values_list("problem_html", flat=True))
    assert html[1] == "<p>ahead</p>" and "Step 0" in html[0] and "Step 2" in html[2]
    assert [hit.entry.problem for hit in entry_search("foreseen").hits] == ["Step 1 ends with S0C7"]
