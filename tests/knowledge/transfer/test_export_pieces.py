"""An export is written in pieces: it goes on after any stop, byte for byte, and no row hangs in the air."""

from __future__ import annotations

import json
import os
import shutil
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from knowledge.entries import entry_update
from knowledge.models import CodeAlias, Entry, ErrorCode, Feedback, SearchQuery
from knowledge.transfer.exporting import ExportFilter, ExportFormat, bundle, export, rows, workbook
from knowledge.transfer.exporting.growing import Growing, WorkBusyError, WorkLostError
from knowledge.transfer.exporting.packing import PART, Packer
from knowledge.transfer.exporting.wanted import ExportWanted
from knowledge.transfer.files import EXPORT_WORK, export_folder, export_path
from knowledge.transfer.jobs import import_create
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.reading import source_open
from knowledge.transfer.tasks import export_enqueue
from migrations_ops.lease import run_claim
from migrations_ops.models import Run, RunState
from migrations_ops.runner import execute, run_inline
from tests.engine.builders import run_back
from tests.knowledge.builders import entry_built
from tests.knowledge.transfer.inline import import_run
from tests.knowledge.transfer.test_runs import Killed, killed

pytestmark = pytest.mark.django_db(transaction=True)

MOMENT = datetime(2024, 5, 31, 12, 30, 10, tzinfo=UTC)
#: Commits before which the worker dies, its piece written and not kept; with the variable every one.
POINTS = range(40) if os.environ.get("KB_TEST_KILL_ALL") == "1" else (1, 4)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BATCH_ROWS", 2)
    monkeypatch.setattr(export, "COMMIT_SECONDS", 0)
    monkeypatch.setattr(bundle, "SHARD_ENTRIES", 3)
    monkeypatch.setattr(workbook, "SHEET_ROWS", 4)
    monkeypatch.setattr(export, "timezone", SimpleNamespace(now=lambda: MOMENT))


def filled() -> None:
    for number in range(5):
        category = "JCL" if number % 2 else "COBOL"
        entry = entry_built(title=f"S0C7 no {number}", tags=[f"tag-{number}"], codes=["S0C7"], category=category)
        Feedback.objects.create(entry=entry, worked=True, voter="user:1")
        SearchQuery.objects.create(query=f"S0C{number}", opened_entry=entry)
    entry_update(entry=entry, expected_version=1, author=None, title="=1+1 <edited> & once")


def content(run: Run) -> bytes:
    assert run.state == RunState.SUCCEEDED, run.error
    path = export_path(run.pk, run.steps.get().result["file"])
    assert path is not None and not (path.parent / EXPORT_WORK).exists()
    return path.read_bytes()


def queued(file_format: str, **options: Any) -> Run:
    return export_enqueue(wanted=ExportWanted.of({"format": file_format, **options}), actor="ada", inline=True)


