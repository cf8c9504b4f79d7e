"""An entry as Markdown and as PDF, whatever was written into it."""

from __future__ import annotations

import random
import re
import time
import zlib
from base64 import a85decode
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from knowledge.exports import EntrySheet, entry_sheet, sheet_markdown, sheet_pdf
from knowledge.exports.glyphs import SANS, printable_xml, spare_glyphs
from knowledge.models import Entry, EntryStatus
from tests.knowledge.page_builders import an_entry

LINK = "https://kb.example.org/entries/1/"


def a_sheet(solution: str, problem: str = "It ends with S0C7.") -> EntrySheet:
    return EntrySheet(title="S0C7: a title", permalink=LINK, facts=(), problem=problem, solution=solution)


def pages(content: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b(?!s)", content))


def drawn(content: bytes) -> str:
    """The text that the pages draw, in order."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL)
    pages_drawn = [stream.strip() for stream in streams if stream.strip().endswith(b"~>")]  # the rest are fonts
    texts = [zlib.decompress(a85decode(stream, adobe=True)) for stream in pages_drawn]
    strings = re.findall(rb"\((?:\\.|[^\\()])*\)", b"\n".join(texts))
    return "\n".join(re.sub(rb"\\([()\\])", rb"\1", string[1:-1]).decode("latin-1") for string in strings)


@pytest.mark.django_db
def test_markdown_holds_the_texts_as_written_with_facts_and_address(client: Client) -> None:
    entry = an_entry(title="S0C7: 2 * 3 <b>", tags=["night_run", "abend"], solution="## Fix\n\n- **Mend** it.")
    Entry.objects.update(success_count=3, failure_count=1)
    response = client.get(reverse("entry_markdown", args=[entry.pk]))
    text = response.content.decode()
    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="s0c7-2-3-b.md"'
    assert text.startswith("# S0C7: 2 \\* 3 \\<b\\>\n\n- Category: COBOL\n- Severity: High\n")
    assert "- Tags: abend, night\\_run\n- Worked: 75 % of 4 votes\n" in text
    assert f"- Link: <http://testserver{reverse('entry', args=[entry.pk])}>\n\n## Problem\n\n" in text
    assert text.endswith("## Fix\n\n- **Mend** it.\n")


def test_a_solution_without_headings_gets_one() -> None:
    assert "\n\n## Solution\n\nJust do it.\n" in sheet_markdown(a_sheet("Just do it."))


@pytest.mark.django_db
def test_the_pdf_is_named_after_the_title_and_says_where_it_came_from(client: Client) -> None:
    entry = an_entry(title="S0C7 in the tax run")
    response = client.get(reverse("entry_pdf", args=[entry.pk]))
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == 'attachment; filename="s0c7-in-the-tax-run.pdf"'
    assert response.content.startswith(b"%PDF-")
    text = drawn(response.content)
    assert "S0C7 in the tax run" in text and f"http://testserver{reverse('entry', args=[entry.pk])}" in text
    assert "Page 1 of 1" in text


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["entry_markdown", "entry_pdf"])
def test_files_of_hidden_entries_are_not_found(client: Client, name: str) -> None:
    entry = an_entry(status=EntryStatus.DRAFT)
    assert client.get(reverse(name, args=[entry.pk])).status_code == 404


@pytest.mark.django_db
def test_files_ask_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    entry = an_entry()
    for name in ("entry_markdown", "entry_pdf"):
        with django_assert_max_num_queries(4):
            client.get(reverse(name, args=[entry.pk]))


def test_the_pdf_draws_every_kind_of_block() -> None:
    solution = (
        "## Diagnose\n\n1. Look at **the** dump\n\n   twice\n2. Then `CEEDUMP`\n\n## Prevent\n\n- Think\n  - again\n\n"
        "```jcl\n//STEP EXEC PGM=SORT\n```\n\n| Hex | Means |\n|---|---|\n| 40 | spaces |\n\n> quoted\n\n---\n\n"
        "[manual](https://example.org/a?b=1&c=2) and [odd](#nowhere) and ~~old~~ <b>bold</b>"
    )
    text = drawn(sheet_pdf(a_sheet(solution)))
    for part in (
        "[ ] 1.",
        "[ ] 2.",
        "Look at ",
        "//STEP EXEC PGM=SORT",
        "spaces",
        "quoted",
        "manual",
        "odd",
        "<b>bold</b>",
    ):
        assert part in text.replace("\n", "") or part in text, part
    assert text.count("[ ]") == 2


def test_characters_that_the_fonts_lack_become_near_ones() -> None:
    text = drawn(sheet_pdf(a_sheet("```\na \u2192 b \u2265 c \u6c4e\n```")))
    assert "a -> b >= c ?" in text.replace("\n", "")


def test_the_file_names_the_characters_that_it_cannot_show(settings: LazySettings, tmp_path: Path) -> None:
    settings.PDF_FONT_DIR = tmp_path
    spare_glyphs.cache_clear()
    assert "U+" not in drawn(sheet_pdf(a_sheet("Caf\u00e9 \u2192 50 \u20ac \u201cquoted\u201d \u200b\u0007")))
    text = drawn(sheet_pdf(a_sheet("\u6c4e\u7528 \u6c4e `\u03a9`"))).replace("\n", " ")
    assert "3 different characters are shown as ?" in text and "U+6C4E, U+7528, U+03A9" in text
    assert "Markdown file" in text
    spare_glyphs.cache_clear()


def test_other_scripts_are_drawn_where_the_machine_has_the_font() -> None:
    spare_glyphs.cache_clear()
    if not spare_glyphs(SANS):
        pytest.skip("DejaVu is not installed here")
    content = sheet_pdf(
        a_sheet("## \u03a9 **\u0416**\n\n`\u2554\u2550\u2557` and\n\n```\n\u2560 \u0416 <b>\n```\n\n\u05d0")
    )
    assert b"DejaVuSans" in content and b"DejaVuSansMono" in content
    assert "U+05D0" in drawn(content) and "U+03A9" not in drawn(content)
    assert printable_xml("a \u03a9 <") == 'a <font face="SpareSans">\u03a9</font> &lt;'


def test_a_broken_font_file_costs_a_warning_and_no_export(
    settings: LazySettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.PDF_FONT_DIR = tmp_path
    (tmp_path / "DejaVuSans.ttf").write_bytes(b"no font")
    spare_glyphs.cache_clear()
    assert sheet_pdf(a_sheet("\u03a9")).startswith(b"%PDF-")
    assert "cannot be used in PDF" in caplog.text
    spare_glyphs.cache_clear()


def test_pages_are_numbered_through() -> None:
    content = sheet_pdf(a_sheet("\n\n".join(f"Line {number} of a long text." for number in range(300))))
    assert pages(content) > 3
    assert f"Page 2 of {pages(content)}" in drawn(content)


@pytest.mark.parametrize(
    "solution",
    [
        "x" * 10_000,
        "```\n" + "y" * 9_900 + "\n```",
        "> " * 4_000 + "deep",
        "- " * 3_000 + "deep",
        "| a " * 2_000 + "|\n" + "|-" * 2_000 + "|\n",
        "| a | b |\n|---|---|\n| " + "word " * 1_900 + "| c |",
        "| a | b |\n|---|---|\n| " + "w" * 9_900 + "| c |",
        "999999999. item\n\n    ```\n    code\n    ```",
        "*" * 10_000,
        "[x](" * 3_000,
        "&#0; &#x1F600; &amp; <a href='#'> </font>",
    ],
)
def test_the_hardest_texts_still_make_a_file(solution: str) -> None:
    assert pages(sheet_pdf(a_sheet(solution))) >= 1


@pytest.mark.parametrize("seed", range(60))
def test_whatever_a_person_writes_makes_a_file(seed: int) -> None:
    parts = ["## ", "# Fix\n", "> ", "- ", "1. ", "`", "```\n", "S0C7 ", "\n", "\n\n", "<b>", "</para>", "&", "*", "**",
             "[x](http://a.b/\"", ")", "| a | b |\n|-|-|\n| c |", "    ", "\t", "\x0b", "汎", "~~", "text " * 9]  # fmt: skip
    written = "".join(random.Random(seed).choices(parts, k=80))
    assert sheet_pdf(a_sheet(written, problem=written)).startswith(b"%PDF-")


def test_the_longest_entry_takes_a_moment() -> None:
    sheet = a_sheet("A sentence about `SORT` and its **keys**. " * 230, problem="Another one. " * 380)
    started = time.process_time()
    sheet_pdf(sheet)
    assert time.process_time() - started < 3


@pytest.mark.django_db
def test_a_sheet_leaves_out_what_is_not_there() -> None:
    entry = an_entry(tags=[], codes=[], title="Nothing known", problem="No code in it", solution="And no code here")
    labels = [label for label, _value in entry_sheet(entry, LINK).facts]
    assert labels == ["Category", "Severity", "Status", "Version"]
