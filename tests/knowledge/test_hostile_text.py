"""Whatever people write: pages hold nothing that runs, and files and feeds can be read."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit
from xml.dom.minidom import parseString

import pytest
from django.test import Client
from django.urls import reverse

from knowledge.exports import EntrySheet, sheet_markdown, sheet_pdf
from knowledge.markdown import _ATTRIBUTES, _SCHEMES, _TAGS, markdown_html
from knowledge.models import TITLE_CHARS, Entry
from knowledge.reading import reading_text
from knowledge.search import entry_search
from knowledge.text import storable
from tests.hostile import PIECES, hostile_text
from tests.knowledge.page_builders import an_entry

TEXTS = 400
#: What knowledge.reading and the search add to what Markdown may hold.
ADDED = {"section": {"class"}, "mark": set(), **{f"h{level}": {"id"} for level in range(1, 7)}}
LINKS = {"S0C7": "/codes/S0C7/", "SQLCODE -803": "/codes/SQLCODE%20-803/"}


class Judge(HTMLParser):
    """Notes everything in a piece of HTML that should not be there."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS | ADDED.keys():
            self.found.append(f"<{tag}>")
        allowed = _ATTRIBUTES.get(tag, set()) | ADDED.get(tag, set()) | ({"rel", "class"} if tag == "a" else set())
        self.found += [f"<{tag} {name}>" for name, _value in attrs if name not in allowed]
        for name, value in attrs:
            # Browsers drop blanks and control characters before they look at the scheme.
            scheme = urlsplit(re.sub(r"[\x00-\x20]", "", value or "")).scheme if name == "href" else ""
            if scheme and scheme not in _SCHEMES:
                self.found.append(f"href={value}")

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!--{data}")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"<!{decl}")

    def unknown_decl(self, data: str) -> None:
        self.found.append(f"<![{data}")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"<?{data}")


def wrong(html: str) -> list[str]:
    judge = Judge()
    judge.feed(html)
    judge.close()
    return judge.found


def test_the_judge_finds_what_is_wrong() -> None:
    for bad in ("<script>", "<p onclick=x>", '<a href="java\tscript:x">', "<!-- -->", "<img>", '<p style="x">', "<?x>"):
        assert wrong(bad), bad
    assert not wrong('<h2 id="s-fix">Fix</h2><p><a href="https://a.example" rel="nofollow">a</a></p>')


@pytest.mark.parametrize("text", PIECES)
def test_each_piece_alone_is_harmless(text: str) -> None:
    html = markdown_html(text)
    assert wrong(html) == wrong(reading_text(html, LINKS).html) == []


def test_hundreds_of_mixtures_are_harmless() -> None:
    texts = [hostile_text(seed) for seed in range(TEXTS)]
    found = {
        text: wrong(html) + wrong(reading_text(html, LINKS).html) for text in texts if (html := markdown_html(text))
    }
    assert {text: problems for text, problems in found.items() if problems} == {}


@pytest.mark.parametrize("seed", range(40))
def test_files_are_made_of_any_text(seed: int) -> None:
    text = storable(hostile_text(seed))
    facts = (("Codes", text[:200]), (text[:20], "x"))
    sheet = EntrySheet(
        title=text[:255], permalink="https://kb.example.org/1/", facts=facts, problem=text, solution=text[::-1]
    )
    assert sheet_pdf(sheet).startswith(b"%PDF-") and sheet_markdown(sheet)


@pytest.mark.django_db
def test_pages_feed_and_answers_of_such_entries_can_be_read(client: Client) -> None:
    for seed in range(12):
        title = f"S0C7 {hostile_text(seed, 6)}"[: TITLE_CHARS[1]]
        an_entry(
            title=title,
            problem=f"S0C7 {hostile_text(seed + 100)}",
            solution=f"S0C7 {hostile_text(seed + 200)}",
            tags=["tag", hostile_text(seed, 3)[:60]],
        )
    assert Entry.objects.count() == 12
    for hit in entry_search("S0C7 script", page_size=50).hits:
        assert wrong(hit.snippet_html) == wrong(hit.title_html) == []
    parseString(client.get(reverse("feed")).content)  # noqa: S318 - our own feed
    assert len(client.get(reverse("api:search"), {"q": "S0C7"}).json()["items"]) == 12
    names = ("entry", "entry_pdf", "entry_markdown", "entry_history")
    for entry in Entry.objects.all():
        for name in names:
            assert client.get(reverse(name, args=[entry.pk]), follow=True).status_code == 200
