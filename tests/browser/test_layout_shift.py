"""Nothing on a page moves after it was first painted, unless the person did something."""

from __future__ import annotations

from time import sleep
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser

from tests.knowledge.page_builders import an_entry

pytestmark = pytest.mark.django_db(transaction=True)

#: Set up before the page's own scripts; the browser reports shifts that it saw earlier as well.
WATCH = """window.shifts = [];
new PerformanceObserver((list) => list.getEntries().forEach((one) => {
    if (!one.hadRecentInput) window.shifts.push([one.value, ...one.sources.map((s) => s.node?.outerHTML?.slice(0, 80))]);
})).observe({ type: "layout-shift", buffered: true });"""
#: Times slower than this machine, so that the browser has time to paint half of a page, and a late script.
SLOWER, SCRIPT_LATE_MS = 6, 300
SOLUTION = "## Causes\n\n1. Spaces.\n\n## Diagnose\n\n```jcl\n//STEP EXEC PGM=SORT\n```\n\n## Fix\n\n- Mend it.\n\n" * 5


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_stand_still(live_server: Any, browser: Browser, width: int) -> None:
    ada = User.objects.create_superuser("ada", "ada@example.org", "pass")
    entry = an_entry(solution=SOLUTION, author=ada)
    an_entry(title="S0C4: protection exception", codes=["S0C4", "S0C7"])
    client = Client()
    client.force_login(ada)
    session = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.add_cookies([session])
    context.add_init_script(WATCH)
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.route("**/kb*.js", lambda route: (sleep(SCRIPT_LATE_MS / 1000), route.continue_()))
    names = ("home", "browse", "logs", "codes", "entry_create", "mine", "api_page")
    paths = [
        *(reverse(name) for name in names), entry.get_absolute_url(), reverse("entry_edit", args=[entry.pk]),
        reverse("code", args=["S0C7"]), reverse("search") + "?q=S0C7",
    ]  # fmt: skip
    moved = {}
    for path in paths:
        page.goto(live_server.url + path)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
        moved[path] = page.evaluate("window.shifts")
    context.close()
    assert {path: shifts for path, shifts in moved.items() if shifts} == {}


def test_the_head_of_a_page_keeps_to_two_lines_on_a_phone(live_server: Any, browser: Browser) -> None:
    User.objects.create_user("ana", password="pass")
    client = Client()
    client.login(username="ana", password="pass")
    session = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.add_cookies([session])
    page = context.new_page()
    page.goto(live_server.url + reverse("browse"))
    box = page.locator(".site-header").bounding_box()
    context.close()
    assert box and box["height"] < 100
