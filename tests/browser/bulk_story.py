"""Bulk data in a browser: a spreadsheet goes out and comes back, and whatever breaks is found and mended.

The test walks through it on both databases; `python -m tests.browser.bulk_story` walks through it too and keeps
pictures in docs/images, or of every stage in the folder that is named.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import openpyxl
from playwright.sync_api import Page, expect

from tests.browser.pictures import PASSWORD, USER, Shoot, studio
from tests.browser.story import RUN_MS
from tests.sites import ServedSite, Site

#: Stages that the README shows.
SHOWN = {"bulk-rows", "checks", "health"}
#: Rows of the spreadsheet whose title a person changes.
CHANGED = 2
TABLES = """
import json
from migrations_ops.archive import tables_manifest
from migrations_ops.checkpoints import tables_open
print(json.dumps(tables_manifest(tables_open(1))))
"""


def walk(page: Page, served: ServedSite, folder: Path, shoot: Shoot) -> None:
    """The whole story; `shoot` is called with the name of every stage."""
    log_in(page, served.address)
    before = tables(served.site)
    bring_back(page, served.address, edited(exported(page, served.address, shoot, folder)), shoot)
    take_back(page, served.address, shoot)
    after = tables(served.site)
    assert [name for name in before if after[name] != before[name]] == ["search_history"]  # they have searched once
    expected: dict[str, str] = json.loads(served.site.python("-m", "tests.browser.damage", "done").stdout)
    page.goto(f"{served.address}/console/health/")
    shoot("health")
    broken(page, served.address, expected, shoot)
    repaired(page, served, shoot)


def tables(site: Site) -> dict[str, object]:
    """What a checkpoint would say of every table."""
    printed = site.manage("shell", "--verbosity=0", "--command", TABLES).stdout
    found: dict[str, object] = json.loads(printed.strip().splitlines()[-1])
    return found


def log_in(page: Page, address: str) -> None:
    """The administrator logs in."""
    page.goto(f"{address}/login/?next=/bulk/")
    page.locator("[name=username]").fill(USER)
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing imported yet")).to_be_visible()


def exported(page: Page, address: str, shoot: Shoot, folder: Path) -> Path:
    """The starter knowledge base as a workbook."""
    page.locator("#new-export").click()
    page.get_by_label(re.compile("XLSX|workbook", re.IGNORECASE)).check()
    shoot("bulk-export")
    page.locator("#start-export").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Succeeded", timeout=RUN_MS)
    page.goto(f"{address}/bulk/")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download")).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def edited(path: Path) -> Path:
    """Two titles are changed as a person would change them, and a row is added."""
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    columns = {str(cell.value): cell.column for cell in sheet[1]}
    for number in range(2, 2 + CHANGED):
        cell = sheet.cell(number, columns["title"])
        cell.value = f"{cell.value} (checked)"
    new = {"title": "Added in the spreadsheet", "category": "JCL", "severity": "low", "status": "published"}
    new |= {"problem": "A row that the site has not seen yet.", "solution": "It gets an entry of its own."}
    sheet.append([new.get(name) for name in columns])
    book.save(path)
    return path


def bring_back(page: Page, address: str, path: Path, shoot: Shoot) -> None:
    """The file is previewed row by row and imported."""
    page.goto(f"{address}/bulk/")
    page.locator("#new-import").click()
    page.locator("#file").set_input_files(path)
    page.locator("#bring").click()
    imported = page.url
    shoot("bulk-columns")
    page.locator("#preview-import").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Succeeded", timeout=RUN_MS)
    page.goto(imported)
    expect(page.get_by_role("heading", name="What it would do")).to_be_visible()
    shoot("bulk-preview")
    page.locator("#rows").click()
    page.get_by_role("link", name=re.compile(r"^Change", re.IGNORECASE)).click()
    expect(page.locator("tbody ins")).to_have_count(CHANGED)
    expect(page.locator("tbody ins").first).to_contain_text("(checked)")
    shoot("bulk-rows")
    page.goto(imported)
    page.locator("#start-import").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Succeeded", timeout=RUN_MS)
    page.goto(f"{address}/search/?q=Added+in+the+spreadsheet")
    expect(page.get_by_role("link", name="Added in the spreadsheet")).to_be_visible()
    page.goto(imported)
    expect(page.get_by_role("heading", name="What was imported")).to_be_visible()
    shoot("bulk-import")


def take_back(page: Page, address: str, shoot: Shoot) -> None:
    """They undo it."""
    page.locator("#undo").click()
    shoot("bulk-undo")
    confirmed(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile("Rolled back|Succeeded"), timeout=RUN_MS)
    page.goto(f"{address}/bulk/")
    shoot("bulk")


def confirmed(page: Page) -> None:
    """What a page asks for is typed, and its button pressed."""
    if page.locator("#confirmation").count():
        page.locator("#confirmation").fill(page.locator("label[for=confirmation] .code").inner_text())
    if page.locator("#reason[required]").count():
        page.locator("#reason").fill("Only a trial")
    page.locator(".form__actions .btn--primary").click()


def checked(page: Page, address: str) -> str:
    """The worker asks every check; what the page says then."""

    def last() -> int | None:
        number: int | None = page.request.get(f"{address}/console/checks.json").json()["check"]
        return number

    page.goto(f"{address}/console/checks/")
    before = last()
    page.get_by_role("button", name="Check all now").click()
    for _ in range(120):
        page.wait_for_timeout(250)
        if last() != before:
            break
    page.goto(f"{address}/console/checks/")
    return page.get_by_role("heading", level=1).inner_text()


def broken(page: Page, address: str, expected: dict[str, str], shoot: Shoot) -> None:
    """Each check finds what was broken for it, with an example, and nothing else is found."""
    assert checked(page, address) == f"{len(expected)} checks found problems", page.locator("main").inner_text()
    shoot("checks")
    for name, words in expected.items():
        assert words in page.locator(f"#{name}").inner_text(), (name, page.locator(f"#{name}").inner_text())


def repaired(page: Page, served: ServedSite, shoot: Shoot) -> None:
    """Each repair is looked at and run; what has none is mended by hand; then all is well."""
    links = page.get_by_role("link", name="Repair…").all()
    for path in [str(link.get_attribute("href")) for link in links]:
        page.goto(served.address + path)
        assert not page.get_by_text("Not possible now").count(), page.locator("main").inner_text()
        shoot(f"repair-{path.rstrip('/').rpartition('/')[2]}")
        confirmed(page)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Succeeded", timeout=RUN_MS)
    served.site.python("-m", "tests.browser.damage", "mended")
    assert checked(page, served.address) == "All checks passed", page.locator(
        ".finding--fail, .finding--warn"
    ).all_inner_texts()
    shoot("checks-passed")


def main() -> None:
    """Serve a new site, walk through the story, keep the pictures."""
    with studio(SHOWN) as here, here.site.served() as served, tempfile.TemporaryDirectory() as folder:
        walk(here.page, served, Path(folder), here.shoot)


if __name__ == "__main__":
    main()
