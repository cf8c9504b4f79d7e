"""Keys: a person gets from the search box to an entry without a mouse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.knowledge.logs.samples import S0C7_JOB
from tests.knowledge.page_builders import an_entry

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def calm_page(page: Page) -> Iterator[Page]:
    """A page on which the browser reports nothing."""
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []


def test_arrows_walk_through_results_and_enter_opens_one(live_server: Any, calm_page: Page) -> None:
    for number in range(3):
        an_entry(title=f"S0C7 number {number}")
    calm_page.goto(live_server.url + reverse("search") + "?q=s0c7")
    links = calm_page.locator(".hit__title a")
    calm_page.keyboard.press("/")
    calm_page.keyboard.press("ArrowDown")
    expect(links.nth(0)).to_be_focused()
    calm_page.keyboard.press("ArrowDown")
    expect(links.nth(1)).to_be_focused()
    calm_page.keyboard.press("ArrowUp")
    calm_page.keyboard.press("ArrowUp")
    expect(calm_page.get_by_role("searchbox")).to_be_focused()
    for _ in range(5):
        calm_page.keyboard.press("ArrowDown")
    expect(links.nth(2)).to_be_focused()
    calm_page.keyboard.press("Escape")
    expect(calm_page.get_by_role("searchbox")).to_be_focused()
    calm_page.keyboard.press("ArrowDown")
    title = links.nth(0).inner_text()
    calm_page.keyboard.press("Enter")
    expect(calm_page.get_by_role("heading", level=1)).to_have_text(title)


def test_the_question_mark_lists_the_keys_and_is_a_character_in_a_field(live_server: Any, calm_page: Page) -> None:
    calm_page.goto(live_server.url + reverse("browse"))
    calm_page.keyboard.press("?")
    dialog = calm_page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()
    calm_page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    calm_page.get_by_role("button", name="Keyboard").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    calm_page.keyboard.press("/")
    calm_page.keyboard.type("why?")
    expect(calm_page.get_by_role("searchbox")).to_have_value("why?")
    expect(dialog).to_be_hidden()


def test_a_log_pasted_into_the_search_box_is_read_whole(live_server: Any, calm_page: Page) -> None:
    an_entry()
    calm_page.goto(live_server.url)
    calm_page.get_by_role("searchbox").evaluate(
        """(box, text) => {
            const data = new DataTransfer();
            data.setData("text", text);
            box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }""",
        S0C7_JOB,
    )
    calm_page.get_by_role("button", name="Read all of it as a log").click()
    expect(calm_page.get_by_role("heading", name="Read first")).to_be_visible()
    expect(calm_page.get_by_text("22 lines read.")).to_be_visible()


def test_a_log_is_pasted_on_its_own_page(live_server: Any, calm_page: Page) -> None:
    an_entry()
    calm_page.goto(live_server.url + reverse("logs"))
    calm_page.get_by_label("Log", exact=True).fill(S0C7_JOB)
    calm_page.get_by_role("button", name="Read it").click()
    calm_page.get_by_role("main").get_by_role("link", name="S0C7: data exception").click()
    expect(calm_page.get_by_role("heading", level=1)).to_have_text("S0C7: data exception in a packed field")
