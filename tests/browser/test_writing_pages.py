"""Writing in a browser: what appears beside the form, and the way of a draft to a validated entry."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from knowledge.entries import entry_update
from knowledge.models import Entry, EntryReview, EntryStatus, Validation
from tests.browser.people import log_in
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db(transaction=True)


def top_of(page: Page, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    assert box
    return box["y"]


def test_codes_similar_entries_and_preview_follow_the_typing_without_moving_the_page(
    live_server: Any, calm_page: Page
) -> None:
    an_entry()
    a_person("add_entry")
    log_in(calm_page, live_server.url, "ana")
    calm_page.goto(live_server.url + reverse("entry_create"))
    before = {name: top_of(calm_page, name) for name in ("#id_solution", "#similar", "#preview")}

    calm_page.get_by_label("Title").fill("S0C7 in a packed field")
    calm_page.get_by_label("Problem").press_sequentially("Ends with **SQLCODE -803**.")

    assist = calm_page.locator("#assist")
    expect(assist.locator("#preview strong")).to_have_text("SQLCODE -803")
    expect(assist.get_by_role("link", name="S0C7: data exception")).to_be_visible()
    expect(assist.locator(".code")).to_have_text(["S0C7", "SQLCODE -803"])
    assert {name: top_of(calm_page, name) for name in before} == before


def test_a_draft_goes_from_its_author_to_a_reviewer_and_out(live_server: Any, calm_page: Page) -> None:
    a_person("add_entry")
    a_person("change_entry", "validate_entry", "publish_entry", name="rex")
    log_in(calm_page, live_server.url, "ana")
    calm_page.goto(live_server.url + reverse("entry_create"))
    calm_page.get_by_role("button", name="How-to").click()
    calm_page.get_by_label("Title").fill("Restart a job from a step")
    calm_page.get_by_label("Problem").fill("A job ended in its third step.")
    calm_page.get_by_label("Solution").fill("## Steps\n\n1. RESTART=STEP3 on the JOB statement.")
    calm_page.get_by_role("button", name="Save and ask for a review").click()
    expect(calm_page.get_by_text("The draft is saved.")).to_be_visible()
    calm_page.get_by_role("button", name="Log out").click()

    log_in(calm_page, live_server.url, "rex")
    calm_page.get_by_role("link", name="Reviews 1 waiting").click()
    calm_page.get_by_role("link", name="Restart a job from a step").click()
    calm_page.get_by_text("Review this version").click()
    calm_page.get_by_role("button", name="Validate and publish").click()
    expect(calm_page.get_by_text("The entry is validated and published.")).to_be_visible()
    assert Entry.objects.get().status == EntryStatus.PUBLISHED
    assert EntryReview.objects.get().validation == Validation.VALIDATED


def test_a_duplicate_is_found_compared_and_merged(live_server: Any, calm_page: Page) -> None:
    kept = an_entry()
    an_entry(title="Data exception S0C7 once more", tags=["packed"])
    a_person("change_entry", "delete_entry")
    log_in(calm_page, live_server.url, "ana")
    calm_page.goto(live_server.url + kept.get_absolute_url())
    calm_page.get_by_role("link", name="Merge…").click()
    calm_page.get_by_role("link", name="Compare Data exception").click()
    calm_page.get_by_role("button", name="Merge both").click()
    expect(calm_page.get_by_text("is part of this entry now")).to_be_visible()
    assert Entry.objects.get() == kept
    assert sorted(kept.tags.values_list("name", flat=True)) == ["abend", "packed"]


def test_two_edits_at_a_time_are_decided_field_by_field(live_server: Any, page: Page) -> None:
    entry = an_entry()  # the browser reports the 409, so this is no `calm_page`
    a_person("change_entry")
    log_in(page, live_server.url, "ana")
    page.goto(live_server.url + reverse("entry_edit", args=[entry.pk]))
    entry_update(entry=entry, expected_version=1, author=None, title="Their title", solution="Their solution here.")
    page.get_by_label("Title").fill("My own title")
    page.get_by_label("Solution").fill("My own solution.")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("group", name="Title").get_by_label("Keep what is saved").check()
    page.get_by_role("button", name="Save with these choices").click()
    expect(page.get_by_text("Your changes are saved.")).to_be_visible()
    entry.refresh_from_db()
    assert (entry.title, entry.solution) == ("Their title", "My own solution.")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_page_scrolls_sideways(live_server: Any, calm_page: Page, width: int) -> None:
    entry = an_entry(title="S0C7" + "X" * 100, problem=f"```\n{'WIDE ' * 60}\n```", tags=["t" * 60])
    other = an_entry(title="Data exception " + "Y" * 100)
    a_person("add_entry", "change_entry", "delete_entry", "validate_entry", "publish_entry")
    log_in(calm_page, live_server.url, "ana")
    calm_page.set_viewport_size({"width": width, "height": 800})
    urls = [reverse(name) for name in ("entry_create", "reviews", "drafts")]
    merge = reverse("entry_merge", args=[entry.pk])
    urls += [reverse("reviews") + "?show=never", reverse("entry_edit", args=[entry.pk])]
    for url in [*urls, merge, f"{merge}?with={other.pk}"]:
        calm_page.goto(live_server.url + url)
        too_wide = calm_page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, (url, too_wide)
