"""A new site and a browser for a story that keeps pictures of its stages."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import chromium
from tests.sites import Site

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
USER, PASSWORD = "admin", "a-password-for-the-story"
WIDTH, HEIGHT = 1280, 860

Shoot = Callable[[str], None]


@dataclass(frozen=True)
class Studio:
    """What a story needs."""

    #: On SQLite, with an administrator; nothing was run yet.
    site: Site
    page: Page
    #: Keeps a picture of a stage.
    shoot: Shoot


@contextmanager
def studio(shown: set[str] | None = None) -> Iterator[Studio]:
    """Pictures of the stages that are shown (all, if that is not said) go to docs/images.

    A folder as the program's argument gets all of them, as long as the pages are.
    """
    everything = len(sys.argv) > 1
    images = Path(sys.argv[1]) if everything else IMAGES
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium()), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})

        def shoot(name: str) -> None:
            if everything or shown is None or name in shown:
                page.screenshot(path=images / f"{name}.png", full_page=everything)
            sys.stdout.write(f"{name}.png\n")

        yield Studio(
            Site("sqlite", Path(folder), "", {"KB_ADMIN_USER": USER, "KB_ADMIN_PASSWORD": PASSWORD}), page, shoot
        )
        browser.close()
