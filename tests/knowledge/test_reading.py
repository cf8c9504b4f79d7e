"""Stored HTML ready to read: headings with addresses, parts, codes as links."""

from __future__ import annotations

import random
import time
from html.parser import HTMLParser

import pytest

from knowledge.markdown import markdown_html
from knowledge.reading import reading_text

LINKS = {"S0C7": "/codes/S0C7/", "SQLCODE -803": "/codes/SQLCODE%20-803/", "S322": '/codes/"&/'}


def read(markdown: str) -> str:
    return str(reading_text(markdown_html(markdown), LINKS).html)


def test_headings_get_ids_and_are_listed_in_order() -> None:
    found = reading_text(markdown_html("## Likely *causes*\n\n### By `SORT`\n\n## Fix\n\n## Fix\n\n#### Deep"), {})
    assert [(heading.id, heading.text, heading.level) for heading in found.headings] == [
        ("s-likely-causes", "Likely causes", 2),
        ("s-by-sort", "By SORT", 3),
        ("s-fix", "Fix", 2),
        ("s-fix-2", "Fix", 2),
    ]
    assert '<h2 id="s-likely-causes">Likely <em>causes</em></h2>' in found.html


def test_a_heading_without_letters_has_an_id_too() -> None:
    assert '<h2 id="s-part">汎用機</h2>' in read("## 汎用機")


def test_parts_with_steps_are_marked() -> None:
    html = read("Intro\n\n## Diagnose\n\n1. Look\n\n## Prevent\n\n- Think")
    assert '<section class="part part--steps"><h2 id="s-diagnose">' in html
    assert '</section><section class="part"><h2 id="s-prevent">' in html
    assert html.count("<section") == html.count("</section>") == 2


def test_a_heading_inside_a_quote_opens_no_part() -> None:
    assert "<section" not in read("> ## Fix\n> text")


def test_codes_are_linked_once_a_part_in_any_spelling() -> None:
    html = read("It ends with soc7, S0C7 again.\n\n## Fix\n\nFor S0C7 and `SQLCODE=-803`.")
    assert html.count('<a class="codelink" href="/codes/S0C7/">') == 2
    assert '<a class="codelink" href="/codes/S0C7/">soc7</a>, S0C7 again' in html
    assert '<code><a class="codelink" href="/codes/SQLCODE%20-803/">SQLCODE=-803</a></code>' in html


def test_listings_links_and_headings_stay_as_they_are() -> None:
    html = read("## S0C7\n\n```\nABEND=S0C7\n```\n\n[see S0C7](https://example.org/)")
    assert "codelink" not in html


def test_a_code_without_a_page_is_no_link() -> None:
    assert "codelink" not in read("It ends with S0C4.")


def test_text_and_addresses_stay_escaped() -> None:
    html = read('S322 if A < B & "C" > D')
    assert '<a class="codelink" href="/codes/&quot;&amp;/">S322</a> if A &lt; B &amp; "C" &gt; D' in html


class Balance(HTMLParser):
    """Fails at the first element that is closed in the wrong place, and at any that should not be there."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "style", "img", "iframe", "svg"}
        assert not any(name.startswith("on") for name, _value in attrs)
        if tag not in {"br", "hr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("seed", range(150))
def test_whatever_a_person_writes_the_page_stays_whole_and_clean(seed: int) -> None:
    parts = ["## ", "# Fix\n", "> ", "- ", "1. ", "`", "```\n", "S0C7 ", "\n", "\n\n", "<script>", "</section>", "<h2>",
             "<a href=\"javascript:x\">", "[x](", ")", "\"", "'", ">", "&lt;", "&", "*", "|", "|-|\n", "text", "\0"]  # fmt: skip
    written = "".join(random.Random(seed).choices(parts, k=60))
    parser = Balance()
    parser.feed(read(written))
    parser.close()
    assert parser.open == []


def test_the_longest_text_is_read_quickly() -> None:
    html = markdown_html("S0C7 and `SQLCODE -803` < & \n" * 350)
    started = time.process_time()
    reading_text(html, LINKS)
    reading_text('<a href="' * 2_000, LINKS)
    assert time.process_time() - started < 2
