"""What a real browser makes of hostile Markdown: its parser mends and moves markup in ways that ours does not."""

from __future__ import annotations

from playwright.sync_api import Page

from knowledge.markdown import _ATTRIBUTES, _TAGS, markdown_html
from knowledge.reading import reading_text
from tests.hostile import PIECES, hostile_text

#: The elements of the frame, and what knowledge.reading adds.
OTHERS = {"html", "head", "body", "main", "article", "section", "title"}
LOOK = """() => [...document.querySelectorAll('*')].map(one => [
    one.localName, [...one.attributes].map(a => a.name), one.localName === 'a' ? one.protocol : ''])"""


def test_nothing_runs_and_nothing_breaks_out(page: Page) -> None:
    texts = [*PIECES, *(hostile_text(seed) for seed in range(400))]
    parts = [reading_text(markdown_html(text), {"S0C7": "/codes/S0C7/"}).html for text in texts]
    ran: list[str] = []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))

    page.set_content("<title>x</title><main>" + "".join(f"<article>{part}</article>" for part in parts) + "</main>")
    page.evaluate("document.querySelectorAll('main *').forEach(one => one.dispatchEvent(new Event('mouseover')))")

    names = {"id", "class", "rel"}.union(*_ATTRIBUTES.values())
    for tag, attributes, protocol in page.evaluate(LOOK):
        assert tag in _TAGS | OTHERS
        assert set(attributes) <= names
        assert protocol in {"", ":", "about:", "http:", "https:", "mailto:"}, protocol
    assert page.locator("main > article").count() == len(texts)
    assert ran == [] and [url for url in requests if url != "about:blank"] == []
