"""Checkpoints: written whole or not at all, proven, restored, cleared away."""

from __future__ import annotations

import datetime as dt
import errno
import json
import uuid
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import models

from knowledge.models import Entry, Setting, Tag
from migrations_ops import archive
from migrations_ops.archive import line_of, tables_manifest, value_of
from migrations_ops.checkpoints import (
    checkpoint_create,
    checkpoint_delete,
    checkpoint_get,
    checkpoint_path,
    checkpoint_protect,
    checkpoint_verify,
    checkpoints_trim,
    tables_open,
)
from migrations_ops.errors import (
    CheckpointCorruptError,
    CheckpointMissingError,
    CheckpointNotFoundError,
    CheckpointProtectedError,
    CheckpointUnfitError,
)
from migrations_ops.gate import site_level
from migrations_ops.models import Checkpoint, CheckpointState, RunState
from migrations_ops.planning import restore_plan_create
from migrations_ops.runner import run_inline
from migrations_ops.runs import confirmation_expected, run_enqueue
from migrations_ops.steps import checkpoint as checkpoint_step
from tests.engine.builders import entry_made, run_back, run_queued, run_up, searches_made

pytestmark = pytest.mark.usefixtures("closed_site")


def made(label: str = "test") -> Checkpoint:
    return checkpoint_create(label=label, actor="ada")


def restore(checkpoint: Checkpoint) -> Any:
    plan = restore_plan_create(checkpoint_id=str(checkpoint.pk), actor="ada", inline=True)
    return run_inline(run_enqueue(plan=plan, actor="ada", confirmation=confirmation_expected(plan)).pk)


def test_a_restore_gives_back_what_was_deleted_and_what_was_changed() -> None:
    kept, gone = entry_made(title="kept"), entry_made(title="gone")
    gone.tags.add(Tag.objects.create(name="abend"))
    Setting.objects.create(key="a", value={"nested": [1, None, 1.5]})
    before = tables_manifest(tables_open(1))
    checkpoint = made()
    gone.delete()
    Entry.objects.filter(pk=kept.pk).update(title="changed")
    Setting.objects.all().delete()
    Tag.objects.create(name="newer")

    run = restore(checkpoint)

    assert run.state == RunState.SUCCEEDED, run.error
    assert tables_manifest(tables_open(1)) == before
    assert Checkpoint.objects.get(pk=checkpoint.pk).restored_at


def test_new_rows_get_new_keys_after_a_restore() -> None:
    Tag.objects.create(name="one")
    checkpoint = made()
    restore(checkpoint)

    Tag.objects.create(name="two")

    assert Tag.objects.count() == 2


def test_a_restore_moves_the_level_too_and_its_rollback_brings_it_back() -> None:
    entry_made(usage_count=1)
    low = made()
    searches_made(12)
    run_up()

    run = restore(low)

    assert run.state == RunState.SUCCEEDED, run.error
    assert site_level() == 1
    run = run_back(run)
    assert run.state == RunState.ROLLED_BACK, run.error
    assert site_level() == 2
    from knowledge.phases.mvp2_analytics.models import SearchAnalytics

    assert SearchAnalytics.objects.count() == 12


def test_a_restore_leaves_accounts_alone_and_closes_those_that_it_must_make() -> None:
    user_model = get_user_model()
    author = user_model.objects.create_user("grace", password="secret-words-here")
    entry = entry_made(created_by=author)
    checkpoint = made()
    author.delete()
    other = user_model.objects.create_user("later", password="other-words-here")

    restore(checkpoint)

    entry.refresh_from_db()
    assert entry.created_by.username == "grace"
    assert not entry.created_by.is_active and not entry.created_by.has_usable_password()
    other.refresh_from_db()
    assert other.check_password("other-words-here")


def test_what_is_written_while_a_restore_runs_is_kept_and_its_rollback_gives_it_back(monkeypatch: Any) -> None:
    Tag.objects.create(name="before")
    checkpoint = made()
    verify = checkpoint_step.checkpoint_verify

    def verify_and_write(**options: Any) -> Any:
        verified = verify(**options)
        Tag.objects.create(name="confirmed to somebody")
        return verified

    monkeypatch.setattr(checkpoint_step, "checkpoint_verify", verify_and_write)
    run = restore(checkpoint)
    monkeypatch.undo()
    assert run.state == RunState.SUCCEEDED, run.error
    assert list(Tag.objects.values_list("name", flat=True)) == ["before"]
    Tag.objects.create(name="after the restore")

    run = run_back(run)

    assert run.state == RunState.ROLLED_BACK, run.error
    assert set(Tag.objects.values_list("name", flat=True)) == {"before", "confirmed to somebody"}
    kept = Checkpoint.objects.filter(label__startswith="At the moment of the restore").order_by("created_at")
    assert [checkpoint.manifest["tables"]["kb_tags"]["rows"] for checkpoint in kept] == [2, 2]


