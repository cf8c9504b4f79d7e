"""A move of the database in a browser: planned, checked, rehearsed, watched, gone over, gone back.

`python -m tests.browser.move_story` walks through it while the load script reads and votes, keeps pictures
of it in docs/images (or in the folder that is named), and ends with 0 when nobody met an error.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.browser.pictures import Shoot, studio
from tests.browser.story import log_in
from tests.postgres import postgres_server

#: The pictures that the documentation shows.
SHOWN = {"move-copying", "move-ready", "move-way-back"}
#: Longest wait for a part of a run beside the load, in milliseconds.
RUN_MS = 300_000
#: Rows of the search history, so that the copy takes a moment.
ROWS = "from tests.engine.builders import searches_made; searches_made(20000)"
#: Of the copy, so that it can be watched.
ROWS_PER_SECOND = "2500"


def walk(page: Page, address: str, target: str, shoot: Shoot) -> None:
    """There, and back."""
    log_in(page, address)
    plan(page, target, shoot)
    rehearse(page, shoot)
    number = start(page, shoot)
    watch(page, shoot)
    go(page, address, shoot)
    go_back(page, address, number, shoot)


def plan(page: Page, target: str, shoot: Shoot) -> None:
    """The operator types where to, and sees checks, risks and estimate."""
    parts = urlsplit(target)
    page.locator("#move-database").click()
    page.locator("#target_url").fill(f"postgresql://{parts.username}@{parts.hostname}:{parts.port}{parts.path}")
    page.locator("#password").fill(parts.password or "")
    page.locator("#rows_per_second").fill(ROWS_PER_SECOND)
    shoot("move-form")
    page.get_by_role("button", name="Plan the move").click()
    expect(page.get_by_role("heading", name="Risks")).to_be_visible()
    shoot("move-plan")


def rehearse(page: Page, shoot: Shoot) -> None:
    """They try it on a copy beside the target; what was read and measured is on the plan."""
    page.get_by_role("button", name="Rehearse on a copy").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Succeeded", timeout=RUN_MS)
    shoot("move-rehearsal")
    page.go_back()
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("Every value fits")).to_be_visible()
    shoot("move-checked")
    page.get_by_role("link", name="Every table and column").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Values of plan")
    shoot("move-values")
    page.go_back()


def start(page: Page, shoot: Shoot) -> str:
    """They start it with the typed word; the number of the run."""
    page.get_by_role("link", name="Start…").click()
    page.locator("#confirmation").fill(page.locator("label[for=confirmation] .code").inner_text())
    shoot("move-start")
    page.get_by_role("button", name="Start the run").click()
    return page.url.rstrip("/").rpartition("/")[2]


def watch(page: Page, shoot: Shoot) -> None:
    """Tables are copied and compared, until the run waits for the go."""
    expect(page.get_by_text("Copying", exact=True).first).to_be_visible(timeout=RUN_MS)
    shoot("move-copying")
    page.locator("#move-speed-rows").fill("0")
    page.get_by_role("button", name="Set the speed").click()
    expect(page.get_by_text("Copied 100 %, verified, waiting for your go")).to_be_visible(timeout=RUN_MS)
    shoot("move-ready")
    page.get_by_role("link", name="The ledger").click()
    expect(page.get_by_text("Every row is equal")).to_be_visible()
    shoot("move-ledger")
    page.go_back()


def go(page: Page, address: str, shoot: Shoot) -> None:
    """They say go; the site goes over, and the overview says how far the old database is behind."""
    page.locator("#move-go").click()
    page.locator("#confirmation").fill(page.locator("label[for=confirmation] .code").inner_text())
    shoot("move-go")
    page.get_by_role("button", name="Cut over").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Succeeded", timeout=RUN_MS)
    expect(page.locator("#move-go-back")).to_be_visible()
    shoot("move-moved")
    page.goto(f"{address}/console/")
    expect(page.get_by_role("heading", name="the way back is open")).to_be_visible()
    expect(page.get_by_text("postgresql://").first).to_be_visible()
    shoot("move-way-back")


def go_back(page: Page, address: str, number: str, shoot: Shoot) -> None:
    """They go back with everything written since."""
    page.get_by_role("link", name="Go back…").click()
    page.locator("#confirmation").fill(page.locator("label[for=confirmation] .code").inner_text())
    page.locator("#reason").fill("Only a trial")
    shoot("move-go-back")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Rolled back", timeout=RUN_MS)
    shoot("move-returned")
    page.goto(f"{address}/console/")
    expect(page.get_by_text("sqlite:").first).to_be_visible()


def main() -> int:
    """Serve a new site, move it there and back under load, keep the pictures; 0 when nobody met an error."""
    expect.set_options(timeout=30_000)  # the load works beside it
    target = postgres_server().create_database()
    with studio(SHOWN) as here:
        here.site.manage("migrate", "--verbosity=0")
        here.site.manage("shell", "--verbosity=0", "--command", ROWS)
        with here.site.served() as served:
            load = here.site.spawn("-m", "tests.load", served.address, "--seconds", "600", stdout=subprocess.PIPE)
            try:
                walk(here.page, served.address, target, here.shoot)
            except Exception:
                sys.stdout.write(here.page.locator("main").inner_text())
                raise
            finally:
                load.send_signal(signal.SIGINT)
                sys.stdout.write(load.communicate(timeout=60)[0].rpartition("\r")[2])
    return load.returncode


if __name__ == "__main__":
    raise SystemExit(main())
