"""The story of the README: from a search at MVP1 to analytics at MVP2 and back, in a browser.

The test walks through it; `python -m tests.browser.story` walks through it too and keeps a picture
of every stage in docs/images.
"""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.pictures import PASSWORD, USER, Shoot, studio

#: Longest wait for a run to end, in milliseconds.
RUN_MS = 90_000


def walk(page: Page, address: str, shoot: Shoot) -> None:
    """The whole story; `shoot` is called with the name of every stage."""
    read(page, address, shoot)
    log_in(page, address)
    plan(page, address, shoot)
    rehearse(page, shoot)
    go_up(page, shoot)
    use_analytics(page, address, shoot)
    come_back(page, address, shoot)


def read(page: Page, address: str, shoot: Shoot) -> None:
    """A reader searches a code, opens the entry, and says that it worked."""
    page.goto(address)
    shoot("home")
    for query in ("sqlcode -811", "zzyzx", "zzyzx", "zzyzx", "S0C7"):
        page.goto(address)
        page.get_by_role("searchbox").first.fill(query)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("search"))
    shoot("results")
    page.get_by_role("link", name=re.compile("S0C7.*number")).first.click()
    page.get_by_role("button", name="It worked").click()
    expect(page.get_by_text("Your vote is counted").first).to_be_visible()
    shoot("entry")


def log_in(page: Page, address: str) -> None:
    """The administrator logs in."""
    page.goto(f"{address}/login/?next=/console/")
    page.locator("[name=username]").fill(USER)
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The site is at MVP1")).to_be_visible()


def plan(page: Page, address: str, shoot: Shoot) -> None:
    """They plan the next level and see risk, checks and the way back."""
    shoot("console")
    page.get_by_role("button", name="Plan MVP2").first.click()
    expect(page.get_by_role("heading", name="Risks")).to_be_visible()
    expect(page.get_by_text("This plan was not rehearsed.").first).to_be_visible()
    shoot("plan")


def rehearse(page: Page, shoot: Shoot) -> None:
    """They rehearse the plan on a copy and look at it again."""
    page.get_by_role("button", name="Rehearse on a copy").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Succeeded", timeout=RUN_MS)
    shoot("rehearsal")
    page.get_by_role("link", name="Back to plan").click()
    expect(page.get_by_text("This plan was not rehearsed.")).to_have_count(0)


def go_up(page: Page, shoot: Shoot) -> None:
    """They start it with the typed word and watch it."""
    page.get_by_role("link", name="Start…").click()
    page.locator("#confirmation").fill("MVP2")
    page.locator("#reason").fill("The team asked for analytics")
    shoot("start")
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Succeeded", timeout=RUN_MS)
    expect(page.locator(".site-footer")).to_contain_text("MVP 2")
    shoot("run")


def use_analytics(page: Page, address: str, shoot: Shoot) -> None:
    """The searches made before the upgrade are in analytics."""
    page.goto(address)
    page.get_by_role("link", name="Analytics").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Analytics")
    expect(page.get_by_text("zzyzx").first).to_be_visible()
    shoot("analytics")


def come_back(page: Page, address: str, shoot: Shoot) -> None:
    """They roll the run back; the level closes and nothing of MVP1 is gone."""
    page.goto(f"{address}/console/runs/")
    page.locator("a[href$='/console/runs/2/']").first.click()
    page.get_by_role("link", name="Roll back…").click()
    expected = page.locator("label[for=confirmation] .code").inner_text()
    page.locator("#confirmation").fill(expected)
    page.locator("#reason").fill("Only a trial")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Rolled back", timeout=RUN_MS)
    shoot("rolled-back")
    page.goto(f"{address}/console/")
    expect(page.get_by_role("heading", name="The site is at MVP1")).to_be_visible()
    page.goto(f"{address}/search/?q=S0C7")
    expect(page.get_by_role("link", name=re.compile("S0C7")).first).to_be_visible()


def main() -> None:
    """Serve a new site, walk through the story, keep the pictures."""
    with studio() as here, here.site.served() as served:
        walk(here.page, served.address, here.shoot)


if __name__ == "__main__":
    main()