def test_a_restore_makes_only_accounts_that_rows_need_and_finds_each_a_free_name() -> None:
    user_model = get_user_model()
    author, unrelated = user_model.objects.create_user("grace"), user_model.objects.create_user("unrelated")
    entry = entry_made(created_by=author)
    checkpoint = made()
    gone = author.pk
    author.delete()
    unrelated.delete()
    user_model.objects.create_user("grace")
    user_model.objects.create_user(f"grace-{gone}")

    run = restore(checkpoint)

    assert run.state == RunState.SUCCEEDED, run.error
    entry.refresh_from_db()
    assert (entry.created_by.pk, entry.created_by.username) == (gone, f"grace-{gone}-2")
    assert not user_model.objects.filter(username="unrelated").exists()


def test_a_restore_sets_the_schedules_of_the_plugins_that_it_enables_and_takes_away_the_others() -> None:
    from migrations_ops.queue import scheduled_tasks

    low = made()
    up = run_up()
    high = made()
    scheduled = {task.name for task in scheduled_tasks()}
    run_back(up)
    assert {task.name for task in scheduled_tasks()} < scheduled

    assert restore(high).state == RunState.SUCCEEDED
    assert {task.name for task in scheduled_tasks()} == scheduled
    assert restore(low).state == RunState.SUCCEEDED
    assert {task.name for task in scheduled_tasks()} < scheduled


def test_retention_leaves_what_the_rollback_of_a_restore_needs() -> None:
    Tag.objects.create(name="one")
    checkpoint = made()
    Tag.objects.create(name="two")
    run = restore(checkpoint)

    checkpoints_trim(keep=0, actor="ada")

    run = run_back(run)
    assert run.state == RunState.ROLLED_BACK, run.error
    assert Tag.objects.count() == 2


def test_a_checkpoint_that_a_run_is_about_to_restore_is_neither_deleted_nor_trimmed() -> None:
    checkpoint = made()
    plan = restore_plan_create(checkpoint_id=str(checkpoint.pk), actor="ada", inline=True)
    run = run_enqueue(plan=plan, actor="ada", confirmation=confirmation_expected(plan))

    assert checkpoints_trim(keep=0, actor="ada") == []
    with pytest.raises(CheckpointProtectedError, match=f"run {run.pk}"):
        checkpoint_delete(checkpoint=checkpoint, actor="ada")


def test_an_archive_holds_no_password(closed_site: Path) -> None:
    get_user_model().objects.create_user("grace", email="grace@example.org", password="secret-words-here")

    path = checkpoint_path(made())

    with zipfile.ZipFile(path) as file:
        text = b"".join(file.read(name) for name in file.namelist())
    assert b"grace" in text and b"md5" not in text and b"pbkdf2" not in text and b"example.org" not in text
    assert path.stat().st_mode & 0o077 == 0


def test_a_manifest_says_what_was_set_and_what_was_switched_on() -> None:
    Setting.objects.create(key="home.greeting", value="hello")
    run_up()

    manifest = made().manifest

    assert manifest["level"] == 2 and manifest["migrations"]["analytics"] == ["0001_initial"]
    assert manifest["settings"] == {"home.greeting": "hello"}
    assert manifest["plugins"]["analytics"]["enabled"] is True
    assert manifest["tables"]["kb_settings"]["rows"] == 1 and len(manifest["tables"]["kb_settings"]["sha256"]) == 64


def test_api_tokens_are_in_no_archive_and_a_restore_leaves_them_alone() -> None:
    from knowledge.models import ApiToken

    user = get_user_model().objects.create_user("ada")
    revoked = ApiToken.objects.create(name="old", digest="a" * 64, user=user)
    checkpoint = made()
    revoked.delete()
    ApiToken.objects.create(name="new", digest="b" * 64, user=user)

    assert restore(checkpoint).state == RunState.SUCCEEDED

    assert "kb_api_tokens" not in checkpoint.manifest["tables"]
    assert [token.name for token in ApiToken.objects.all()] == ["new"]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


def test_one_changed_byte_is_found_and_nothing_is_restored() -> None:
    entry = entry_made(title="before")
    checkpoint = made()
    Entry.objects.filter(pk=entry.pk).update(title="after")
    flip(checkpoint_path(checkpoint), 60)

    with pytest.raises(CheckpointCorruptError, match="Nothing was changed; choose another"):
        checkpoint_verify(checkpoint=checkpoint)
    run = restore(checkpoint)

    assert run.state == RunState.FAILED and "is damaged" in run.error
    assert Entry.objects.get(pk=entry.pk).title == "after"
    checkpoint.refresh_from_db()
    assert checkpoint.state == CheckpointState.CORRUPT


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_cut_off_file_is_found(size: int) -> None:
    entry_made()
    checkpoint = made()
    path = checkpoint_path(checkpoint)
    path.write_bytes(path.read_bytes()[:size])

    with pytest.raises(CheckpointCorruptError):
        archive.archive_verify(path)


