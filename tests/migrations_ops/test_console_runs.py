"""A run's page: what it prints in each state, how it refreshes itself, what it costs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from migrations_ops.console.present.runs import error_line
from migrations_ops.lease import run_claim
from migrations_ops.models import Plan, PlanKind, Run, RunState, StepState
from migrations_ops.runs import actions_legal
from tests.migrations_ops.console_builders import a_plan, a_rehearsal, a_run, journal_lines

pytestmark = pytest.mark.django_db

EVERY_STATE = list(RunState.values)


def page(client: Client, name: str, run: Run, **query: str) -> str:
    response = client.get(reverse(f"console:{name}", args=[run.pk]), query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("state", EVERY_STATE)
def test_the_page_says_the_state_in_its_title_and_what_it_means(admin_client: Client, state: str) -> None:
    run = a_run(state=state)

    html = page(admin_client, "run", run)

    assert f"<title>{run.get_state_display()}: run {run.pk}" in html
    report = admin_client.get(reverse("console:run_json", args=[run.pk])).json()
    assert report["meaning"] in html


@pytest.mark.parametrize("state", EVERY_STATE)
def test_the_page_refreshes_itself_only_while_the_run_moves(admin_client: Client, state: str) -> None:
    moves = state in {RunState.QUEUED, RunState.RUNNING, RunState.PAUSING, RunState.ROLLING_BACK}
    run = a_run(state=state)

    html, fragment = page(admin_client, "run", run), page(admin_client, "run_live", run)

    assert ('hx-trigger="every 2s"' in html) is moves
    assert ('hx-trigger="every 2s"' in fragment) is moves
    assert ('<noscript><meta http-equiv="refresh"' in html) is moves
    assert 'id="act-refresh"' in html


def test_a_change_is_announced_once(admin_client: Client) -> None:
    run = a_run(done=3)
    title = run.steps.get(position=3).title
    said = f"Run {run.pk}: Running, {title}"

    assert said in page(admin_client, "run", run)
    assert "hx-swap-oob" in page(admin_client, "run_live", run, said="Run 1: Queued")
    assert "hx-swap-oob" not in page(admin_client, "run_live", run, said=said)


def test_a_running_step_shows_rows_rate_and_time_left(admin_client: Client) -> None:
    run = a_run(done=6)
    run.steps.filter(position=6).update(rows_done=1_500, rows_total=4_500, busy_seconds=3.0)

    html = page(admin_client, "run", run)
    step = admin_client.get(reverse("console:run_json", args=[run.pk])).json()["steps"][6]

    assert "1,500 of 4,500 rows, 500 rows/s, 6 s left" in html or "6.0 s left" in html
    assert 'value="1500" max="4500"' in html
    assert (step["rows_done"], step["rows_total"], step["rows_per_second"], step["eta_seconds"]) == (1500, 4500, 500, 6)


def test_the_time_left_follows_the_rate_of_the_latest_batches(admin_client: Client) -> None:
    run = a_run(done=6)
    slow_before = {"rows_done": 1_500, "rows_total": 4_500, "busy_seconds": 30.0}
    run.steps.filter(position=6).update(**slow_before, recent_rows=1_000.0, recent_seconds=2.0)

    step = admin_client.get(reverse("console:run_json", args=[run.pk])).json()["steps"][6]

    assert (step["rows_per_second"], step["eta_seconds"]) == (500, 6)


@pytest.mark.parametrize(("before", "left"), [(None, 2.0), (0, 2.2), (1_000_000, 2.0)])
def test_the_time_left_allows_for_rows_that_cost_more_as_their_tables_grow(
    admin_client: Client, before: int | None, left: float
) -> None:
    run = a_run(done=6)
    late = {"recent_rows": 1_000.0, "recent_seconds": 2.0}
    run.steps.filter(position=6).update(rows_done=1_000, rows_total=2_000, rows_before=before, **late)

    step = admin_client.get(reverse("console:run_json", args=[run.pk])).json()["steps"][6]

    assert (step["rows_per_second"], step["eta_seconds"]) == (500, left)


def test_a_failure_is_shown_in_full_and_escaped(admin_client: Client) -> None:
    run = a_run(state=RunState.FAILED, error="too <large>")

    html = page(admin_client, "run", run)

    assert "Traceback, in full\nValueError: too &lt;large&gt;" in html
    assert " open><summary>ValueError: too &lt;large&gt;</summary>" in html
    assert "too <large>" not in html


def test_a_warning_of_a_step_stays_folded(admin_client: Client) -> None:
    run = a_run(done=5)
    run.steps.filter(position=2).update(state=StepState.WARNING, error="Traceback\nIt did not matter")

    html = page(admin_client, "run", run)

    assert "It did not matter" in html and " open><summary>" not in html


def test_the_page_says_what_a_run_waits_for_and_that_nobody_works(admin_client: Client) -> None:
    run = a_run(a_plan(options={}), state=RunState.QUEUED, waiting_for="a worker")
    html = page(admin_client, "run", run)
    assert "It waits for a worker to take it.<" in html  # and does not say so twice
    assert "No worker is running" in html

    Run.objects.filter(pk=run.pk).update(state=RunState.RUNNING, waiting_for="room on the disk")
    assert "Waits for room on the disk." in page(admin_client, "run", run)


def test_a_step_of_a_run_that_rests_is_begun_and_does_not_run(admin_client: Client) -> None:
    html = page(admin_client, "run", a_run(state=RunState.PAUSED))

    assert ">Begun<" in html and ">Running<" not in html


def test_a_rehearsal_is_cancelled_and_not_rolled_back(admin_client: Client) -> None:
    run = a_rehearsal(a_plan())
    Run.objects.filter(pk=run.pk).update(state=RunState.FAILED, active=True)
    run.refresh_from_db()

    assert actions_legal(run) == ["retry", "cancel"]
    said = admin_client.get(reverse("console:run_action", args=[run.pk, "cancel"])).text
    assert "its copy is removed" in said and "rolled back" not in said and "Rehearsal, MVP1 to MVP2" in said


def test_a_silent_worker_is_shown_as_silent(admin_client: Client) -> None:
    run = a_run()
    assert run_claim(run.pk, worker="host:1")
    assert "host:1" in page(admin_client, "run", run)
    assert "The worker is silent" not in page(admin_client, "run", run)

    Run.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=40))

    assert "The worker is silent" in page(admin_client, "run", run)


def test_a_finished_upgrade_links_to_what_it_has_opened(admin_client: Client, level_2: None) -> None:
    Plan.objects.bulk_create([Plan(kind="upgrade", from_level=1, to_level=2, fingerprint="-", created_by="ada")])
    run = Run.objects.create(plan=Plan.objects.get(), state=RunState.SUCCEEDED, active=None, started_by="ada")

    html = page(admin_client, "run", run)

    assert "MVP2 is open" in html and 'id="opened-1"' in html


def test_the_page_keeps_the_newest_lines_and_the_journal_has_them_all(admin_client: Client) -> None:
    run = a_run()
    journal_lines(run, 450)

    html = page(admin_client, "run", run)
    first, last = page(admin_client, "run_journal", run), page(admin_client, "run_journal", run, page="3")

    assert "line 449<" in html and "line 410<" in html and "line 409<" not in html
    assert "earlier lines are in the whole journal" in html
    assert "line 0<" in first and "line 449<" in last
    assert "line 449<" in page(admin_client, "run_journal", run, page="99999")


def test_a_rehearsal_shows_measured_times_and_that_every_row_came_back(admin_client: Client) -> None:
    plan = a_plan()
    run = a_rehearsal(plan)

    html = page(admin_client, "run", run)

    assert "Every row came back equal" in html
    assert "mvp2/schema" in html and "500 rows/s" in html
    assert f'id="run-plan" href="{reverse("console:plan", args=[plan.pk])}">tries plan {plan.pk} on a copy<' in html
    assert f"plan {run.plan_id}<" not in html
    assert f"Run {run.pk}" in admin_client.get(reverse("console:plan", args=[plan.pk])).content.decode()


def test_the_live_part_costs_a_bounded_number_of_queries(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    run = a_run()
    journal_lines(run, 300)

    with django_assert_max_num_queries(12):
        page(admin_client, "run_live", run)


def test_the_lists_cost_the_same_for_many_runs_as_for_one(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    plan = a_plan()
    Run.objects.bulk_create(
        Run(plan=plan, state=RunState.ROLLED_BACK, active=None, started_by="ada") for _ in range(60)
    )

    for name, most in (("runs", 12), ("plans", 12), ("home", 24)):
        with django_assert_max_num_queries(most):
            assert admin_client.get(reverse(f"console:{name}")).status_code == 200


def test_the_list_of_runs_is_filtered_and_paginated(admin_client: Client) -> None:
    plan = a_plan()
    Run.objects.bulk_create(
        Run(plan=plan, state=RunState.ROLLED_BACK, active=None, started_by="ada") for _ in range(30)
    )
    failed = a_run(plan, state=RunState.FAILED)

    def shown(query: str) -> str:
        return admin_client.get(f"{reverse('console:runs')}?{query}").content.decode()

    assert "Page 1 of 2" in shown("") and "page=2" in shown("state=rolled_back")
    assert "state=rolled_back&amp;page=2" in shown("state=rolled_back")
    assert f"Run {failed.pk}<" in shown("state=failed") and "Page" not in shown("state=failed")
    assert "No run matches" in shown("kind=restore")
    assert f"Run {failed.pk}<" in shown("state=nonsense&kind='; --")


def test_json_has_what_scripts_ask_for(admin_client: Client) -> None:
    run = a_run(state=RunState.FAILED, error="It broke")

    report = admin_client.get(reverse("console:run_json", args=[run.pk])).json()

    wanted = {"state", "direction", "since", "waiting_for", "steps", "eta_seconds", "error", "progress", "actions"}
    assert wanted <= report.keys()
    assert report["allowed_actions"] == ["retry", "cancel", "roll_back"]
    assert report["skippable"] == ["mvp2/detect-patterns"]
    plan = admin_client.get(reverse("console:plan_json", args=[run.plan_id])).json()
    assert {"steps", "risk", "risks", "findings", "rollback", "loss", "seconds", "ready"} <= plan.keys()
    status = admin_client.get(reverse("console:status_json")).json()
    assert (status["level"], status["active_run"]) == (1, run.pk)


def test_home_shows_the_ladder_the_active_run_and_the_way_on(admin_client: Client) -> None:
    run = a_run()

    html = admin_client.get(reverse("console:home")).content.decode()

    assert "The site is at MVP1" in html and "Plan MVP2" in html
    assert 'id="active-run"' in html and 'hx-select="#active-run"' in html
    assert reverse("console:run", args=[run.pk]) in html


def test_home_offers_to_roll_back_a_level_and_no_task(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrations_ops.console.views.home.actions_legal", lambda _run: ["roll_back"])
    upgrade = a_run(state=RunState.SUCCEEDED)
    preview = a_run(a_plan(kind=PlanKind.TASK), state=RunState.SUCCEEDED)

    html = admin_client.get(reverse("console:home")).content.decode()

    assert f"Roll back run {upgrade.pk}<" in html and f"Roll back run {preview.pk}<" not in html


def test_home_of_the_highest_level_offers_no_plan(admin_client: Client, level_2: None) -> None:
    html = admin_client.get(reverse("console:home")).content.decode()

    assert "The site is at MVP2" in html and "This release has no higher level." in html
    assert reverse("console:plan_new") not in html


def test_the_journal_cannot_be_changed_in_the_admin(admin_client: Client, admin_user: User) -> None:
    run = a_run()
    for model, key in (("run", run.pk), ("plan", run.plan_id), ("runevent", None), ("steprecord", None)):
        changelist = reverse(f"admin:migrations_ops_{model}_changelist")
        assert admin_client.get(changelist).status_code == 200
        assert admin_client.get(reverse(f"admin:migrations_ops_{model}_add")).status_code == 403
        if key:
            change = reverse(f"admin:migrations_ops_{model}_change", args=[key])
            assert admin_client.get(change).status_code == 200
            assert admin_client.post(change, {"started_by": "eve"}).status_code == 403
            assert admin_client.post(reverse(f"admin:migrations_ops_{model}_delete", args=[key])).status_code == 403
    run.refresh_from_db()
    assert run.started_by == "ada"


def test_a_page_that_refreshes_itself_is_sent_to_the_log_in_when_the_session_is_over(client: Client) -> None:
    response = client.get(reverse("console:run_live", args=[a_run().pk]), headers={"HX-Request": "true"})

    assert (response.status_code, response["HX-Refresh"]) == (401, "true")


def test_the_overview_reloads_itself_when_the_active_run_is_over(admin_client: Client) -> None:
    headers = {"HX-Request": "true", "HX-Target": "active-run"}

    assert admin_client.get(reverse("console:home"), headers=headers)["HX-Refresh"] == "true"
    a_run()
    assert "HX-Refresh" not in admin_client.get(reverse("console:home"), headers=headers)


def test_page_and_list_tell_rest_from_work(admin_client: Client) -> None:
    run = a_run(state=RunState.SUCCEEDED, rested_seconds=120.0, finished_at=timezone.now())

    assert "At rest in between</dt><dd>2 min 0 s<" in page(admin_client, "run", run)
    assert "+ 2 min 0 s at rest" in admin_client.get(reverse("console:runs")).text


def test_the_page_of_a_run_is_loaded_anew_when_the_site_has_another_level(admin_client: Client) -> None:
    url = reverse("console:run_live", args=[a_run().pk])
    assert f'hx-get="{url}?said=' in admin_client.get(url).text and "&amp;level=1" in admin_client.get(url).text

    assert admin_client.get(url, {"level": "2"})["HX-Refresh"] == "true"
    assert "HX-Refresh" not in admin_client.get(url, {"level": "1"})


def test_a_refusal_of_the_engine_is_shown_in_its_own_words_and_a_surprise_with_its_name() -> None:
    refusal = "Traceback, in full\nmigrations_ops.errors.StepFailedError: The target: it would refuse values."
    assert error_line(refusal) == "The target: it would refuse values."
    assert error_line("Traceback, in full\nValueError: too large") == "ValueError: too large"
