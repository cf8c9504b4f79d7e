"""Imports, their undo and exports as runs: killed at any point they go on or go back, and leave nothing half."""

from __future__ import annotations

import csv
import io
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from knowledge.entries import entry_update
from knowledge.errors import ImportStateError
from knowledge.models import Entry, Import, ImportState, Tag
from knowledge.starter import starter_load
from knowledge.transfer.exporting import ExportFormat
from knowledge.transfer.exporting.wanted import ExportWanted
from knowledge.transfer.files import export_path
from knowledge.transfer.jobs import import_bring, import_create, import_options_save, options_remembered
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.retention import transfers_trim
from knowledge.transfer.tasks import (
    active_run_of,
    export_enqueue,
    import_enqueue,
    import_run_of,
    preview_enqueue,
    undo_enqueue,
)
from migrations_ops import runner
from migrations_ops.checkpoints import checkpoint_create
from migrations_ops.models import Run, RunState
from migrations_ops.runner import run_inline
from migrations_ops.runs import actions_legal, run_cancel, run_retry
from tests.engine.builders import entry_made, run_back
from tests.knowledge.transfer.files import csv_file, row
from tests.knowledge.transfer.inline import import_run, import_take_back
from tests.knowledge.transfer.test_commands import kb

pytestmark = pytest.mark.django_db(transaction=True)


#: Commits at which the worker dies: around the first, in the middle, the last; with the variable every one.
POINTS = range(8) if os.environ.get("KB_TEST_KILL_ALL") == "1" else (1, 3, 5)


class Killed(BaseException):
    """The worker is gone."""


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("importing", "undoing"):
        monkeypatch.setattr(f"knowledge.transfer.{module}.BATCH_ROWS", 2)


def brought(path: Path, **options: Any) -> Import:
    with path.open("rb") as file:
        return import_bring(file=file, file_name=path.name, options=ImportOptions(**options), actor="ada")


def five(folder: Path) -> Path:
    return csv_file(folder, *(row(number, tags=f"abend, run-{number}") for number in range(1, 6)))


