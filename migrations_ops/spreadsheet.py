"""Texts as cells of a table that a spreadsheet opens without running anything in it."""

from __future__ import annotations

import re

#: A spreadsheet takes a cell for a formula that begins so, some of them behind blanks or with wide signs.
#: Quotes before it count, so that escaping is reversible.
_FORMULA = re.compile(r"'* *[=+\-@\t\r\n＝＋－＠]")
_ESCAPED_FORMULA = re.compile(r"'+ *[=+\-@\t\r\n＝＋－＠]")


def cell_escaped(text: str) -> str:
    """The text with a quote before anything that a spreadsheet would run."""
    return f"'{text}" if _FORMULA.match(text) else text


def cell_unescaped(text: str) -> str:
    """The text without the quote that `cell_escaped` put there."""
    return text[1:] if _ESCAPED_FORMULA.match(text) else text
