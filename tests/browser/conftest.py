"""Browser fixtures: pytest-playwright's own (`page`, `context`) on the browser of this machine.

A test asks for `page` and either `live_server` (this process, the shared test database) or
`served_site` (web and worker as `make run` starts them).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.chromium import chromium
from tests.sites import ServedSite, site_new

# Playwright keeps an event loop in this thread, and Django then refuses the database in it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Headless, without the sandbox that root and containers cannot have."""
    program = chromium()
    if program is None:
        pytest.fail("No Chromium was found: apt-get install chromium, or playwright install chromium.")
    return {
        **browser_type_launch_args,
        "executable_path": str(program),
        "args": ["--no-sandbox", "--disable-dev-shm-usage"],
    }


@pytest.fixture
def served_site(tmp_path: Path) -> Iterator[ServedSite]:
    """A new site on SQLite with web and worker running."""
    with site_new("sqlite", tmp_path / "site").served() as served:
        yield served


@pytest.fixture
def calm_page(page: Page) -> Iterator[Page]:
    """A page on which the browser reports nothing: no script error, nothing that the policy blocked."""
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []
