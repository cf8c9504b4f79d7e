"""The analytics pages in a browser: nothing the security policy forbids, nothing wider than the screen."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from knowledge.models import ErrorCode
from knowledge.phases.mvp2_analytics.plugins import ANALYTICS, PATTERNS
from knowledge.phases.mvp2_analytics.tasks import patterns_detect
from knowledge.plugins import plugin_enable
from migrations_ops.gate import site_level_set
from tests.analytics import builders

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def analytics(live_server, page: Page) -> Page:
    """A signed-in administrator on a site at MVP2 with some searches."""
    site_level_set(2)
    plugin_enable(name=ANALYTICS)
    plugin_enable(name=PATTERNS)
    ErrorCode.objects.get_or_create(code="S0C7", defaults={"kind": "system_abend"})
    for hours in range(4):
        builders.search("kaputt", result_count=0, ago=dt.timedelta(hours=hours))
        builders.search("s0c7 abend", ago=dt.timedelta(days=hours))
    patterns_detect()
    User.objects.create_superuser("admin", password="secret")
    page.goto(f"{live_server.url}/login/?next=/analytics/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Analytics")
    return page


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_the_screen_and_the_policy(analytics: Page, live_server, width: int, scheme: str):
    complaints: list[str] = []
    analytics.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    analytics.emulate_media(color_scheme=scheme)
    analytics.set_viewport_size({"width": width, "height": 900})
    for address in ("/analytics/?days=7", "/analytics/patterns/"):
        analytics.goto(live_server.url + address)
        analytics.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        wider = analytics.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider == 0, address
    assert complaints == []


def test_an_alias_is_added_in_the_list(analytics: Page):
    row = analytics.get_by_role("row").filter(has_text="kaputt").first
    row.locator("summary").click()
    row.get_by_label("They mean the code").fill("S0C7")
    row.get_by_role("button", name="Add alias").click()
    expect(analytics.get_by_text("“kaputt” now stands for S0C7.")).to_be_visible()


def test_a_pattern_is_resolved_with_a_note(analytics: Page):
    analytics.get_by_role("link", name="Patterns", exact=True).click()
    analytics.get_by_role("row").filter(has_text="never answered").get_by_role("link").click()
    analytics.get_by_label("Note").fill("Entry written")
    analytics.get_by_role("button", name="Resolve").click()
    expect(analytics.get_by_text("Entry written")).to_be_visible()
    expect(analytics.get_by_text("The pattern was changed.")).to_be_visible()
