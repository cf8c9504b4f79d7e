"""Who may do what in the console; without the permission nothing changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import serializers
from django.db import transaction
from django.test import Client
from django.urls import resolve, reverse

from migrations_ops.console.urls import urlpatterns
from migrations_ops.models import (
    Checkpoint,
    CheckRun,
    CleanupRecord,
    Finding,
    Move,
    Plan,
    Run,
    RunEvent,
    RunState,
    StepRecord,
)
from tests.migrations_ops.console_builders import a_checkpoint, a_move, a_plan, a_run, a_staff_member

pytestmark = pytest.mark.django_db

JSON = {"HTTP_ACCEPT": "application/json"}


def on_run(action: str, state: str) -> Callable[[], str]:
    return lambda: reverse("console:run_action", args=[a_run(state=state).pk, action])


def on_plan(name: str) -> Callable[[], str]:
    return lambda: reverse(f"console:{name}", args=[a_plan().pk])


def on_checkpoint(name: str) -> Callable[[], str]:
    return lambda: reverse(f"console:{name}", args=[a_checkpoint().pk])


def on_restore_plan() -> str:
    return reverse("console:plan_start", args=[a_plan(kind="restore", options={"checkpoint": "1" * 32}).pk])


def on_step() -> str:
    return reverse("console:run_skip", args=[a_run(state=RunState.FAILED).pk, "mvp2/detect-patterns"])


def on_move(name: str) -> Callable[[], str]:
    return lambda: reverse(f"console:{name}", args=[a_move().run_id])


def on_move_plan(name: str) -> Callable[[], str]:
    return lambda: reverse(f"console:{name}", args=[a_move().plan_id])


def on_cleanup() -> str:
    record = CleanupRecord.objects.create(name="remove_unused", title="Remove unused", state="done", created_by="ada")
    return reverse("console:cleanup_undo", args=[record.pk])


ACTIONS: dict[str, tuple[Callable[[], str], tuple[str, ...]]] = {
    "plan": (lambda: reverse("console:plan_new"), ("create_plan",)),
    "check": (on_plan("plan_check"), ("check_plan",)),
    "rehearse": (on_plan("plan_rehearse"), ("rehearse_plan",)),
    "start": (on_plan("plan_start"), ("start_run",)),
    "start of a restore": (on_restore_plan, ("start_run", "restore_checkpoint")),
    "pause": (on_run("pause", RunState.RUNNING), ("pause_run",)),
    "resume": (on_run("resume", RunState.PAUSED), ("resume_run",)),
    "cancel": (on_run("cancel", RunState.RUNNING), ("cancel_run",)),
    "retry": (on_run("retry", RunState.FAILED), ("retry_run",)),
    "force stop": (on_run("force_stop", RunState.RUNNING), ("force_stop_run",)),
    "roll back": (on_run("roll_back", RunState.FAILED), ("roll_back_run",)),
    "skip": (on_step, ("skip_step",)),
    "checkpoint": (lambda: reverse("console:checkpoint_new"), ("create_checkpoint",)),
    "verify": (on_checkpoint("checkpoint_verify"), ("verify_checkpoint",)),
    "protect": (on_checkpoint("checkpoint_protect"), ("delete_checkpoint",)),
    "unprotect": (on_checkpoint("checkpoint_unprotect"), ("delete_checkpoint",)),
    "delete": (on_checkpoint("checkpoint_delete"), ("delete_checkpoint",)),
    "trim": (lambda: reverse("console:checkpoints_trim"), ("delete_checkpoint",)),
    "restore": (on_checkpoint("checkpoint_restore"), ("restore_checkpoint",)),
    "plan of a move": (lambda: reverse("console:move_new"), ("move_database",)),
    "go of a move": (on_move("move_go"), ("go_move",)),
    "speed of a move": (on_move("move_speed"), ("speed_move",)),
    "hours of a move": (on_move("move_hours"), ("speed_move",)),
    "repair for a move": (on_move_plan("plan_repair"), ("repair_move",)),
    "end of the way back": (on_move("move_close"), ("close_return_path",)),
    "checks of the data": (lambda: reverse("console:checks_ask"), ("run_checks",)),
    "cleanup": (lambda: reverse("console:cleanup_start", args=["remove_unused"]), ("run_cleanup",)),
    "undo of a cleanup": (on_cleanup, ("undo_cleanup",)),
}
EVERY_PERMISSION = {permission for _, permissions in ACTIONS.values() for permission in permissions}
#: What would make each action go through, if only the permission were there.
FORM = {"to_level": "2", "confirmation": "MVP2", "reason": "Because", "label": "A label"}


def everything() -> str:
    """Every row of the engine, as text."""
    rows = [
        row
        for model in (Plan, Finding, Run, StepRecord, RunEvent, Checkpoint, Move, CheckRun, CleanupRecord)
        for row in model.objects.all()
    ]
    return serializers.serialize("json", rows)


def test_every_address_that_takes_a_post_is_an_action_here(client: Client) -> None:
    client.force_login(a_staff_member())
    some = {"int": 1, "uuid": "1" * 8 + "-1111-1111-1111-" + "1" * 12, "slug": "some", "path": "some"}
    named = {
        str(pattern.name): reverse(
            f"console:{pattern.name}", args=[some[kind] for kind in re.findall(r"<(\w+):", str(pattern.pattern))]
        )
        for pattern in urlpatterns
    }
    taking = {name for name, url in named.items() if client.post(url).status_code != 405}
    assert taking == {url_name(build) for build, _ in ACTIONS.values()}


def url_name(build: Callable[[], str]) -> str | None:
    """Of the address; what was made for it is gone again, as only one run may hold a site."""
    with transaction.atomic():
        found = resolve(build()).url_name
        transaction.set_rollback(True)
    return found


@pytest.mark.parametrize("name", ACTIONS)
def test_without_its_permission_an_action_is_refused_and_changes_nothing(client: Client, name: str) -> None:
    build, permissions = ACTIONS[name]
    url = build()
    for number, missing in enumerate(permissions):
        client.force_login(a_staff_member(*(EVERY_PERMISSION - {missing}), name=f"person{number}"))
        before = everything()

        assert client.post(url, FORM).status_code == 403
        assert client.post(url, FORM, **JSON).json()["error"]["code"] == "permission_denied"
        assert everything() == before


@pytest.mark.parametrize("name", ACTIONS)
def test_a_get_of_an_action_changes_nothing(client: Client, name: str) -> None:
    url = ACTIONS[name][0]()
    client.force_login(a_staff_member(*EVERY_PERMISSION))
    before = everything()

    assert client.get(url, FORM).status_code in {200, 405}
    assert client.head(url, FORM).status_code in {200, 405}
    assert everything() == before


@pytest.mark.parametrize("name", ACTIONS)
def test_a_post_without_the_csrf_token_is_refused(name: str) -> None:
    url = ACTIONS[name][0]()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(a_staff_member(*EVERY_PERMISSION))
    before = everything()

    assert strict.post(url, FORM).status_code == 403
    assert everything() == before


def pages() -> list[str]:
    run, checkpoint = a_run(), a_checkpoint()
    return [
        *(reverse(f"console:{name}") for name in ("home", "plans", "runs", "checkpoints", "workers")),
        reverse("console:plan", args=[run.plan_id]),
        *(reverse(f"console:{name}", args=[run.pk]) for name in ("run", "run_live", "run_journal")),
        reverse("console:checkpoint", args=[checkpoint.pk]),
    ]


def data_pages() -> list[str]:
    run, checkpoint = a_run(), a_checkpoint()
    return [
        reverse("console:status_json"),
        reverse("console:plan_json", args=[run.plan_id]),
        reverse("console:run_json", args=[run.pk]),
        reverse("console:checkpoint_json", args=[checkpoint.pk]),
    ]


def test_pages_ask_strangers_to_log_in_and_refuse_people_who_are_not_staff(client: Client) -> None:
    urls = pages()
    for url in urls:
        response: Any = client.get(url)
        assert (response.status_code, response.url) == (302, f"/login/?next={url}")
    client.force_login(a_staff_member(*EVERY_PERMISSION, is_staff=False))
    assert {client.get(url).status_code for url in urls} == {403}
    client.force_login(a_staff_member(name="bob"))
    assert {client.get(url).status_code for url in urls} == {200}


def test_json_says_in_its_one_shape_who_may_not_see_it(client: Client) -> None:
    urls = data_pages()
    for url in urls:
        response = client.get(url)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "login_required")
    client.force_login(a_staff_member(is_staff=False))
    assert {client.get(url).json()["error"]["code"] for url in urls} == {"permission_denied"}
    client.force_login(a_staff_member(name="bob"))
    assert {client.get(url).status_code for url in urls} == {200}


def test_a_checkpoint_is_downloaded_only_with_the_permission(client: Client) -> None:
    url = reverse("console:checkpoint_download", args=[a_checkpoint().pk])
    client.force_login(a_staff_member(*(EVERY_PERMISSION - {"download_checkpoint"})))

    assert client.get(url).status_code == 403


def test_buttons_are_there_only_for_what_is_legal_and_permitted(client: Client) -> None:
    run = a_run(state=RunState.RUNNING)
    client.force_login(a_staff_member("pause_run", "resume_run"))

    html = client.get(reverse("console:run", args=[run.pk])).content.decode()

    assert 'id="act-pause"' in html
    assert 'id="act-resume"' not in html  # permitted, not legal
    assert 'id="act-cancel"' not in html  # legal, not permitted


def test_plan_and_checkpoint_show_no_button_to_those_who_only_look(client: Client) -> None:
    plan, checkpoint = a_plan(), a_checkpoint()
    client.force_login(a_staff_member())

    for url in (reverse("console:plan", args=[plan.pk]), reverse("console:checkpoint", args=[checkpoint.pk])):
        html = client.get(url).content.decode().split("<main")[1].split("</main>")[0]
        assert "<button" not in html and 'class="btn' not in html
