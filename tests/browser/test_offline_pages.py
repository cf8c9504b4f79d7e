"""The exported pages open from a disk and find entries there."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from knowledge.transfer.exporting import ExportFilter, ExportFormat, export_write
from tests.knowledge.page_builders import an_entry

pytestmark = pytest.mark.django_db(transaction=True)


def test_exported_pages_find_entries_from_a_disk(page: Page, tmp_path: Path) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    an_entry(title="S0C7: data <b>exception</b>")
    an_entry(title="Queue full")
    result = export_write(path=tmp_path / "pages.zip", file_format=ExportFormat.HTML, chosen=ExportFilter())
    with zipfile.ZipFile(result.path) as archive:
        archive.extractall(tmp_path / "pages")
    page.goto(f"file://{tmp_path}/pages/index.html")
    page.fill("#query", "s0c7 exception")
    expect(page.locator("#results a").first).to_have_text("S0C7: data <b>exception</b>")
    expect(page.locator("#said")).to_contain_text("found")
    page.locator("#results a").first.click()
    expect(page.locator("h1")).to_have_text("S0C7: data <b>exception</b>")
    assert page.evaluate("getComputedStyle(document.body).maxWidth") == "800px"
    assert said == []
