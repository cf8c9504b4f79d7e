"""The story of the README holds, on both databases."""

from __future__ import annotations

import dataclasses

from playwright.sync_api import Page

from tests.browser.pictures import PASSWORD, USER
from tests.browser.story import walk
from tests.sites import Site


def test_staff_take_the_site_to_mvp2_and_back_in_the_browser(calm_page: Page, empty_site: Site) -> None:
    account = {"KB_ADMIN_USER": USER, "KB_ADMIN_PASSWORD": PASSWORD}
    stages: list[str] = []

    with dataclasses.replace(empty_site, extra=account).served() as served:
        walk(calm_page, served.address, stages.append)

    assert stages[0] == "home" and stages[-1] == "rolled-back"
