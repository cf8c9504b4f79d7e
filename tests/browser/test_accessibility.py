"""Every page is read by axe: WCAG 2.2 level A and AA, light and dark, on a phone and on a desk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from knowledge.entries import entry_update
from knowledge.feedback import feedback_give
from knowledge.models import EntryStatus, FlagReason, PromotedResult, Tag
from knowledge.models.following import EntryFlag
from knowledge.phases.mvp2_analytics.models import UsagePattern
from knowledge.phases.mvp2_analytics.plugins import ANALYTICS, PATTERNS
from knowledge.phases.mvp2_analytics.tasks import patterns_detect
from knowledge.plugins import plugin_enable
from knowledge.search.promoted import promotion_save
from knowledge.tokens import token_create
from knowledge.transfer.exporting.wanted import ExportWanted
from knowledge.transfer.jobs import import_bring
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.tasks import export_enqueue, import_enqueue, preview_enqueue
from migrations_ops.gate import site_level_set
from migrations_ops.integrity.checking import checks_run
from migrations_ops.models import CleanupRecord, MoveState, RunState, StepState
from migrations_ops.runner import run_inline
from tests.analytics import builders
from tests.knowledge.logs.samples import S0C7_JOB
from tests.knowledge.page_builders import an_entry
from tests.knowledge.transfer.files import csv_file
from tests.knowledge.transfer.files import row as csv_row
from tests.migrations_ops.console_builders import VALUE_FINDING, a_checkpoint, a_ledger, a_move, a_run, journal_lines

pytestmark = pytest.mark.django_db(transaction=True)

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
SCREENS = [("light", 1280), ("dark", 390)]
LONG_SOLUTION = (
    "## Causes\n\n1. Spaces in a packed field, see S0C4.\n\n## Diagnose\n\n- Read the `offset`.\n\n"
    "```cobol\n       MOVE ZERO TO WS-TOTAL.\n```\n\n## Fix\n\n1. Initialise it.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
) * 3


@pytest.fixture
def ada() -> User:
    """Somebody who may do everything, so that every button is there."""
    return User.objects.create_superuser("ada", "ada@example.org", "pass")


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer) -> Iterator[Callable[[User | None, str, int], Page]]:
    """Opens a page as a person, or as a visitor."""
    contexts = []

    def opened(person: User | None, scheme: str, width: int) -> Page:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        contexts.append(context)
        if person:
            client = Client()
            client.force_login(person)
            session = client.cookies["sessionid"].value
            context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()


def violations(page: Page, url: str) -> list[str]:
    """What axe finds, with everything unfolded."""
    response = page.goto(url)
    assert response and response.status == (404 if "no-such" in url else 200), url
    return violations_here(page)


def violations_here(page: Page) -> list[str]:
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    found = Axe().run(page, options=RULES)
    return [
        f"{page.url} {one['id']}: {node['html'][:160]} {(node['any'] or [{'message': ''}])[0]['message'][:160]}"
        for one in found.response["violations"]
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_reader_pages(live_server, visit, ada: User, scheme: str, width: int) -> None:
    entry = an_entry(solution=LONG_SOLUTION, author=ada)
    other = an_entry(title="S0C4: protection exception", codes=["S0C4", "S0C7"])
    entry = entry_update(entry=entry, expected_version=1, author=ada, title="S0C7: data exception, again")
    an_entry(title="A draft of mine", status=EntryStatus.DRAFT, author=ada)
    feedback_give(entry=entry, voter="user:1", user=ada, worked=True, comment="It did.")
    EntryFlag.objects.create(entry=entry, reason=FlagReason.values[0], comment="Wrong", user=ada)
    promotion_save(promotion=PromotedResult(query="S0C7", entry=other))
    token_create(user=ada, name="Copy", days=1)
    named = ("home", "browse", "tags", "codes", "logs", "login", "api_page", "search")
    own = ("tokens", "password", "drafts", "reviews", "mine", "flags", "entry_create")
    paths = [
        *(reverse(name) for name in named),
        entry.get_absolute_url(),
        reverse("code", args=["S0C7"]),
        reverse("code", args=["S0C9"]),
        reverse("search") + "?q=S0C7",
        reverse("search") + "?q=nothinglikethis",
        "/no-such-page/",
    ]
    about = ("entry_edit", "entry_history", "entry_compare", "entry_merge")
    for_staff = [*(reverse(name) for name in own), *(reverse(name, args=[entry.pk]) for name in about)]
    for_staff.append(reverse("entry_version", args=[entry.pk, 1]))
    visitor, staff = visit(None, scheme, width), visit(ada, scheme, width)

    found = [problem for path in paths for problem in violations(visitor, live_server.url + path)]
    found += [problem for path in [*paths, *for_staff] for problem in violations(staff, live_server.url + path)]

    assert sorted(set(found)) == []


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_what_a_log_says_and_the_list_of_keys(live_server, visit, ada: User, scheme: str, width: int) -> None:
    an_entry()
    page = visit(ada, scheme, width)
    page.goto(live_server.url + reverse("logs"))
    page.get_by_label("Log", exact=True).fill(S0C7_JOB)
    page.get_by_role("button", name="Read it").click()
    page.get_by_role("heading", name="Read first").wait_for()
    found = violations_here(page)
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    found += violations_here(page)
    assert found == []


def a_cleanup() -> CleanupRecord:
    """A finished cleanup whose undo has left something, beside a check that found something."""
    Tag.objects.create(name="nobody-has-it", created_at=timezone.now() - dt.timedelta(days=9))
    checks_run(actor="ada", names=["unused_labels", "stray_files"])
    kept = [{"table": "kb_tags", "key": "1", "rows": 1, "reason": "changed since"}]
    return CleanupRecord.objects.create(
        name="merge_duplicates", title="Merge duplicates", state="undone", created_by="ada", kept=kept, kept_count=1
    )


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_console_pages(live_server, visit, ada: User, scheme: str, width: int, settings: Any, tmp_path: Path) -> None:
    settings.OPS_MOVE_DIR = tmp_path
    run = a_run(state=RunState.FAILED, error="The disk is full.")
    run.steps.filter(state=StepState.FAILED).update(error="No space")
    journal_lines(run, 3)
    checkpoint = a_checkpoint()
    move = a_move(
        state=MoveState.MOVED,
        run_state=RunState.SUCCEEDED,
        is_open=True,
        ledger={"sound": True, "rows": 10, "seconds": 1.0},
        assessment={"findings": [VALUE_FINDING], "tables": [{"name": "kb_tags", "rows": 2, "bytes": 20}]},
        figures={"tables": {"kb_tags": {"rows": 2, "rows_total": 2, "bytes": 20, "ranges": 1, "ranges_total": 1}}},
    )
    a_ledger(move)
    paths = [
        *(reverse(f"console:{name}") for name in ("home", "plans", "runs", "checkpoints", "workers")),
        *(reverse(f"console:{name}") for name in ("health", "checks", "cleanups")),
        reverse("console:cleanup", args=[a_cleanup().pk]),
        reverse("console:cleanup_start", args=["remove_unused"]),
        reverse("console:plan", args=[run.plan_id]),
        reverse("console:plan_start", args=[run.plan_id]),
        reverse("console:run", args=[run.pk]),
        reverse("console:run_action", args=[run.pk, "roll_back"]),
        reverse("console:move_new"),
        reverse("console:plan", args=[move.plan_id]),
        reverse("console:plan_values", args=[move.plan_id]),
        reverse("console:plan_repair", args=[move.plan_id]),
        reverse("console:move_ledger_page", args=[move.run_id]),
        reverse("console:run", args=[move.run_id]),
        reverse("console:move_go", args=[move.run_id]),
        reverse("console:move_close", args=[move.run_id]),
        reverse("console:run_journal", args=[run.pk]),
        reverse("console:checkpoint", args=[checkpoint.pk]),
        reverse("console:checkpoint_delete", args=[checkpoint.pk]),
    ]
    page = visit(ada, scheme, width)
    assert [problem for path in paths for problem in violations(page, live_server.url + path)] == []


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_analytics_pages(live_server, visit, ada: User, scheme: str, width: int) -> None:
    site_level_set(2)
    plugin_enable(name=ANALYTICS)
    plugin_enable(name=PATTERNS)
    for hours in range(4):
        builders.search("kaputt", result_count=0, ago=dt.timedelta(hours=hours))
        builders.search("s0c7 abend", ago=dt.timedelta(days=hours))
    patterns_detect()
    page = visit(ada, scheme, width)
    paths = [
        "/analytics/?days=7",
        "/analytics/patterns/",
        f"/analytics/patterns/{UsagePattern.objects.earliest('pk').pk}/",
    ]
    assert [problem for path in paths for problem in violations(page, live_server.url + path)] == []


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_bulk_pages(live_server, visit, ada: User, tmp_path: Path, settings, scheme: str, width: int) -> None:
    settings.TRANSFER_DIR = tmp_path / "transfer"
    page = visit(ada, scheme, width)
    empty = violations(page, live_server.url + reverse("bulk"))
    entry = an_entry()
    rows = [csv_row(), csv_row(2, category="Nowhere"), csv_row(3, problem=""), csv_row(4, id=str(entry.pk))]
    options = ImportOptions(duplicates="skip")
    jobs = []
    for _number in range(2):
        with csv_file(tmp_path, *({"id": "", **one} for one in rows)).open("rb") as file:
            jobs.append(import_bring(file=file, file_name="old entries.csv", options=options, actor="ada"))
        run_inline(preview_enqueue(job=jobs[-1], actor="ada", inline=True).pk)
    run = run_inline(import_enqueue(job=jobs[0], actor="ada", inline=True).pk)
    wanted = ExportWanted.of({"format": "csv"})
    run_inline(export_enqueue(wanted=wanted, actor="ada", inline=True).pk)
    paths = [
        *(reverse(name) for name in ("bulk", "bulk_import_new", "bulk_export_new")),
        *(reverse("bulk_import", args=[job.pk]) for job in jobs),
        reverse("bulk_import_rows", args=[jobs[1].pk]),
        reverse("bulk_import_undo", args=[jobs[0].pk]),
        reverse("console:run", args=[run.pk]),
    ]
    assert [*empty, *(problem for path in paths for problem in violations(page, live_server.url + path))] == []


def test_what_is_wrong_is_found(live_server, visit) -> None:
    page = visit(None, "light", 1280)
    page.goto(live_server.url + reverse("browse"))
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<input><img src=\"/x.png\">')")
    found = violations_here(page)
    assert any(" label: " in problem for problem in found) and any(" image-alt: " in problem for problem in found)
