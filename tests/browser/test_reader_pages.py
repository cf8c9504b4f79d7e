"""Reader pages in a browser: typing, voting, theme, keys, and no complaint of the browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from knowledge.entries import entry_update
from knowledge.models import Entry, Feedback, SearchQuery
from tests.browser.people import log_in
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db(transaction=True)


def test_results_appear_while_a_person_types(live_server: Any, calm_page: Page) -> None:
    an_entry()
    calm_page.goto(live_server.url)
    calm_page.get_by_role("searchbox").press_sequentially("soc7", delay=20)
    expect(calm_page.get_by_role("link", name="S0C7: data exception")).to_be_visible()
    expect(calm_page).to_have_url(re.compile(r"/search/\?q=soc7$"))
    calm_page.get_by_role("link", name="S0C7: data exception").click()
    expect(calm_page.get_by_role("heading", level=1)).to_have_text("S0C7: data exception in a packed field")
    assert SearchQuery.objects.get().opened_entry == Entry.objects.get()


def test_a_vote_counts_without_leaving_the_page(live_server: Any, calm_page: Page) -> None:
    entry = an_entry()
    calm_page.goto(live_server.url + entry.get_absolute_url())
    calm_page.get_by_text("Add a rating or a comment").click()
    calm_page.get_by_label("Comment").fill("It was the trailer record.")
    calm_page.get_by_role("button", name="It worked").click()
    expect(calm_page.get_by_text("Your vote is counted")).to_be_visible()
    expect(calm_page.locator("#success")).to_contain_text("100 % of 1 vote")
    calm_page.get_by_role("button", name="It did not").click()
    expect(calm_page.get_by_role("button", name="It did not")).to_have_attribute("aria-pressed", "true")
    assert Feedback.objects.get().worked is False


def test_listings_and_the_link_are_copied_as_they_are(live_server: Any, calm_page: Page) -> None:
    entry = an_entry(solution="```cobol\n           IF A IS NUMERIC\n           END-IF\n```")
    calm_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    calm_page.goto(live_server.url + entry.get_absolute_url())
    calm_page.locator(".copyable").hover()
    calm_page.get_by_role("button", name="Copy", exact=True).click()
    expect(calm_page.get_by_role("button", name="Copied")).to_be_visible()
    copied = calm_page.evaluate("navigator.clipboard.readText()")
    assert copied == "           IF A IS NUMERIC\n           END-IF"
    calm_page.get_by_role("button", name="Copy link").click()
    expect(calm_page.get_by_role("button", name="Copied").last).to_be_visible()
    assert calm_page.evaluate("navigator.clipboard.readText()") == live_server.url + entry.get_absolute_url()


def test_an_entry_prints_as_a_sheet_with_boxes_before_its_steps(live_server: Any, calm_page: Page) -> None:
    entry = an_entry(solution="## Diagnose\n\n1. Look at the dump.\n\n## Prevent\n\n- Validate input.")
    calm_page.goto(live_server.url + entry.get_absolute_url())
    calm_page.emulate_media(media="print")
    expect(calm_page.get_by_text("Run-sheet, version 1")).to_be_visible()
    expect(calm_page.locator(".vote")).to_be_hidden()
    before = "(item) => getComputedStyle(item, '::before').content"
    assert calm_page.locator("li", has_text="Look at the dump").evaluate(before) == '"[ ] "'
    assert calm_page.locator("li", has_text="Validate input").evaluate(before) == "none"


def test_an_entry_is_watched_and_reported_without_leaving_it(live_server: Any, calm_page: Page) -> None:
    entry = an_entry()
    a_person()
    log_in(calm_page, live_server.url, "ana")
    calm_page.goto(live_server.url + entry.get_absolute_url())
    calm_page.get_by_role("button", name="Watch").click()
    expect(calm_page.get_by_role("button", name="Watch")).to_have_attribute("aria-pressed", "true")
    calm_page.get_by_text("Something wrong with this entry?").click()
    calm_page.get_by_label("What is wrong?").select_option("outdated")
    calm_page.get_by_role("button", name="Send the report").click()
    expect(calm_page.get_by_text("You reported: It is out of date")).to_be_visible()
    calm_page.goto(live_server.url + reverse("mine"))
    expect(calm_page.get_by_role("link", name=entry.title)).to_have_count(2)


def test_versions_are_compared_and_restored(live_server: Any, calm_page: Page) -> None:
    entry = an_entry(title="The right title")
    entry_update(entry=entry, expected_version=1, author=None, title="A wrong title")
    a_person("change_entry")
    log_in(calm_page, live_server.url, "ana")
    calm_page.goto(live_server.url + reverse("entry_history", args=[entry.pk]))
    calm_page.get_by_role("button", name="Compare side by side").click()
    expect(calm_page.locator("del")).to_have_text("The right")
    calm_page.get_by_role("link", name="Open version 1").click()
    calm_page.get_by_text("Restore this version").click()
    calm_page.get_by_role("button", name="Restore", exact=True).click()
    expect(calm_page.get_by_role("heading", level=1)).to_have_text("The right title")


def test_the_theme_changes_at_once_and_stays(live_server: Any, calm_page: Page) -> None:
    calm_page.goto(live_server.url)
    calm_page.get_by_role("button", name="Switch between light and dark").click()
    expect(calm_page.locator("html")).to_have_attribute("data-theme", "dark")
    calm_page.goto(live_server.url + reverse("browse"))
    expect(calm_page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_slash_key_goes_to_the_search_box(live_server: Any, calm_page: Page) -> None:
    calm_page.goto(live_server.url + reverse("browse"))
    calm_page.keyboard.press("/")
    expect(calm_page.get_by_role("searchbox", name="Search the knowledge base")).to_be_focused()


def test_an_entry_is_written_previewed_and_published(live_server: Any, calm_page: Page) -> None:
    a_person("add_entry", "change_entry", "publish_entry")
    log_in(calm_page, live_server.url, "ana")
    calm_page.goto(live_server.url + reverse("entry_create") + "?title=FS+35+at+open")
    calm_page.get_by_label("Category").select_option("VSAM")
    calm_page.get_by_label("Problem").fill("OPEN INPUT ends with file status 35.")
    calm_page.get_by_label("Solution").fill("## Fix\n\nAdd the **DD** statement.")
    calm_page.get_by_role("button", name="Preview").click()
    expect(calm_page.locator("#preview strong")).to_have_text("DD")
    calm_page.get_by_role("button", name="Publish").click()
    expect(calm_page.get_by_text("The entry is published.")).to_be_visible()
    assert "#" not in calm_page.url  # the place of the preview is not kept
    assert Entry.objects.get().title == "FS 35 at open"


def test_everything_works_without_scripts(live_server: Any, browser: Browser) -> None:
    entry = an_entry()
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(live_server.url)
    page.get_by_role("searchbox").fill("S0C7")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="S0C7: data exception").click()
    page.get_by_role("button", name="It worked").click()
    expect(page.get_by_text("Thank you. Your vote is counted.")).to_be_visible()
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    entry.refresh_from_db()
    assert entry.success_count == 1


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_page_scrolls_sideways(live_server: Any, calm_page: Page, width: int) -> None:
    wide = "//SYSUT1 DD DSN=" + "VERY.LONG.NAME." * 20
    entry = an_entry(
        title="S0C7" + "X" * 100,
        problem=f"```\n{wide}\n```",
        solution=f"| {'| '.join('abcdefghij' for _ in range(20))} |\n|{'---|' * 20}\n\n{'W' * 200}",
        tags=["t" * 60, "abend"],
    )
    calm_page.set_viewport_size({"width": width, "height": 800})
    urls = [reverse(name) for name in ("home", "browse", "search", "tags", "codes", "login")]
    for url in [*urls, entry.get_absolute_url(), reverse("code", args=["S0C7"]), reverse("search") + "?q=S0C7"]:
        calm_page.goto(live_server.url + url)
        too_wide = calm_page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, (url, too_wide)
