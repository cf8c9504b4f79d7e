"""Checkpoints through the console, with real files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from migrations_ops.checkpoints import checkpoint_path
from migrations_ops.models import Checkpoint, CheckpointKind, CheckpointState, Plan, PlanKind, Run
from tests.migrations_ops.console_builders import a_checkpoint

pytestmark = pytest.mark.django_db(transaction=True)

JSON = {"HTTP_ACCEPT": "application/json"}


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.OPS_CHECKPOINT_DIR = tmp_path
    return tmp_path


@pytest.fixture
def made(admin_client: Client) -> Checkpoint:
    """A checkpoint with its file, made by the console."""
    response = admin_client.post(reverse("console:checkpoint_new"), {"label": "Before the audit"})
    assert response.status_code == 302
    return Checkpoint.objects.get()


def post(client: Client, name: str, checkpoint: Checkpoint, **form: str) -> Any:
    return client.post(reverse(f"console:{name}", args=[checkpoint.pk]), form)


def post_json(client: Client, name: str, checkpoint: Checkpoint, **form: str) -> Any:
    return client.post(reverse(f"console:{name}", args=[checkpoint.pk]), form, **JSON)  # type: ignore[arg-type]


def test_a_checkpoint_is_made_and_read_back_at_once(admin_client: Client, made: Checkpoint) -> None:
    assert (made.label, made.created_by, made.state) == ("Before the audit", "admin", CheckpointState.COMPLETE)
    assert made.verified_at and checkpoint_path(made).exists()
    html = admin_client.get(reverse("console:checkpoint", args=[made.pk])).content.decode()
    for table, facts in made.manifest["tables"].items():
        assert table in html and facts["sha256"] in html


def test_it_is_downloaded_as_it_is(admin_client: Client, made: Checkpoint) -> None:
    response: Any = admin_client.get(reverse("console:checkpoint_download", args=[made.pk]))

    assert response.streaming
    assert response["Content-Type"] == "application/zip"
    assert re.fullmatch(r'attachment; filename="kb-mvp1-[0-9-]+-[0-9a-f]{8}\.zip"', response["Content-Disposition"])
    assert b"".join(response.streaming_content) == checkpoint_path(made).read_bytes()


def test_a_damaged_file_is_found_by_verify_and_marked(admin_client: Client, made: Checkpoint) -> None:
    path = checkpoint_path(made)
    path.write_bytes(path.read_bytes()[:-40])

    response = post_json(admin_client, "checkpoint_verify", made)

    assert (response.status_code, response.json()["error"]["code"]) == (409, "checkpoint_corrupt")
    html = admin_client.get(reverse("console:checkpoint", args=[made.pk])).content.decode()
    assert "Damaged" in html and "It cannot be restored" in html
    assert "Restore…" not in html


def test_a_file_that_is_gone_is_said_on_the_page_and_in_the_download(admin_client: Client, made: Checkpoint) -> None:
    checkpoint_path(made).unlink()

    page = admin_client.get(reverse("console:checkpoint", args=[made.pk])).content.decode()
    download = admin_client.get(reverse("console:checkpoint_download", args=[made.pk]))

    assert "The file is gone" in page
    assert download.status_code == 404 and "checkpoint_missing" in download.content.decode()


def test_it_is_deleted_only_with_the_typed_confirmation(admin_client: Client, made: Checkpoint) -> None:
    wrong = post_json(admin_client, "checkpoint_delete", made, confirmation="DELETE")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "confirmation_mismatch")
    assert checkpoint_path(made).exists()

    right = post(admin_client, "checkpoint_delete", made, confirmation=f"DELETE {made.pk.hex[:8]}", reason="Too old")

    assert right.status_code == 302
    assert not checkpoint_path(made).exists()
    page = admin_client.get(reverse("console:checkpoint", args=[made.pk])).content.decode()
    assert "Deleted" in page and "Too old" in page and "Restore…" not in page
    assert "Before the audit" not in admin_client.get(reverse("console:checkpoints")).content.decode()
    assert "Before the audit" in admin_client.get(reverse("console:checkpoints") + "?deleted=1").content.decode()
    assert post(admin_client, "checkpoint_verify", made).status_code == 404


def test_protection_keeps_it_out_of_retention_and_the_journal_says_who(admin_client: Client, made: Checkpoint) -> None:
    assert post_json(admin_client, "checkpoint_protect", made).json()["protected"] is True
    assert (
        "Protected: Before the audit"
        in admin_client.get(reverse("console:checkpoint", args=[made.pk])).content.decode()
    )
    assert post_json(admin_client, "checkpoint_unprotect", made).json()["protected"] is False


def test_trimming_shows_what_goes_and_takes_exactly_that(admin_client: Client, settings: Any) -> None:
    settings.OPS_CHECKPOINTS_KEPT = 1
    old, kept, new = (a_checkpoint(label=label) for label in ("Oldest one", "Shielded one", "Newest one"))
    Checkpoint.objects.filter(pk=kept.pk).update(protected=True)
    url = reverse("console:checkpoints_trim")

    preview = admin_client.get(url).content.decode()
    assert "Oldest one" in preview and "Shielded one" not in preview and "Newest one" not in preview
    assert admin_client.post(url, {"confirmation": "yes"}).status_code == 422
    gone = admin_client.post(url, {"confirmation": "TRIM"}, **JSON).json()  # type: ignore[arg-type]

    assert gone == {"deleted": [str(old.pk)]}
    assert set(Checkpoint.objects.filter(state=CheckpointState.COMPLETE)) == {kept, new}
    assert "There is nothing to delete." in admin_client.get(url).content.decode()


def test_a_restore_is_a_plan_first_and_starts_with_its_own_confirmation(admin_client: Client, made: Checkpoint) -> None:
    asked = admin_client.get(reverse("console:checkpoint_restore", args=[made.pk])).content.decode()
    assert "until you start that plan" in asked and 'name="reason"' not in asked

    assert post(admin_client, "checkpoint_restore", made).status_code == 302

    plan = Plan.objects.get(kind=PlanKind.RESTORE)
    start = reverse("console:plan_start", args=[plan.pk])
    assert not Run.objects.exists()
    Plan.objects.update(options={**plan.options, "inline": True})
    assert admin_client.post(start, {"confirmation": "yes"}).status_code == 422
    response = admin_client.post(start, {"confirmation": f"RESTORE {str(made.pk)[:8]}"}, **JSON)  # type: ignore[arg-type]
    assert response.status_code == 201, response.json()
    assert Run.objects.get().plan_id == plan.pk


def test_parked_rows_are_shown_as_such_and_not_offered_for_restore(admin_client: Client) -> None:
    parked = a_checkpoint(kind=CheckpointKind.PARKED, phase_level=2, level=2, label="Rows of MVP2")

    page = admin_client.get(reverse("console:checkpoint", args=[parked.pk])).content.decode()
    refused = post_json(admin_client, "checkpoint_restore", parked)

    assert "Parked rows of MVP2" in page and "Restore…" not in page
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "checkpoint_unfit")
    assert (
        "could not bring them back"
        in admin_client.get(reverse("console:checkpoint_delete", args=[parked.pk])).content.decode()
    )


def test_empty_lists_say_what_to_do(admin_client: Client) -> None:
    assert "No checkpoint yet" in admin_client.get(reverse("console:checkpoints")).content.decode()
    assert "No plan yet" in admin_client.get(reverse("console:plans")).content.decode()
    assert "Nothing has run yet" in admin_client.get(reverse("console:runs")).content.decode()
    assert "No worker is running" in admin_client.get(reverse("console:workers")).content.decode()
