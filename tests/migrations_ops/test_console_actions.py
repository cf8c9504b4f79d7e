"""Plans and runs through the console: what is asked, what is refused, what is done."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from migrations_ops.console.views import home as home_views
from migrations_ops.models import Intent, Plan, PlanKind, Run, RunEvent, RunState, StepState
from tests.migrations_ops.console_builders import a_failed_finding, a_plan, a_run

pytestmark = pytest.mark.django_db

JSON = {"HTTP_ACCEPT": "application/json"}


def act(client: Client, run: Run, action: str, **form: str) -> Any:
    return client.post(reverse("console:run_action", args=[run.pk, action]), form)


def act_json(client: Client, run: Run, action: str, **form: str) -> Any:
    return client.post(reverse("console:run_action", args=[run.pk, action]), form, **JSON)  # type: ignore[arg-type]


def test_a_plan_is_made_and_leads_to_its_page(admin_client: Client) -> None:
    response: Any = admin_client.post(reverse("console:plan_new"), {"to_level": "2"})

    plan = Plan.objects.get()
    assert response.url == reverse("console:plan", args=[plan.pk])
    assert plan.created_by == "admin"
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("level", "code", "status"),
    [
        ("9", "level_unknown", 422),
        ("1", "already_at_level", 409),
        ("0", "level_unknown", 422),
        ("-1", "input_invalid", 422),
        ("two", "input_invalid", 422),
        ("", "input_invalid", 422),
        ("9" * 400, "input_invalid", 422),
    ],
)
def test_a_plan_to_nowhere_is_refused_with_a_message(admin_client: Client, level: str, code: str, status: int) -> None:
    url = reverse("console:plan_new")

    page = admin_client.post(url, {"to_level": level})
    data = admin_client.post(url, {"to_level": level}, **JSON)  # type: ignore[arg-type]

    assert (page.status_code, data.status_code) == (status, status)
    assert code in page.content.decode()
    assert data.json()["error"]["code"] == code
    assert data.json()["error"]["message"]
    assert not Plan.objects.exists()


def test_a_plan_downwards_is_refused(admin_client: Client, level_2: None) -> None:
    response = admin_client.post(reverse("console:plan_new"), {"to_level": "1"}, **JSON)  # type: ignore[arg-type]

    assert (response.status_code, response.json()["error"]["code"]) == (409, "downward_plan")


def test_the_plan_page_shows_steps_risks_checks_and_the_way_back(admin_client: Client) -> None:
    plan = a_plan()

    html = admin_client.get(reverse("console:plan", args=[plan.pk])).content.decode()

    for step in plan.document["steps"]:
        assert step["title"] in html
    for risk in plan.assessment["risks"]:
        assert risk["fact"].split("'")[0] in html
    assert "database_integrity" in html
    assert "schema-drop" in html
    assert "What a rollback takes away" in html


def test_checks_are_repeated_on_request(admin_client: Client) -> None:
    plan = a_plan()
    a_failed_finding(plan)

    response = admin_client.post(reverse("console:plan_check", args=[plan.pk]), **JSON)  # type: ignore[arg-type]

    assert response.json()["ready"] is True
    assert RunEvent.objects.filter(plan=plan, action="check", actor="admin").exists()


def test_a_failed_check_disables_the_start_and_says_why(admin_client: Client) -> None:
    plan = a_plan()
    a_failed_finding(plan)

    html = admin_client.get(reverse("console:plan", args=[plan.pk])).content.decode()

    assert "Failed: Disk space" in html
    assert reverse("console:plan_start", args=[plan.pk]) not in html


def test_an_outdated_plan_says_so_offers_a_new_one_and_cannot_start(admin_client: Client) -> None:
    plan = a_plan(fingerprint="of another time")

    page = admin_client.get(reverse("console:plan", args=[plan.pk])).content.decode()
    start = admin_client.get(reverse("console:plan_start", args=[plan.pk])).content.decode()
    posted = admin_client.post(reverse("console:plan_start", args=[plan.pk]), {"confirmation": "MVP2"})

    assert "was made for another state of the site" in page and "Create a new plan" in page
    assert "Not possible now" in start and '<form class="card' not in start
    assert posted.status_code == 409 and "plan_outdated" in posted.content.decode()
    assert not Run.objects.exists()


def test_a_start_asks_for_the_level_and_shows_what_will_happen(admin_client: Client) -> None:
    plan = a_plan()
    url = reverse("console:plan_start", args=[plan.pk])

    asked = admin_client.get(url).content.decode()
    wrong = admin_client.post(url, {"confirmation": "mvp 2", "reason": "Quiet hour"})

    assert "A checkpoint of the whole site is made before anything changes." in asked
    assert wrong.status_code == 422
    html = wrong.content.decode()
    assert "The confirmation does not match. Type exactly: MVP2" in html
    assert 'value="Quiet hour"' in html
    assert not Run.objects.exists()


def test_a_confirmed_start_queues_the_run_with_its_reason(admin_client: Client) -> None:
    plan = a_plan()

    response: Any = admin_client.post(
        reverse("console:plan_start", args=[plan.pk]), {"confirmation": "MVP2", "reason": "Quiet hour"}
    )

    run = Run.objects.get()
    assert response.url == reverse("console:run", args=[run.pk])
    assert (run.state, run.started_by) == (RunState.QUEUED, "admin")
    assert RunEvent.objects.get(run=run, action="start").reason == "Quiet hour"


def test_a_second_start_is_refused_while_a_run_holds_the_site(admin_client: Client) -> None:
    run = a_run(state=RunState.PAUSED)

    response = admin_client.post(
        reverse("console:plan_start", args=[run.plan_id]),
        {"confirmation": "MVP2"},
        **JSON,  # type: ignore[arg-type]
    )

    assert (response.status_code, response.json()["error"]["code"]) == (409, "run_active")
    assert Run.objects.count() == 1


@pytest.mark.parametrize("action", ["cancel", "force_stop", "roll_back"])
def test_what_needs_a_reason_is_refused_without_one(admin_client: Client, action: str) -> None:
    run = a_run(state=RunState.RUNNING)
    typed = {"roll_back": f"ROLL BACK {run.pk}", "force_stop": f"FORCE STOP {run.pk}"}.get(action, "")

    page = act(admin_client, run, action, confirmation=typed, reason="  ")
    data = act_json(admin_client, run, action, confirmation=typed)

    assert page.status_code == 422 and "Say why" in page.content.decode()
    assert (data.status_code, data.json()["error"]["code"]) == (422, "reason_missing")
    run.refresh_from_db()
    assert (run.state, run.intent) == (RunState.RUNNING, Intent.NONE)


@pytest.mark.parametrize("action", ["force_stop", "roll_back"])
def test_what_is_dangerous_is_refused_with_a_wrong_confirmation(admin_client: Client, action: str) -> None:
    run = a_run(state=RunState.RUNNING)

    response = act_json(admin_client, run, action, confirmation="yes", reason="Because")

    assert (response.status_code, response.json()["error"]["code"]) == (422, "confirmation_mismatch")
    run.refresh_from_db()
    assert (run.state, run.intent) == (RunState.RUNNING, Intent.NONE)


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("pause", RunState.QUEUED, RunState.PAUSED),
        ("cancel", RunState.PAUSED, RunState.CANCELLED),
        ("resume", RunState.PAUSED, RunState.QUEUED),
        ("retry", RunState.FAILED, RunState.QUEUED),
        ("force_stop", RunState.RUNNING, RunState.PAUSED),
        ("roll_back", RunState.FAILED, RunState.ROLLING_BACK),
    ],
)
def test_an_action_changes_the_run_and_the_journal_keeps_who_and_why(
    admin_client: Client, action: str, before: str, after: str
) -> None:
    run = a_run(state=before)
    typed = {"roll_back": f"ROLL BACK {run.pk}", "force_stop": f"FORCE STOP {run.pk}"}.get(action, "")

    response = act(admin_client, run, action, confirmation=typed, reason="Because")

    assert response.status_code == 302 and response.url == reverse("console:run", args=[run.pk])
    run.refresh_from_db()
    assert run.state == after
    line = RunEvent.objects.filter(run=run, actor="admin").get()
    assert line.reason == "Because"


def test_an_action_answers_json_with_what_is_allowed_next(admin_client: Client) -> None:
    report = act_json(admin_client, a_run(state=RunState.PAUSED), "resume").json()

    assert report["state"] == RunState.QUEUED
    assert report["allowed_actions"] == report["actions"] == ["pause", "cancel", "roll_back"]


@pytest.mark.parametrize("action", ["pause", "resume", "cancel", "retry", "force_stop", "roll_back"])
def test_an_action_that_is_not_legal_says_so(admin_client: Client, action: str) -> None:
    run = a_run(state=RunState.ROLLED_BACK)
    typed = {"roll_back": f"ROLL BACK {run.pk}", "force_stop": f"FORCE STOP {run.pk}"}.get(action, "")

    asked = admin_client.get(reverse("console:run_action", args=[run.pk, action])).content.decode()
    page = act(admin_client, run, action, confirmation=typed, reason="Because")
    data = act_json(admin_client, run, action, confirmation=typed, reason="Because")

    assert f"Run {run.pk} is rolled back; this is not possible now." in asked
    assert page.status_code == 409 and f"Run {run.pk} is rolled back" in page.content.decode()
    assert (data.status_code, data.json()["error"]["code"]) == (409, "run_state")
    run.refresh_from_db()
    assert run.state == RunState.ROLLED_BACK


def test_an_unknown_action_is_not_found(admin_client: Client) -> None:
    response = act_json(admin_client, a_run(), "explode")

    assert (response.status_code, response.json()["error"]["code"]) == (404, "action_unknown")


def test_a_step_that_is_not_critical_is_skipped_with_a_reason(admin_client: Client) -> None:
    run = a_run(state=RunState.FAILED, done=8)
    record = run.steps.get(position=8)
    assert not record.critical
    url = reverse("console:run_skip", args=[run.pk, record.name])

    assert record.title in admin_client.get(url).content.decode()
    assert admin_client.post(url).status_code == 422
    assert admin_client.post(url, {"reason": "Not needed today"}).status_code == 302
    record.refresh_from_db()
    assert record.state == StepState.SKIPPED


def test_a_critical_step_cannot_be_skipped(admin_client: Client) -> None:
    run = a_run(state=RunState.FAILED)
    url = reverse("console:run_skip", args=[run.pk, run.steps.get(position=3).name])

    response = admin_client.post(url, {"reason": "Hurry"}, **JSON)  # type: ignore[arg-type]

    assert (response.status_code, response.json()["error"]["code"]) == (409, "step_critical")
    assert admin_client.post(reverse("console:run_skip", args=[run.pk, "no/such"]), {"reason": "x"}).status_code == 409


@pytest.mark.parametrize("name", ["plan", "run", "plan_json", "run_json", "plan_start", "run_live", "run_journal"])
def test_what_does_not_exist_is_not_found_in_the_one_shape(admin_client: Client, name: str) -> None:
    response = admin_client.get(reverse(f"console:{name}", args=[999]), **JSON)  # type: ignore[arg-type]

    assert response.status_code == 404
    assert response.json()["error"]["code"] in {"plan_not_found", "run_not_found"}


def test_a_rehearsal_is_refused_with_its_reason_when_nobody_works(admin_client: Client) -> None:
    response = admin_client.post(reverse("console:plan_rehearse", args=[a_plan().pk]), **JSON)  # type: ignore[arg-type]

    assert (response.status_code, response.json()["error"]["code"]) == (409, "plan_blocked")
    assert "No worker has a heartbeat" in response.json()["error"]["message"]
    assert not Run.objects.filter(plan__kind=PlanKind.REHEARSAL).exists()


def test_a_database_that_is_gone_gets_a_page_and_json_that_say_so(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(home_views, "site_level", gone)
    page = admin_client.get(reverse("console:home"))
    data = admin_client.get(reverse("console:home"), **JSON)  # type: ignore[arg-type]

    assert (page.status_code, data.status_code) == (503, 503)
    assert "The database does not answer: connection refused" in page.content.decode()
    assert data.json()["error"]["code"] == "database_gone"
