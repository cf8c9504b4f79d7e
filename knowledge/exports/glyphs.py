"""Styles of the PDF, and text in the characters that its fonts have.

The standard fonts of PDF know western letters. Greek, Cyrillic and other scripts come from DejaVu where the machine
has it (setting PDF_FONT_DIR); characters that no font has are question marks, and the file says so.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from html import escape
from itertools import groupby
from unicodedata import bidirectional, category

from django.conf import settings
from reportlab.lib.fonts import addMapping
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont

logger = logging.getLogger(__name__)

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
#: Marks that join, order or vary other characters.
_UNSEEN = frozenset({"Cf", "Cs"})
#: What the standard fonts lack: everything beyond their encoding, cp1252.
_KNOWN = "".join(sorted({bytes([byte]).decode("cp1252", "ignore") for byte in range(256)} - {""}))
_FOREIGN = re.compile(f"([^{re.escape(_KNOWN)}]+)")

SANS, MONO = "Helvetica", "Courier"
#: Standard font -> name and file of the one that has other scripts.
_SPARE = {SANS: ("SpareSans", "DejaVuSans.ttf"), MONO: ("SpareMono", "DejaVuSansMono.ttf")}

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
    """The text in the characters of the standard fonts; the others become a question mark."""
    return plain(text).encode("cp1252", "replace").decode("cp1252")


def printable_xml(text: str, font: str = SANS) -> str:
    """The text, escaped for a paragraph's markup; other scripts in the spare font of this kind where it has them."""
    pieces = []
    for piece in _FOREIGN.split(plain(text)):
        if _FOREIGN.fullmatch(piece):
            pieces += [_spared(run, font) for run in runs_by_font(piece, font)]
        else:
            pieces.append(escape(printable(piece), quote=False))
    return "".join(pieces)


def plain(text: str) -> str:
    """The text without what is not to be seen, near spellings where the standard fonts want them."""
    return "".join(
        one for one in _CONTROL.sub("", text.translate(_NEAR)) if one.isascii() or category(one) not in _UNSEEN
    )


def characters_lacking(*texts: str) -> list[str]:
    """The characters of these texts that no font here has, each once, in their order."""
    foreign = dict.fromkeys(one for text in texts for run in _FOREIGN.findall(plain(text)) for one in run)
    return [one for one in foreign if not _has(SANS, one)]


def runs_by_font(text: str, font: str) -> list[tuple[bool, str]]:
    """The text in pieces: whether the spare font has them."""
    return [(has, "".join(run)) for has, run in groupby(text, key=lambda one: _has(font, one))]


def _spared(run: tuple[bool, str], font: str) -> str:
    has, text = run
    return f'<font face="{_SPARE[font][0]}">{escape(text, quote=False)}</font>' if has else "?" * len(text)


def _has(font: str, character: str) -> bool:
    # Scripts written from right to left would come out backwards.
    return ord(character) in spare_glyphs(font) and bidirectional(character) not in {"R", "AL"}


@cache
def spare_glyphs(font: str) -> frozenset[int]:
    """The characters of the spare font, which is registered with reportlab; none where its file is missing."""
    name, file = _SPARE[font]
    path = settings.PDF_FONT_DIR / file
    if not path.is_file():
        return frozenset()
    try:
        spare = TTFont(name, str(path))
    except (TTFError, OSError) as error:
        logger.warning("The font %s cannot be used in PDF files: %s", path, error)
        return frozenset()
    registerFont(spare)
    for bold, italic in ((0, 0), (1, 0), (0, 1), (1, 1)):
        addMapping(name, bold, italic, name)
    return frozenset(spare.face.charToGlyph)
