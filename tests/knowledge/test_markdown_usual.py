"""Usual Markdown is made to HTML without the parser, and nobody can tell."""

from __future__ import annotations

import random

import pytest

from knowledge.markdown import markdown_html, parsed_html
from knowledge.markdown_usual import usual_html
from knowledge.starter import starter_read
from tests.corpus import Corpus

#: Pieces that mean something side by side.
PIECES = [
    "a", "b ", "S0C7", "\n", "\n\n", "- ", "\n- ", "\n- x", "* ", "\n* y", "\n+ z", "\n1. y", "\n2. z", "1. ", "2) ", "# ", "\n## h", " #",
    "   ", "    ", "\n     c", "  ", "`", "`q`", "``", "*", "**b**", "**", "_", "~~", "|", "\n---", "===", "> ", "<b>",
    ">", "<", "<http://x.y>", "&amp;", "&", "\\", "[a](b)", "[", "!", "\n```\n", "```", "```foo\n", "\u00e9", '"', "'",
    ".", ":", "(", ")", "1", " \n", "\n  d", " *\n", "x_y", "\u00a0", "\t", "\u2028", "]: /u\n", "\n|-|-|\n", "```jcl\n",
]  # fmt: skip


def _asked(_text: str) -> str:
    raise AssertionError("the parser was asked")


def test_our_texts_get_the_html_that_the_parser_gives_them() -> None:
    corpus = Corpus(1_000)
    entries = [*starter_read().entries[::6], *(corpus.entry(number)[0] for number in range(150))]
    texts = [entry[name] for entry in entries for name in ("problem", "solution")]
    assert [text for text in texts if markdown_html(text) != parsed_html(text)] == []


def test_texts_of_all_sorts_get_the_html_that_the_parser_gives_them() -> None:
    chance = random.Random(20)
    texts = ["".join(chance.choices(PIECES, k=chance.randint(1, 14))) for _ in range(2_500)]
    assert [text for text in texts if markdown_html(text) != parsed_html(text)] == []


def test_a_usual_text_does_without_the_parser() -> None:
    text = (
        "Ends with `S0C7` & <nothing>.\n     Goes on.\n\n## Fix\n\n1. **Look** at `A*B`.\n2. Correct WS_RATE.\n\n"
        "- one\n- two\n  more\n* three\n\n```\nIF A < B\n```\n\n    //SYSIN DD *"
    )
    made = usual_html(text.replace("<nothing>", "< nothing"), _asked)
    assert made == parsed_html(text.replace("<nothing>", "< nothing"))
    assert "<strong>Look</strong>" in made
    assert "<li>two\nmore</li>\n</ul>\n<ul>\n<li>three</li>" in made


@pytest.mark.parametrize(
    "text", ["> a", "- a\n  - b", "- a\n\n- b", "| a |\n|---|\n| b |", "a\n---", "```jcl\n//A JOB", "[a]: /b", "a\tb"]
)
def test_an_unusual_text_is_left_to_the_parser(text: str) -> None:
    assert usual_html(text, _asked) is None
