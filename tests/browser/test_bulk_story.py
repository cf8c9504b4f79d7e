"""Bulk data in a browser, on both databases."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.bulk_story import walk
from tests.browser.pictures import PASSWORD, USER
from tests.sites import Site


def test_a_spreadsheet_goes_out_and_comes_back_and_every_damage_is_found_and_mended(
    calm_page: Page, empty_site: Site, tmp_path: Path
) -> None:
    account = {"KB_ADMIN_USER": USER, "KB_ADMIN_PASSWORD": PASSWORD}
    stages: list[str] = []

    with dataclasses.replace(empty_site, extra=account).served() as served:
        walk(calm_page, served, tmp_path, stages.append)

    assert stages[0] == "bulk-export" and stages[-1] == "checks-passed"
