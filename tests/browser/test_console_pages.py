"""The console's pages in a browser: they refresh in place, work without scripts and on a phone."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from pytest_django.live_server_helper import LiveServer

from migrations_ops.models import Run, RunState, StepState
from tests.migrations_ops.console_builders import a_checkpoint, a_rehearsal, a_run, a_staff_member, journal_lines

pytestmark = pytest.mark.django_db(transaction=True)

EVERYTHING = (
    "create_plan",
    "check_plan",
    "rehearse_plan",
    "start_run",
    "pause_run",
    "cancel_run",
    "retry_run",
    "roll_back_run",
    "force_stop_run",
    "skip_step",
    "create_checkpoint",
    "delete_checkpoint",
)


def log_in(page: Page, server: LiveServer, path: str) -> None:
    page.goto(f"{server.url}/login/?next={path}")
    page.locator("[name=username]").fill("ada")
    page.locator("[name=password]").fill("right")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def run_path(run: Run) -> str:
    return reverse("console:run", args=[run.pk])


def test_a_run_refreshes_in_place_and_stops_when_it_rests(page: Page, live_server: LiveServer) -> None:
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    page.on("console", listen)
    a_staff_member(*EVERYTHING)
    run = a_run(done=3)
    step = run.steps.get(position=3)
    log_in(page, live_server, run_path(run))
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url) if "/live/" in request.url else None)
    page.locator("#whole-journal").focus()

    run.steps.filter(pk=step.pk).update(rows_done=1_000, rows_total=4_000, busy_seconds=1.0)
    expect(page.locator(f"#step-{step.name.replace('/', '-')}")).to_contain_text("1,000 of 4,000 rows")
    expect(page.locator("#whole-journal")).to_be_focused()
    expect(page.locator("#run-announcement")).to_have_text(f"Run {run.pk}: Running, {step.title}")

    run.steps.update(state=StepState.DONE)
    Run.objects.update(state=RunState.SUCCEEDED, active=None)
    expect(page.locator("#run-live h1 .badge")).to_have_text("Succeeded")
    expect(page).to_have_title(f"Succeeded: run {run.pk} · Mainframe KB")
    expect(page.locator("#run-announcement")).to_have_text(f"Run {run.pk}: Succeeded")
    expect(page.locator("#act-pause")).to_have_count(0)
    seen = len(polls)
    page.wait_for_timeout(2_500)  # longer than the pause between two polls
    assert len(polls) == seen
    assert complaints == []


def test_the_overview_follows_the_active_run(page: Page, live_server: LiveServer) -> None:
    a_staff_member(*EVERYTHING)
    run = a_run(done=3)
    log_in(page, live_server, reverse("console:home"))
    expect(page.locator("#active-run .badge")).to_have_text("Running")

    run.steps.update(state=StepState.DONE)
    Run.objects.update(state=RunState.PAUSED)

    expect(page.locator("#active-run .badge")).to_have_text("Paused")
    expect(page.locator("#active-run progress")).to_have_attribute("value", "100")

    Run.objects.update(state=RunState.RUNNING)
    page.reload()
    expect(page.locator("#active-run .badge")).to_have_text("Running")
    Run.objects.update(state=RunState.SUCCEEDED, active=None)
    expect(page.locator("#active-run")).to_have_count(0)
    expect(page.locator("table .badge").first).to_have_text("Succeeded")


def test_without_scripts_a_run_is_shown_paused_and_resumed(browser: Browser, live_server: LiveServer) -> None:
    a_staff_member("pause_run", "cancel_run")
    run = a_run(state=RunState.QUEUED, done=0)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    log_in(page, live_server, run_path(run))

    page.locator("#act-pause").click()
    expect(page.locator("#run-live h1 .badge")).to_have_text("Paused")
    page.locator("#act-cancel").click()
    page.locator("#reason").fill("Changed our mind")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#run-live h1 .badge")).to_have_text("Cancelled")
    expect(page.locator(".log")).to_contain_text("reason: Changed our mind")
    context.close()


def test_no_page_is_wider_than_a_phone(browser: Browser, live_server: LiveServer) -> None:
    a_staff_member(*EVERYTHING)
    run = a_run(state=RunState.FAILED, error="x" * 400)
    run.steps.filter(state=StepState.FAILED).update(error="y" * 900)
    journal_lines(run, 5)
    rehearsal, checkpoint = a_rehearsal(run.plan), a_checkpoint(label="z" * 150)
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    log_in(page, live_server, reverse("console:home"))
    paths = [
        *(reverse(f"console:{name}") for name in ("home", "plans", "runs", "checkpoints", "workers")),
        reverse("console:plan", args=[run.plan_id]),
        reverse("console:plan_start", args=[run.plan_id]),
        run_path(run),
        run_path(rehearsal),
        reverse("console:run_action", args=[run.pk, "roll_back"]),
        reverse("console:run_journal", args=[run.pk]),
        reverse("console:checkpoint", args=[checkpoint.pk]),
        reverse("console:checkpoint_delete", args=[checkpoint.pk]),
    ]

    for path in paths:
        page.goto(f"{live_server.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    context.close()


def test_the_keyboard_alone_rolls_a_run_back(page: Page, live_server: LiveServer) -> None:
    a_staff_member(*EVERYTHING)
    run = a_run(state=RunState.FAILED)
    log_in(page, live_server, run_path(run))

    page.locator("#act-roll_back").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#confirmation")).to_be_focused()
    page.keyboard.type(f"ROLL BACK {run.pk}")
    page.keyboard.press("Tab")
    page.keyboard.type("It failed")
    page.keyboard.press("Enter")

    expect(page.locator("#run-live h1 .badge")).to_have_text("Rolling back")
