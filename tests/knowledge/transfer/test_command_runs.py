"""`manage.py kb import` and `kb export` are runs like those of the console; the command waits and says how to go on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import OutputWrapper

from knowledge.management import imports
from knowledge.models import Entry, Import, ImportState
from knowledge.transfer.exporting import ExportFormat
from knowledge.transfer.exporting.wanted import ExportWanted
from knowledge.transfer.tasks import export_enqueue
from migrations_ops import runner
from migrations_ops.lease import Lease, lease_release, run_claim
from migrations_ops.management import following
from migrations_ops.management.following import RunProgress
from migrations_ops.models import Run, RunState, StepState
from tests.engine.builders import entry_made, run_back
from tests.knowledge.transfer.files import csv_file, row
from tests.knowledge.transfer.test_commands import kb
from tests.knowledge.transfer.test_runs import five, small_batches  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)


def at_place(place: int, act: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something right after the batch that comes to this row was committed."""
    journal = runner._journal

    def watched(ctx: Any, batch: Any) -> None:
        journal(ctx, batch)
        if batch and ctx.record.name == "import/write" and (batch.cursor or {}).get("place") == place:
            act(ctx.run)

    monkeypatch.setattr(runner, "_journal", watched)


def test_an_import_by_the_command_is_a_run_that_the_console_takes_back(tmp_path: Path) -> None:
    told = kb("import", str(five(tmp_path)), "--actor", "ada")
    run = Run.objects.get(pk=told["run"])
    assert (run.started_by, run.state, told["run_state"]) == ("ada", RunState.SUCCEEDED, "succeeded")
    assert [step.name for step in run.steps.order_by("position")] == ["import/read", "import/write"]
    assert run_back(run).state == RunState.ROLLED_BACK
    assert not Entry.objects.exists()


def test_a_preview_by_the_command_is_a_run_too(tmp_path: Path) -> None:
    told = kb("import", str(five(tmp_path)), "--preview")
    assert told["sections"] == {"entries": {"new": 5}} and told["run_state"] == "succeeded"
    assert kb("import", "--resume", str(told["import"]))["state"] == "done"
    assert kb("import", "--resume", str(told["import"]), code=1)["error"]["code"] == "import_state"


@pytest.mark.usefixtures("small_batches")
def test_ctrl_c_pauses_the_run_and_the_command_says_how_to_go_on_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_run: Run) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        at_place(4, interrupted, patched)
        told = kb("import", str(five(tmp_path)), code=4)
    assert (told["run_state"], told["state"], Entry.objects.count()) == ("paused", "running", 2)
    assert told["next"] == f"manage.py kb import --resume {told['import']}, or manage.py kb undo {told['import']}"
    assert Run.objects.get().events.filter(message__contains="interrupted").exists()
    again = kb("import", "--resume", str(told["import"]))
    assert (again["state"], again["sections"], Entry.objects.count()) == ("done", {"entries": {"new": 5}}, 5)
    assert again["run"] == told["run"]


@pytest.mark.usefixtures("small_batches")
def test_an_import_that_rests_is_taken_back_by_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        at_place(2, lambda run: Run.objects.filter(pk=run.pk).update(intent="pause", state=RunState.PAUSING), patched)
        told = kb("import", str(five(tmp_path)), code=4)
    assert (told["run_state"], Entry.objects.count()) == ("paused", 2)
    back = kb("undo", str(told["import"]))
    assert (back["state"], back["run_state"], Entry.objects.count()) == ("undone", "rolled_back", 0)


@pytest.mark.usefixtures("small_batches")
def test_the_console_takes_an_import_back_under_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        at_place(
            2, lambda run: Run.objects.filter(pk=run.pk).update(intent="roll_back", state=RunState.PAUSING), patched
        )
        told = kb("import", str(five(tmp_path)), code=4)
    assert (told["run_state"], told["state"], Entry.objects.count()) == ("rolled_back", "undone", 0)


def test_nothing_is_kept_of_a_file_that_cannot_begin_while_another_run_holds_the_site(tmp_path: Path) -> None:
    held = export_enqueue(wanted=ExportWanted.of({"format": "csv"}), actor="bob", inline=True)
    refused = kb("import", str(five(tmp_path)), code=1)["error"]
    assert refused["code"] == "run_active" and str(held.pk) in refused["message"]
    assert not Import.objects.exists() and not list((tmp_path / "transfer").glob("imports/*"))
    assert kb("export", str(tmp_path / "out.csv"), "--format", "csv", code=1)["error"]["code"] == "run_active"
    assert not list(tmp_path.glob("out.csv*"))


