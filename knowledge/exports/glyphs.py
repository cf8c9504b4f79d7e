"""Styles of the PDF, and text in the characters that its fonts have."""

from __future__ import annotations

import re
from html import escape

from reportlab.lib.styles import ParagraphStyle

#: Near spellings for characters that the standard fonts of PDF lack.
_NEAR = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2212\ufe63\uff0d", "-")
    | dict.fromkeys("\u2000\u2001\u2002\u2003\u2007\u2009\u200a\u202f\u3000", " ")
    | {
        "\u2192": "->", "\u2190": "<-", "\u21d2": "=>", "\u2194": "<->", "\u2264": "<=", "\u2265": ">=",
        "\u2260": "<>", "\u2248": "~", "\u2713": "x", "\u2714": "x", "\u2610": "[ ]", "\u2611": "[x]",
        "\u200b": "", "\u200d": "", "\ufeff": "", "\u25cf": "\u2022",
    }
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=9.5, leading=13.5, spaceAfter=4)
STYLES = {
    "body": _BODY,
    "title": ParagraphStyle("title", parent=_BODY, fontName="Helvetica-Bold", fontSize=16, leading=20, spaceAfter=5),
    "facts": ParagraphStyle("facts", parent=_BODY, fontSize=8, leading=11, textColor="#53606a"),
    "h1": ParagraphStyle("h1", parent=_BODY, fontName="Helvetica-Bold", fontSize=14, leading=18, keepWithNext=1),
    "h2": ParagraphStyle(
        "h2", parent=_BODY, fontName="Helvetica-Bold", fontSize=12, leading=16, spaceBefore=7, keepWithNext=1
    ),
    "h3": ParagraphStyle(
        "h3", parent=_BODY, fontName="Helvetica-Bold", fontSize=10.5, leading=14, spaceBefore=4, keepWithNext=1
    ),
    "item": ParagraphStyle("item", parent=_BODY, bulletFontName="Helvetica", bulletFontSize=_BODY.fontSize),
    "cell": ParagraphStyle("cell", parent=_BODY, fontSize=8.5, leading=11, spaceAfter=0),
    "listing": ParagraphStyle(
        "listing", parent=_BODY, fontName="Courier", fontSize=8, leading=10.4, borderPadding=5, leftIndent=6, rightIndent=6, spaceBefore=9,
        spaceAfter=10, backColor="#f1f4f5", borderColor="#dce1e4", borderWidth=0.5,
    ),
}  # fmt: skip


def printable(text: str) -> str:
    """The text in the characters of the standard fonts."""
    near = _CONTROL.sub("", text.translate(_NEAR))
    return near.encode("cp1252", "replace").decode("cp1252")


def printable_xml(text: str) -> str:
    """The same, escaped for a paragraph's markup."""
    return escape(printable(text), quote=False)
