"""Checks and cleanups as the engine runs them: what is refused, parked, lost and forgotten."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from migrations_ops.archive import file_sha256
from migrations_ops.checkpoints import checkpoint_create, checkpoint_path
from migrations_ops.errors import (
    CheckUnknownError,
    CleanupDamagedError,
    CleanupGoneError,
    CleanupOptionError,
    CleanupStateError,
    CleanupUnknownError,
)
from migrations_ops.integrity import checking
from migrations_ops.integrity.aside import aside_folder
from migrations_ops.integrity.check import Check, Found
from migrations_ops.integrity.checking import checks_run, latest_results
from migrations_ops.integrity.cleaning import (
    cleanup_create,
    cleanup_get,
    cleanup_preview,
    cleanups_tidy,
    keep_for,
    undo_apply,
)
from migrations_ops.integrity.parking import parked_path, rows_park
from migrations_ops.models import CheckRun, CheckStatus, CleanupRecord, CleanupState, RunEvent
from tests.migrations_ops.integrity.inline import cleanup_run, cleanup_undo

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - dt.timedelta(days=900)


def a_trimmed_journal() -> CleanupRecord:
    for number in range(3):
        RunEvent.objects.create(message=f"line {number}", created_at=LONG_AGO)
    return cleanup_run(record=cleanup_create(name="trim_journals", options={}, actor="ada", reason="old"))


def old_lines() -> int:
    return RunEvent.objects.filter(created_at__lte=LONG_AGO).count()


def broken(limit: int) -> Found:
    raise ZeroDivisionError("no")


def test_a_check_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Check(name="broken", title="Broken", help="", severity=CheckStatus.NOTICE, find=broken)
    monkeypatch.setattr(checking, "CHECKS", (failing, *checking.CHECKS))
    check_run = checks_run(actor="ada")
    assert check_run.status == CheckStatus.FAILED
    assert check_run.results.get(name="broken").evidence == "ZeroDivisionError: no"
    assert check_run.results.filter(name="database_structure", status="ok").exists()
    assert latest_results()["broken"].status == CheckStatus.FAILED


def test_unknown_names_numbers_and_options_are_refused() -> None:
    with pytest.raises(CheckUnknownError):
        checks_run(actor="ada", names=["nothing"])
    with pytest.raises(CleanupUnknownError):
        cleanup_preview(name="nothing", options={})
    with pytest.raises(CleanupGoneError):
        cleanup_get(4711)
    for given in ("0", "many", "-3", "99999999999"):
        with pytest.raises(CleanupOptionError):
            cleanup_preview(name="trim_journals", options={"days": given})
    with pytest.raises(CleanupOptionError, match="knows days"):
        cleanup_preview(name="trim_journals", options={"weeks": 3})


def test_the_dry_run_counts_and_changes_nothing() -> None:
    RunEvent.objects.create(message="old", created_at=LONG_AGO)
    assert cleanup_preview(name="trim_journals", options={"days": "365"}).count == 1
    assert cleanup_preview(name="trim_journals", options={"days": 3_650}).count == 0
    assert old_lines() == 1
    assert not CleanupRecord.objects.exists()


def test_parked_rows_are_a_file_that_only_the_site_reads_and_come_back_from_it() -> None:
    record = a_trimmed_journal()
    assert old_lines() == 0
    path = parked_path(record)
    assert path.stat().st_mode & 0o077 == 0
    assert record.size_bytes == path.stat().st_size
    assert not record.rows.exists()

    cleanup_undo(record=record)

    assert old_lines() == 3
    assert cleanup_get(record.pk).state == CleanupState.UNDONE
    with pytest.raises(CleanupStateError, match="undoing it"):
        cleanup_undo(record=cleanup_get(record.pk))
    with pytest.raises(CleanupStateError, match="running it"):
        cleanup_run(record=cleanup_get(record.pk))


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_damaged_parked_rows_are_found_and_an_undo_is_refused(damage: str) -> None:
    record = a_trimmed_journal()
    path = parked_path(record)
    if damage == "gone":
        path.unlink()
    else:
        path.write_text(path.read_text().replace("line 1", "line X"))
    assert checks_run(actor="ada", names=["archive_files"]).results.get().count == 1
    with pytest.raises(CleanupDamagedError):
        cleanup_undo(record=cleanup_get(record.pk))
    assert old_lines() == 0


def test_parked_rows_come_back_into_tables_that_a_later_release_has_changed() -> None:
    record = a_trimmed_journal()
    path = parked_path(record)
    header, *lines = path.read_text().splitlines()
    facts = json.loads(header)
    at = facts["columns"]["ops_events"].index("reason")
    facts["columns"]["ops_events"][at] = "gone_since"
    path.write_text("\n".join([json.dumps(facts), *lines, ""]))
    CleanupRecord.objects.filter(pk=record.pk).update(sha256=file_sha256(path))

    cleanup_undo(record=cleanup_get(record.pk))

    assert old_lines() == 3
    assert set(RunEvent.objects.filter(created_at__lte=LONG_AGO).values_list("reason", flat=True)) == {""}


def test_after_its_time_a_cleanup_can_no_longer_be_undone() -> None:
    record = a_trimmed_journal()
    assert cleanups_tidy() == 0
    assert cleanups_tidy(timezone.now() + keep_for() + dt.timedelta(minutes=1)) == 1
    assert not parked_path(record).exists()
    assert cleanup_get(record.pk).state == CleanupState.EXPIRED
    with pytest.raises(CleanupStateError):
        cleanup_undo(record=cleanup_get(record.pk))


def test_what_an_undo_reads_is_neither_parked_nor_forgotten_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("tests.migrations_ops.integrity.inline.rows_park", lambda *_given: None)
        record = a_trimmed_journal()
    undo = undo_apply(cleanup_get(record.pk))
    next(undo)
    rows_park(record)
    assert cleanups_tidy(timezone.now() + keep_for() + dt.timedelta(minutes=1)) == 0
    assert cleanup_get(record.pk).rows.exists() and not cleanup_get(record.pk).sha256
    assert sum(1 for _batch in undo) > 0
    assert old_lines() == 3
    assert not list(Path(settings.OPS_CLEANUP_DIR).glob(f"cleanup-{record.pk}.*"))


def test_an_undo_whose_time_ends_as_it_begins_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    record = a_trimmed_journal()

    calls = iter(range(9))

    def over(*_given: Any) -> None:
        if next(calls) == 1:  # behind the look at the record, before it is taken
            cleanups_tidy(timezone.now() + keep_for() + dt.timedelta(minutes=1))

    monkeypatch.setattr("migrations_ops.integrity.cleaning._expect", over)
    with pytest.raises(CleanupStateError, match="one process"):
        cleanup_undo(record=cleanup_get(record.pk))
    assert old_lines() == 0


def test_two_processes_never_both_work_on_one_cleanup(monkeypatch: pytest.MonkeyPatch) -> None:
    RunEvent.objects.create(message="old", created_at=LONG_AGO)
    record = cleanup_create(name="trim_journals", options={}, actor="ada")

    def another_one() -> None:
        CleanupRecord.objects.filter(pk=record.pk).update(batches=99)

    RunEvent.objects.bulk_create(RunEvent(message="old", created_at=LONG_AGO) for _ in range(600))
    with pytest.raises(CleanupStateError, match="one process"):
        cleanup_run(record=record, between=another_one)


def test_damaged_missing_and_stray_files_of_checkpoints_are_found() -> None:
    good, missing = (checkpoint_create(label=label, actor="ada") for label in ("good", "missing"))
    checkpoint_path(missing).unlink()
    stray = Path(settings.OPS_CHECKPOINT_DIR) / "left-over.part"
    stray.touch()
    os.utime(stray, (time.time() - 90_000,) * 2)
    results = checks_run(actor="ada", names=["archive_files", "stray_files"]).results
    assert [results.get(name=name).count for name in ("archive_files", "stray_files")] == [1, 1]
    assert missing.label in results.get(name="archive_files").examples[0]["text"]
    record = cleanup_run(record=cleanup_create(name="set_files_aside", options={}, actor="ada"))
    assert (record.done, record.units, stray.exists()) == (1, 1, False)
    assert record.keep_until is not None
    stray.write_text("taken by another")
    assert cleanup_undo(record=record).kept_count == 1
    assert stray.read_text() == "taken by another"
    stray.unlink()
    checkpoint_path(good).unlink()


def test_files_set_aside_come_back_until_their_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    stray = Path(settings.OPS_CHECKPOINT_DIR) / "left-over.part"
    stray.write_text("half a checkpoint")
    os.utime(stray, (time.time() - 90_000,) * 2)
    record = cleanup_create(name="set_files_aside", options={}, actor="ada")
    with monkeypatch.context() as patched:
        patched.setattr("migrations_ops.integrity.cleaning._noted", _killed)
        with pytest.raises(ZeroDivisionError):
            cleanup_run(record=record)
    assert not stray.exists(), "it was moved, and not noted"
    assert cleanup_run(record=record).units == 1
    cleanup_undo(record=record)
    assert (stray.read_text(), record.state) == ("half a checkpoint", CleanupState.UNDONE)
    again = cleanup_run(record=cleanup_create(name="set_files_aside", options={}, actor="ada"))
    assert aside_folder(again).exists()
    cleanups_tidy(now=again.keep_until + dt.timedelta(seconds=1))
    assert not aside_folder(again).exists() and not stray.exists()


def _killed(*_given: Any) -> None:
    raise ZeroDivisionError


def test_only_the_newest_checks_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "RUNS_KEPT", 2)
    runs: list[Any] = [checks_run(actor="ada", names=["stray_files"]).pk for _ in range(4)]
    assert list(CheckRun.objects.order_by("pk").values_list("pk", flat=True)) == runs[2:]