def test_a_refusal_as_a_whole_leaves_no_run_that_holds_the_site(tmp_path: Path) -> None:
    path = str(csv_file(tmp_path, row(), row(2, problem="")))
    assert kb("import", path, "--on-error", "stop", code=1)["error"]["code"] == "import_refused"
    assert (Run.objects.get().state, Entry.objects.count()) == (RunState.CANCELLED, 0)
    assert Import.objects.get().state == ImportState.READY
    assert kb("import", path, code=3)["state"] == "done"


def test_the_command_waits_for_a_worker_that_was_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enqueue, leases = imports.import_enqueue, list[Lease | None]()

    def taken(**given: Any) -> Run:
        run = enqueue(**given)
        leases.append(run_claim(run.pk, worker="another"))
        return run

    def let_go(_seconds: float) -> None:
        lease = leases.pop()
        assert lease is not None
        lease_release(lease)

    monkeypatch.setattr(imports, "import_enqueue", taken)
    monkeypatch.setattr(following.time, "sleep", let_go)
    assert kb("import", str(five(tmp_path)))["state"] == "done"
    assert leases == []


@pytest.mark.parametrize("file_format", ExportFormat.values)
def test_an_export_by_the_command_is_a_run_whose_file_the_console_keeps(file_format: str, tmp_path: Path) -> None:
    entry_made(title="S0C7")
    told = kb("export", str(tmp_path / "out"), "--format", file_format, "--query", "S0C7", "--most", "5")
    run = Run.objects.get(pk=told["run"])
    facts = run.steps.get().result
    assert (run.state, told["sha256"], told["rows"]) == (RunState.SUCCEEDED, facts["sha256"], facts["rows"])
    assert (tmp_path / "out").stat().st_size == told["size_bytes"]
    assert not (tmp_path / "out.part").exists()


def test_an_export_that_was_interrupted_goes_on_and_brings_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    out = str(tmp_path / "out.zip")
    with monkeypatch.context() as patched:
        patched.setattr(runner, "_journal", interrupted)
        told = kb("export", out, code=4)
    assert (told["run_state"], told["next"]) == ("paused", f"manage.py kb export {out} --resume {told['run']}")
    again = kb("export", out, "--resume", str(told["run"]))
    assert again["run"] == told["run"] and Path(out).stat().st_size == again["size_bytes"]
    other = str(kb("import", str(five(tmp_path)))["run"])
    assert kb("export", out, "--resume", other, code=1)["error"]["code"] == "run_not_found"


def test_an_export_to_where_nothing_can_be_written_begins_no_run(tmp_path: Path) -> None:
    told = kb("export", str(tmp_path / "missing" / "out"), code=1)
    assert "No such file" in told["error"]["message"] and not Run.objects.exists()


def test_links_of_an_export_have_the_address_that_was_asked_for(tmp_path: Path) -> None:
    kb("export", str(tmp_path / "out.zip"), "--format", "markdown", "--address", "https://kb.example.org")
    assert Run.objects.get().plan.options["address"] == "https://kb.example.org"
    kb("export", str(tmp_path / "out.zip"), "--format", "markdown", "--most", "0", code=1)


class Screen(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(("terminal", "start"), [(True, "\r\x1b[K"), (False, "")])
def test_progress_says_rows_rate_and_what_is_left(terminal: bool, start: str, tmp_path: Path) -> None:
    kb("import", str(five(tmp_path)))
    step = Run.objects.get().steps.get(name="import/write")
    now, screen = [0.0], Screen(terminal)
    progress = RunProgress(OutputWrapper(screen), clock=lambda: now[0])
    for moment, rows in ((20.0, 0), (20.1, 50), (40.0, 1_000)):
        now[0], step.state, step.rows_done, step.rows_total = moment, StepState.RUNNING, rows, 5_000
        step.busy_seconds, step.recent_rows, step.rows_before = moment - 20.0, 0.0, None
        step.save()
        progress.look(step.run_id)
    progress.end()
    lines = screen.getvalue().replace("\r", "\n\r").split("\n")
    said = [line for line in lines if line]
    assert said == [
        f"{start}{step.title}: 0 of 5,000 rows",
        f"{start}{step.title}: 1,000 of 5,000 rows, 50 a second, 1 min 20 s left",
    ]


def test_with_json_only_one_object_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LINE_SECONDS", -1.0)
    out, errors = io.StringIO(), io.StringIO()
    call_command("kb", "import", str(five(tmp_path)), "--json", stdout=out, stderr=errors)
    assert errors.getvalue() == "" and out.getvalue().count("\n") == 1
    call_command("kb", "import", str(csv_file(tmp_path, row(77), name="b.csv")), stdout=out, stderr=errors)
    assert "Write the entries: 1 of 1 rows" in errors.getvalue()