CASES = [*((name, ()) for name in ExportFormat.values), ("csv", ("entries", "searches")), ("xlsx", ("searches",))]


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(("file_format", "sections"), CASES)
def test_an_export_whose_worker_dies_goes_on_and_is_the_same_byte_for_byte(
    file_format: str, sections: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled()
    whole = content(run_inline(queued(file_format, sections=sections).pk))
    for at in POINTS:
        run = killed(queued(file_format, sections=sections), at, monkeypatch)
        assert content(run) == whole, at
        assert not run.events.filter(message__contains="begun again").exists()
    assert run.steps.get().rows_done == sum(run.steps.get().result["rows"].values())


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("file_format", ["archive", "html"])
def test_an_export_in_slices_of_one_piece_is_the_same_byte_for_byte(file_format: str) -> None:
    filled()
    whole = content(run_inline(queued(file_format).pk))
    run, slices = queued(file_format), 0
    while lease := run_claim(run.pk):
        execute(lease, until=0)
        Run.objects.filter(pk=run.pk).update(lease_token=None)
        slices += 1
    assert content(Run.objects.get(pk=run.pk)) == whole
    assert slices > 4


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("moment", ["finish", "rename", "removal"])
def test_a_death_between_the_last_row_and_the_end_costs_nothing(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    filled()
    whole = content(run_inline(queued("archive").pk))
    run = queued("archive")

    def dying(*_arguments: Any, **_options: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        owner, name = {
            "finish": (Packer, "finish"),
            "rename": (Path, "replace"),
            "removal": (export.shutil, "rmtree"),
        }[moment]
        patched.setattr(owner, name, dying)
        with pytest.raises(Killed):
            run_inline(run.pk)
    Run.objects.filter(pk=run.pk).update(lease_token=None)
    assert content(run_inline(run.pk)) == whole


@pytest.mark.usefixtures("small_pieces")
def test_an_export_whose_pieces_are_gone_begins_again() -> None:
    filled()
    run = queued("csv")
    lease = run_claim(run.pk)
    assert lease is not None
    execute(lease, until=0)
    shutil.rmtree(export_folder(run.pk) / EXPORT_WORK)
    Run.objects.filter(pk=run.pk).update(lease_token=None)
    again = run_inline(run.pk)
    assert content(again).count(b"\r\n") == 6 and again.steps.get().rows_done == 5
    assert again.events.filter(message__contains="begun again").exists()
    run_back(again)
    assert not (export_folder(run.pk) / EXPORT_WORK).exists()


def test_what_a_search_found_stays_the_same_when_an_export_goes_on(tmp_path: Path) -> None:
    first = entry_built(title="S0C7 somewhere")
    wanted = ExportWanted.of({"format": "csv", "query": "S0C7"})
    assert wanted.chosen(tmp_path).ids == (first.pk,)
    entry_built(title="S0C7 elsewhere")
    assert wanted.chosen(tmp_path).ids == (first.pk,)


def test_only_one_process_has_the_pieces_and_they_are_cut_back_to_what_was_committed(tmp_path: Path) -> None:
    with Growing(tmp_path, {}) as work:
        work.append(PART, b"kept")
        sizes = work.synced()
        work.append(PART, b" not kept")
        work.append("more", b"x")
        with pytest.raises(WorkBusyError):
            Growing(tmp_path, sizes)
    with Growing(tmp_path, sizes) as work:
        work.append(PART, b" and more")
        assert work.behind(PART, 4) == b" and more"
    assert [path.name for path in tmp_path.iterdir()] == [PART]
    with pytest.raises(WorkLostError):
        Growing(tmp_path, {PART: 99})


def places(tmp_path: Path, **options: Any) -> Iterator[Any]:
    wanted = {"file_format": ExportFormat.ARCHIVE, "chosen": ExportFilter(), "sections": (), "address": ""}
    return export.export_places(work=tmp_path / "work", path=tmp_path / "out.zip", **{**wanted, **options})


@pytest.mark.usefixtures("small_pieces")
def test_an_archive_that_was_made_while_people_wrote_has_no_row_that_hangs_in_the_air(tmp_path: Path) -> None:
    filled()
    for number, place in enumerate(places(tmp_path)):
        written_meanwhile(number)
        again = json.loads(json.dumps(place.cursor))
        if number == 3:
            break
    for number, _place in enumerate(places(tmp_path, cursor=again), start=10):
        if number < 22:
            written_meanwhile(number)
    found: dict[str, list[dict[str, Any]]] = {}
    for one in source_open(tmp_path / "out.zip").rows():
        found.setdefault(one.section, []).append(one.values)
    keys = {row["id"] for row in found["entries"]}
    for table in ("kb_feedback", "kb_entry_revisions"):
        assert {row["entry"] for row in found[table]} <= keys
    assert {row["opened_entry"] for row in found["search_history"]} <= {*keys, None}
    assert {row["error_code"] for row in found.get("kb_code_aliases", [])} <= {
        row["code"] for row in found["kb_error_codes"]
    }
    Entry.objects.all().delete()
    job = import_run(import_create(path=tmp_path / "out.zip", options=ImportOptions(), actor="ada"))
    assert job.report["sections"]["entries"] == {"new": len(keys)}
    assert not any("invalid" in numbers for numbers in job.report["sections"].values()), job.report
    assert Feedback.objects.count() == len(found["kb_feedback"])


def test_each_piece_asks_for_its_own_rows_and_not_for_all_that_are_left(small_pieces: None, tmp_path: Path) -> None:
    filled()
    asked: list[str] = []

    def listened(execute: Any, sql: str, *given: Any) -> Any:
        asked.append(sql)
        return execute(sql, *given)

    with connection.execute_wrapper(listened):
        assert sum(place.rows for place in places(tmp_path)) > 5
    read = [sql for sql in asked if 'FROM "search_history"' in sql]
    assert len(read) == 4  # 2, 2, 1 and none
    assert [sql for sql in read if "LIMIT 2" not in sql or "DECLARE" in sql] == []


def written_meanwhile(number: int) -> None:
    """A new entry with a vote and a search, a new code with another spelling, and an entry less."""
    entry = entry_built(title=f"Born meanwhile {number}", problem=f"Problem {number}.")
    Feedback.objects.create(entry=entry, worked=False, voter="user:2")
    SearchQuery.objects.create(query=f"meanwhile {number}", opened_entry=entry)
    code = ErrorCode.objects.create(code=f"XYZ{number:04}")
    CodeAlias.objects.create(alias=f"xyz-{number}", error_code=code)
    gone = Entry.objects.filter(title__startswith="S0C7").first()
    if gone and number % 3 == 0:
        gone.delete()


def test_memory_does_not_grow_with_the_members_of_a_zip(tmp_path: Path) -> None:
    state: dict[str, Any] = {}
    with Growing(tmp_path, {}) as work:
        packer, held = Packer(work, state, MOMENT), []
        tracemalloc.start()
        try:
            for number in range(6_000):
                packer.add(f"COBOL/some-entry-{number:012}.html", b"text")
                if number in {999, 5_999}:
                    held.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
    assert (held[1] - held[0]) / 5_000 < 5, held
    assert state == {"members": 6_000, "open": None}


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("file_format", ["markdown", "html"])
def test_where_an_export_stands_takes_the_same_room_for_any_number_of_entries(file_format: str, tmp_path: Path) -> None:
    for number in range(7):
        entry_built(title=f"S0C7 no {number}", problem=f"Problem {number}.")
    cursors = [len(json.dumps(place.cursor)) for place in places(tmp_path, file_format=ExportFormat(file_format))]
    assert max(cursors) - min(cursors) < 60, cursors


def test_a_zip_past_the_old_limits_is_whole(tmp_path: Path) -> None:
    with Growing(tmp_path, {}) as work:
        packer = Packer(work, {}, MOMENT)
        for number in range(66_000):
            packer.add(f"{number}", b"x")
        packer.finish()
    with zipfile.ZipFile(tmp_path / PART) as archive:
        assert len(archive.namelist()) == 66_000 and archive.read("65999") == b"x"
        assert archive.getinfo("0").date_time == (2024, 5, 31, 12, 30, 10)


def test_a_directory_with_places_past_four_gigabytes_has_them_in_the_long_form(tmp_path: Path) -> None:
    with Growing(tmp_path, {}) as work:
        work.file(PART).truncate(5 * 1024**3)  # a hole, which takes no room on the disk
        packer = Packer(work, {}, MOMENT)
        packer.begin("streamed")
        packer.write(b"far ")
        packer.write(b"behind")
        packer.end()
        packer.add("small", b"y")
        packer.finish()
    with zipfile.ZipFile(tmp_path / PART) as archive:
        assert (archive.read("streamed"), archive.read("small")) == (b"far behind", b"y")
        assert archive.getinfo("small").header_offset > 5 * 1024**3
