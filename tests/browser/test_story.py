"""The story of the README holds, on both databases."""

from __future__ import annotations

import dataclasses

from playwright.sync_api import Page

from tests.browser.story import PASSWORD, USER, walk
from tests.sites import Site


def test_staff_take_the_site_to_mvp2_and_back_in_the_browser(page: Page, empty_site: Site) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    account = {"KB_ADMIN_USER": USER, "KB_ADMIN_PASSWORD": PASSWORD}
    stages: list[str] = []

    with dataclasses.replace(empty_site, extra=account).served() as served:
        walk(page, served.address, stages.append)

    assert stages[0] == "home" and stages[-1] == "rolled-back"
    assert complaints == []
