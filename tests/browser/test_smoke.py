"""The site as `make run` starts it, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.sites import ServedSite


def test_the_home_page_has_the_search_box_and_breaks_no_content_policy(page: Page, served_site: ServedSite) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(served_site.address)
    expect(page.get_by_role("searchbox").first).to_be_visible()
    assert complaints == []
