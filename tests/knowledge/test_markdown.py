"""Markdown of entries becomes HTML that is safe under a strict content policy."""

from __future__ import annotations

import pytest

from knowledge.markdown import markdown_html


def test_code_fences_are_coloured_by_classes_and_not_by_styles() -> None:
    html = markdown_html("```sql\nSELECT 1\n```\n```jcl\n//STEP1 EXEC PGM=A\n```\n```cobol\n       MOVE A TO B.\n```")
    assert html.count('<span class="') > 3
    assert "style=" not in html
    assert 'class="language-sql"' in html


def test_tables_and_lists_are_rendered() -> None:
    html = markdown_html("| a | b |\n|--:|---|\n| 1 | 2 |\n\n1. one\n2. two")
    assert "<td>1</td>" in html
    assert "<ol>" in html
    assert "style=" not in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](http://example.com/x.png)",
        '<a href="x" onclick="y">z</a>',
        '```"onmouseover=x\n<script>\n```',
        "<svg/onload=alert(1)>",
        "<!--><script>alert(1)</script>-->",
        "```sql onmouseover=alert(1)\n<b>\n```",
    ],
)
def test_nothing_that_runs_comes_through(text: str) -> None:
    html = markdown_html(text).lower()
    for forbidden in ("<script", "<img", "<svg", 'href="javascript', 'href="data', "<b>"):
        assert forbidden not in html
    assert not any(
        f" {event}=" in tag for event in ("onerror", "onclick", "onmouseover", "onload") for tag in tags_of(html)
    )


def tags_of(html: str) -> list[str]:
    return [part.split(">")[0] for part in html.split("<")[1:]]


@pytest.mark.parametrize("text", ["", "\ud7ff", "*" * 5_000, "[" * 5_000, "> " * 2_000, "```" * 1_000, "- " * 2_000])
def test_odd_text_is_rendered_without_an_error(text: str) -> None:
    markdown_html(text)