def test_rows_that_do_not_fit_the_manifest_are_found(tmp_path: Path) -> None:
    entry_made()
    source = checkpoint_path(made())
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b"S0C7", b"S0C4") if name == "tables/kb_entries.jsonl" else data)

    with pytest.raises(CheckpointCorruptError, match="kb_entries: same number of rows, other content"):
        archive.archive_verify(forged)


def test_a_missing_file_is_named() -> None:
    checkpoint = made()
    checkpoint_path(checkpoint).unlink()

    with pytest.raises(CheckpointMissingError, match=checkpoint.file_name):
        checkpoint_verify(checkpoint=checkpoint)


def test_a_full_disk_fails_the_run_and_leaves_no_unfinished_file(closed_site: Path, monkeypatch: Any) -> None:
    run = run_queued()

    def full(*args: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    run = run_inline(run.pk)
    monkeypatch.undo()

    assert run.state == RunState.FAILED and "lack of disk space" in run.error
    assert list((closed_site / "checkpoints").iterdir()) == []
    assert not Checkpoint.objects.exists()
    assert site_level() == 1
    assert "DiskFullError" in run.steps.get(state="failed").error


def test_parked_rows_are_not_restored_by_hand() -> None:
    run_back(run_up())
    parked = Checkpoint.objects.get(kind="parked")

    with pytest.raises(CheckpointUnfitError, match="come back when that level is opened again"):
        restore_plan_create(checkpoint_id=str(parked.pk), actor="ada")


def test_a_checkpoint_of_a_newer_release_is_refused() -> None:
    checkpoint = made()
    checkpoint.manifest["tables"]["kb_tags"]["columns"].append("colour")
    checkpoint.save()

    with pytest.raises(CheckpointUnfitError, match=r"no kb_tags\.colour"):
        restore_plan_create(checkpoint_id=str(checkpoint.pk), actor="ada")


def test_a_checkpoint_is_found_by_the_start_of_its_id() -> None:
    checkpoint = made()

    assert checkpoint_get(str(checkpoint.pk)[:8]) == checkpoint
    with pytest.raises(CheckpointNotFoundError):
        checkpoint_get("ffffffff-ffff")
    with pytest.raises(CheckpointNotFoundError):
        checkpoint_get("")


def test_a_deleted_checkpoint_keeps_its_record_and_loses_its_file() -> None:
    checkpoint = made()

    checkpoint_delete(checkpoint=checkpoint, actor="ada")

    assert not checkpoint_path(checkpoint).exists()
    assert Checkpoint.objects.get(pk=checkpoint.pk).state == CheckpointState.DELETED


def test_the_checkpoint_of_an_unfinished_run_cannot_be_deleted() -> None:
    run = run_queued()
    checkpoint = checkpoint_create(label="of the run", actor="ada", run=run)

    with pytest.raises(CheckpointProtectedError, match=f"run {run.pk}, which is not finished"):
        checkpoint_delete(checkpoint=checkpoint, actor="ada")

    assert checkpoint_path(checkpoint).exists()


def test_retention_keeps_the_newest_and_the_protected_ones() -> None:
    oldest, middle, newest = made("1"), made("2"), made("3")
    for age, checkpoint in enumerate([newest, middle, oldest]):
        Checkpoint.objects.filter(pk=checkpoint.pk).update(created_at=checkpoint.created_at - dt.timedelta(days=age))
    checkpoint_protect(checkpoint=oldest, protected=True, actor="ada")

    assert [row.pk for row in checkpoints_trim(keep=1, actor="ada")] == [middle.pk]

    assert checkpoint_path(oldest).exists() and checkpoint_path(newest).exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (models.TextField(), 'a "quote", a \\ and a line\nbreak, é, 漢, 🙂, \u2028'),
        (models.IntegerField(), -7),
        (models.FloatField(), 0.1 + 0.2),
        (models.FloatField(), 1e-300),
        (models.DecimalField(max_digits=9, decimal_places=2), Decimal("1.50")),
        (models.UUIDField(), uuid.UUID(int=5)),
        (models.DateTimeField(), dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)),
        (models.DateField(), dt.date(2026, 1, 2)),
        (models.BooleanField(), True),
        (models.BinaryField(), b"\x00\xff"),
        (models.JSONField(), {"b": [1, 1.5, None, "x"], "a": {}}),
        (models.TextField(null=True), None),
    ],
)
def test_a_value_comes_back_from_a_line_as_it_was(field: Any, value: Any) -> None:
    plain = json.loads(line_of([value]))[0]

    assert value_of(field, plain) == value


def test_a_date_that_json_does_not_know_is_refused_and_not_guessed() -> None:
    with pytest.raises(TypeError, match="has no form in an archive"):
        line_of([object()])