def killed(run: Run, at: int, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Move the run in a worker that dies before its commit number `at`, then in another one to its end."""
    journal, commits = runner._journal, iter(range(1_000))

    def dying(*arguments: Any) -> None:
        if next(commits) == at:
            raise Killed
        journal(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(runner, "_journal", dying)
        try:
            return run_inline(run.pk)
        except Killed:
            Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(minutes=5))
    return run_inline(run.pk)


def tables() -> dict[str, Any]:
    """The rows of the site as a checkpoint has them."""
    found: dict[str, Any] = checkpoint_create(label="", actor="ada").manifest["tables"]
    return {name: facts["sha256"] for name, facts in found.items() if not name.startswith("ops_")}


@pytest.mark.usefixtures("small_batches")
def test_an_import_and_its_undo_survive_the_death_of_their_worker_at_any_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = five(tmp_path)
    for at in POINTS:
        job = brought(path)
        run = killed(import_enqueue(job=job, actor="ada", inline=True), at, monkeypatch)
        job.refresh_from_db()
        assert (run.state, job.state, Entry.objects.count()) == (RunState.SUCCEEDED, ImportState.DONE, 5), at
        assert job.report["sections"] == {"entries": {"new": 5}}, at
        run = killed(undo_enqueue(job=job, actor="ada"), at, monkeypatch)
        job.refresh_from_db()
        assert (run.state, job.state) == (RunState.ROLLED_BACK, ImportState.UNDONE), (at, run.error)
        assert not Entry.objects.exists() and not Tag.objects.exists(), at


def test_a_preview_reads_and_decides_and_the_import_that_follows_does_what_it_said(tmp_path: Path) -> None:
    job = brought(csv_file(tmp_path, row(), row(), row(3, problem="")))
    assert job.columns[:3] == ["title", "problem", "solution"]
    preview = run_inline(preview_enqueue(job=job, actor="ada", inline=True).pk)
    assert (preview.state, actions_legal(preview)) == (RunState.SUCCEEDED, [])
    job.refresh_from_db()
    said = job.preview["sections"]
    assert (said, Entry.objects.count()) == ({"entries": {"new": 1, "duplicate": 1, "invalid": 1}}, 0)
    run = run_inline(import_enqueue(job=job, actor="ada", inline=True).pk)
    job.refresh_from_db()
    assert (run.state, job.report["sections"]) == (RunState.SUCCEEDED, said)
    assert run.steps.get(name="import/write").rows_before == 0
    with pytest.raises(ImportStateError):
        import_enqueue(job=job, actor="ada", inline=True)
    with pytest.raises(ImportStateError):
        import_options_save(job=job, options=ImportOptions())


def test_a_file_with_an_invalid_row_is_refused_as_a_whole_when_asked_so(tmp_path: Path) -> None:
    job = brought(csv_file(tmp_path, row(), row(2, problem="")), on_error="stop")
    run = run_inline(import_enqueue(job=job, actor="ada", inline=True).pk)
    job.refresh_from_db()
    assert (run.state, job.state, Entry.objects.count()) == (RunState.FAILED, ImportState.READY, 0)
    assert "1 row(s) are invalid" in run.error
    run_cancel(run=run, actor="ada")
    import_options_save(job=job, options=ImportOptions())
    assert run_inline(import_enqueue(job=job, actor="ada", inline=True).pk).state == RunState.SUCCEEDED


@pytest.mark.usefixtures("small_batches")
def test_an_import_that_was_given_up_can_go_on_or_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = brought(five(tmp_path))
    run = import_enqueue(job=job, actor="ada", inline=True)
    journal = runner._journal

    def then_cancelled(ctx: Any, batch: Any) -> None:
        journal(ctx, batch)
        if batch and batch.cursor.get("place") == 2:
            Run.objects.filter(pk=run.pk).update(intent="cancel", state=RunState.PAUSING)

    with monkeypatch.context() as patched:
        patched.setattr(runner, "_journal", then_cancelled)
        assert run_inline(run.pk).state == RunState.CANCELLED
    assert Entry.objects.count() == 2
    run.refresh_from_db()
    run_retry(run=run, actor="ada")
    assert run_inline(run.pk).state == RunState.SUCCEEDED
    assert Entry.objects.count() == 5


def test_an_import_by_a_command_is_taken_back_by_a_run(tmp_path: Path) -> None:
    job = import_run(import_create(path=five(tmp_path), options=ImportOptions(), actor="ada"))
    assert import_run_of(job) is None
    run = undo_enqueue(job=job, actor="ada", inline=True)
    assert active_run_of(job) == run
    assert run_inline(run.pk).state == RunState.SUCCEEDED
    job.refresh_from_db()
    assert (job.state, Entry.objects.count()) == (ImportState.UNDONE, 0)


def test_a_mapping_is_remembered_for_files_with_the_same_columns(tmp_path: Path) -> None:
    mapped = {"columns": {"overskrift": "title"}}
    columns = brought(csv_file(tmp_path, row(), name="a.csv"), **mapped).columns
    assert options_remembered(reversed(columns)).columns == mapped["columns"]
    assert options_remembered(["row", *columns, "reason"]).columns == mapped["columns"]  # the rows that failed
    assert options_remembered([*columns, "more"]) == ImportOptions()


@pytest.mark.parametrize("file_format", ExportFormat.values)
def test_an_export_is_a_file_with_its_sum_and_goes_when_it_is_rolled_back(file_format: str) -> None:
    entry_made(status="draft")
    wanted = ExportWanted.of({"format": file_format, "statuses": ["draft"]})
    run = run_inline(export_enqueue(wanted=wanted, actor="ada", inline=True).pk)
    facts = run.steps.get().result
    path = export_path(run.pk, facts["file"])
    assert run.state == RunState.SUCCEEDED
    assert path is not None and path.stat().st_size == facts["size_bytes"]
    run_back(run)
    assert export_path(run.pk, facts["file"]) is None


def test_the_starter_goes_out_is_edited_comes_back_and_is_undone_without_a_trace(tmp_path: Path) -> None:
    starter_load()
    before = tables()
    wanted = ExportWanted.of({"format": "csv"})
    run = run_inline(export_enqueue(wanted=wanted, actor="ada", inline=True).pk)
    path = export_path(run.pk, run.steps.get().result["file"])
    assert path is not None
    job = brought(edited(path, tmp_path))
    run_inline(preview_enqueue(job=job, actor="ada", inline=True).pk)
    job.refresh_from_db()
    total = Entry.objects.count()
    assert job.preview["sections"] == {"entries": {"same": total - 2, "changed": 2, "new": 1}}
    assert tables() == before
    run_inline(import_enqueue(job=job, actor="ada", inline=True).pk)
    assert Entry.objects.filter(title__endswith="(checked)").count() == 2
    run_inline(undo_enqueue(job=job, actor="ada").pk)
    assert tables() == before


def edited(path: Path, folder: Path) -> Path:
    """As a spreadsheet saves it: semicolons, two titles changed, a row added."""
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    for one in rows[:2]:
        one["title"] += " (checked)"
    rows.append({**dict.fromkeys(rows[0], ""), **{name: value for name, value in row(99).items() if name in rows[0]}})
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    to = folder / "edited.csv"
    to.write_bytes(text.getvalue().encode("utf-8-sig"))
    return to


def test_a_cancelled_import_that_another_run_has_made_is_not_made_again(tmp_path: Path) -> None:
    job = brought(five(tmp_path))
    given_up = import_enqueue(job=job, actor="ada", inline=True)
    run_cancel(run=given_up, actor="ada")
    assert run_inline(import_enqueue(job=job, actor="ada", inline=True).pk).state == RunState.SUCCEEDED
    before = tables()
    run_retry(run=Run.objects.get(pk=given_up.pk), actor="ada")
    retried = run_inline(given_up.pk)
    assert (retried.state, "Import" in retried.error) == (RunState.FAILED, True)
    assert tables() == before


def test_what_people_edited_since_stays_after_an_undo(tmp_path: Path) -> None:
    job = brought(five(tmp_path))
    run_inline(import_enqueue(job=job, actor="ada", inline=True).pk)
    entry = Entry.objects.order_by("title").first()
    assert entry is not None
    entry_update(entry=entry, expected_version=1, author=None, title="Edited by a person")
    run_inline(undo_enqueue(job=job, actor="ada").pk)
    assert list(Entry.objects.values_list("title", flat=True)) == ["Edited by a person"]


def test_files_are_removed_when_their_time_is_over_and_the_way_back_stays(tmp_path: Path, settings: Settings) -> None:
    job = brought(five(tmp_path))
    run_inline(import_enqueue(job=job, actor="ada", inline=True).pk)
    assert transfers_trim() == 0
    settings.TRANSFER_DAYS = -1
    Import.objects.update(state=ImportState.RUNNING)
    assert transfers_trim() == 0
    Import.objects.update(state=ImportState.DONE)
    assert transfers_trim() == 1
    assert run_inline(undo_enqueue(job=job, actor="ada").pk).state == RunState.ROLLED_BACK
    assert not Entry.objects.exists()


def test_an_import_of_the_console_is_taken_back_by_the_command(tmp_path: Path) -> None:
    job = brought(five(tmp_path))
    run = run_inline(import_enqueue(job=job, actor="ada", inline=True).pk)
    assert kb("undo", str(job.pk), "--actor", "bob", "--reason", "wrong file")["state"] == "undone"
    run.refresh_from_db()
    assert (run.state, Entry.objects.count()) == (RunState.ROLLED_BACK, 0)
    assert run.events.filter(actor="bob", reason="wrong file").exists()
    assert kb("undo", str(job.pk), code=1)["error"]["code"] == "import_state"


def test_an_undo_that_fails_in_the_command_says_so_and_can_be_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = brought(five(tmp_path))
    run = run_inline(import_enqueue(job=job, actor="ada", inline=True).pk)
    with monkeypatch.context() as broken:
        broken.setattr("knowledge.transfer.steps.taken_back", lambda *_arguments: 1 / 0)
        told = kb("undo", str(job.pk), code=4)
    assert told["run_state"] == "failed" and "division" in told["error"]
    assert told["next"] == f"manage.py mvp retry {run.pk} --inline" and Entry.objects.count() == 5
    assert run_inline(run_retry(run=Run.objects.get(pk=run.pk), actor="ada").pk).state == RunState.ROLLED_BACK
    assert not Entry.objects.exists()


def test_what_a_command_took_back_does_not_go_back_twice(tmp_path: Path) -> None:
    job = brought(five(tmp_path))
    run = run_inline(import_enqueue(job=job, actor="ada", inline=True).pk)
    job.refresh_from_db()
    import_take_back(job)
    assert actions_legal(run) == []
