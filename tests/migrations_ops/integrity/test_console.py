"""Health, checks and cleanups in the console."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from knowledge.models import Tag
from migrations_ops.integrity.checking import checks_asked, checks_run
from migrations_ops.models import CheckResult, CheckRun, CleanupRecord, CleanupState, Run, RunState
from migrations_ops.queue import WorkerStatus
from migrations_ops.runner import run_inline
from tests.migrations_ops.console_builders import a_staff_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(a_staff_member("run_checks", "run_cleanup", "undo_cleanup"))
    return client


def unused_tag() -> Tag:
    return Tag.objects.create(name="nobody-has-it", created_at=timezone.now() - dt.timedelta(days=9))


def page(client: Client, name: str, *args: object, status: int = 200) -> str:
    response = client.get(reverse(f"console:{name}", args=args))
    assert response.status_code == status
    return response.content.decode()


def test_the_health_page_says_what_to_do_and_its_json_the_same(operator: Client) -> None:
    shown = page(operator, "health")
    assert "Start one: `python -m kbsite.worker`" in shown
    facts = json.loads(page(operator, "health_json"))
    parts = {part["name"]: part["tone"] for part in facts["parts"]}
    assert facts["tone"] == "fail"
    assert parts["worker"] == "fail" and parts["database"] == "ok"
    assert {"disk", "queue", "checkpoint", "integrity", "plugins", "search"} <= parts.keys()


def test_checks_are_shown_with_examples_and_their_repair(operator: Client, settings: Any, tmp_path: Path) -> None:
    settings.TRANSFER_DIR = tmp_path  # where other tests have left nothing
    assert "Nothing has been checked yet" in page(operator, "checks")
    unused_tag()
    checks_run(actor="ada")
    shown = page(operator, "checks")
    assert "1 check found a problem" in shown
    assert "nobody-has-it" in shown
    assert reverse("console:cleanup_start", args=["remove_unused"]) in shown
    assert json.loads(page(operator, "checks_json"))["results"]["unused_labels"]["count"] == 1


def test_one_check_that_is_in_order_does_not_hide_that_another_one_is_not(
    operator: Client, settings: Any, tmp_path: Path
) -> None:
    def tone() -> str:
        parts = json.loads(page(operator, "health_json"))["parts"]
        return str(next(part["tone"] for part in parts if part["name"] == "integrity"))

    settings.TRANSFER_DIR = tmp_path
    assert tone() == "warn"
    checks_run(actor="ada")
    assert tone() == "ok"
    CheckResult.objects.filter(name="broken_references").update(status="error")
    checks_run(actor="ada", names=["stray_files"])
    assert tone() == "fail"


def test_the_worker_is_asked_to_check(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr("migrations_ops.queue.task_add", lambda *args, name: asked.append(args))
    response = operator.post(reverse("console:checks_ask"), {"name": "stray_files"})
    assert response.status_code == 302
    assert asked == [("migrations_ops.integrity.checking.checks_asked", "ada", ["stray_files"])]
    assert operator.post(reverse("console:checks_ask"), {"name": "no-such"}).status_code == 404
    assert checks_asked("ada", ["stray_files"]) == "ok"
    assert CheckRun.objects.get().started_by == "ada"


def test_a_cleanup_is_looked_at_run_and_undone(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = WorkerStatus(name="here:1", state="Idle", age=dt.timedelta(seconds=1))
    monkeypatch.setattr("migrations_ops.queue.workers", lambda: [worker])
    assert "There is nothing to do" in page(operator, "cleanup_start", "remove_unused")
    tag = unused_tag()
    start = reverse("console:cleanup_start", args=["remove_unused"])
    assert "nobody-has-it" in operator.get(start).content.decode()
    assert Tag.objects.filter(pk=tag.pk).exists()

    response = operator.post(start, {"reason": "Spring"})
    run = Run.objects.get()
    assert response["Location"] == reverse("console:run", args=[run.pk])
    assert run_inline(run.pk).state == RunState.SUCCEEDED
    assert not Tag.objects.filter(pk=tag.pk).exists()
    record = CleanupRecord.objects.get()
    shown = page(operator, "cleanup", record.pk)
    assert record.sha256 in shown and "Spring" in shown
    assert "Remove unused tags and codes" in page(operator, "cleanups")

    undo = reverse("console:cleanup_undo", args=[record.pk])
    assert operator.post(undo, {"confirmation": "no"}).status_code == 422
    operator.post(undo, {"confirmation": f"ROLL BACK {run.pk}"})
    assert run_inline(run.pk).state == RunState.ROLLED_BACK
    assert Tag.objects.filter(pk=tag.pk).exists()
    record.refresh_from_db()
    assert record.state == CleanupState.UNDONE
    assert "Not possible now" in page(operator, "cleanup_undo", record.pk)


def test_a_destructive_cleanup_wants_its_name_typed_and_options_within_bounds(operator: Client) -> None:
    start = reverse("console:cleanup_start", args=["trim_searches"])
    assert operator.post(f"{start}?days=90", {"confirmation": ""}).status_code == 422
    assert operator.get(f"{start}?days=0").status_code == 422
    assert page(operator, "cleanup_start", "no-such", status=404)
    assert page(operator, "cleanup", 4711, status=404)
    assert not CleanupRecord.objects.exists()


@pytest.mark.parametrize("name", ["checks_ask", "cleanup_start", "cleanup_undo"])
def test_without_the_permission_nothing_happens(client: Client, name: str) -> None:
    client.force_login(a_staff_member())
    record = CleanupRecord.objects.create(name="remove_unused", title="x", state="done", created_by="ada")
    args = {"checks_ask": [], "cleanup_start": ["remove_unused"], "cleanup_undo": [record.pk]}[name]
    assert client.post(reverse(f"console:{name}", args=args)).status_code == 403
    client.logout()
    assert client.get(reverse("console:health")).status_code == 302
