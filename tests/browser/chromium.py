"""The browser that the tests drive: Debian's, another one on the PATH, or Playwright's own."""

from __future__ import annotations

import shutil
from pathlib import Path


def chromium() -> Path | None:
    """The program, or None where the machine has none."""
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        if found := shutil.which(name):
            return Path(found)
    return _of_playwright()


def _of_playwright() -> Path | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.exists() else None
