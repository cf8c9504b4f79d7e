"""An entry as a PDF: A4, listings in one width, a box before each step, the address and page on every page.

It draws the Markdown that knowledge.markdown renders, from the same tokens. The fonts are the ones that
every PDF reader has, and for other scripts one of the machine's; what none of them has becomes the nearest plain
spelling, or a question mark, and the file says how many.
"""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import HRFlowable, Paragraph, SimpleDocTemplate, Spacer
from reportlab.platypus.doctemplate import LayoutError

from knowledge.exports.blocks import Blocks, listing
from knowledge.exports.glyphs import STYLES, characters_lacking, printable, printable_xml
from knowledge.exports.sheet import EntrySheet
from knowledge.markdown import markdown_tree

MARGIN = 18 * mm
#: reportlab keeps 6 points free on each side of what it sets.
WIDTH = A4[0] - 2 * MARGIN - 12
#: Characters that the file names when it cannot show them.
LACKING_NAMED = 8


def sheet_pdf(sheet: EntrySheet) -> bytes:
    """The file. Laid out twice, so that each page can say how many there are."""
    try:
        return _laid_out(sheet, _texts)
    except LayoutError:  # a table or quote that fits on no page: the text as it was typed does
        return _laid_out(sheet, _texts_as_typed)


def _laid_out(sheet: EntrySheet, texts: Any) -> bytes:
    pages = 0
    out = BytesIO()
    for _round in range(2):
        out = BytesIO()
        document = SimpleDocTemplate(
            out, pagesize=A4, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN,
            title=printable(sheet.title), subject=sheet.permalink,
        )  # fmt: skip
        foot = partial(_foot, sheet=sheet, pages=pages)
        document.build([*_head(sheet), *texts(sheet)], onFirstPage=foot, onLaterPages=foot)
        pages = document.page
    return out.getvalue()


def _head(sheet: EntrySheet) -> list[Any]:
    facts = " &nbsp; ".join(f"<b>{printable_xml(label)}</b> {printable_xml(value)}" for label, value in sheet.facts)
    return [
        Paragraph(printable_xml(sheet.title), STYLES["title"]),
        Paragraph(facts, STYLES["facts"]),
        *_lacking(sheet),
        HRFlowable(width="100%", thickness=0.5, color="#7f8b94", spaceBefore=4, spaceAfter=6),
    ]


def _lacking(sheet: EntrySheet) -> list[Paragraph]:
    """What the file cannot show, so that nobody takes a question mark for what was written."""
    values = [value for _label, value in sheet.facts]
    lacking = characters_lacking(sheet.title, *values, sheet.problem, sheet.solution)
    if not lacking:
        return []
    named = [f"U+{ord(one):04X}" for one in lacking[:LACKING_NAMED]]
    facts = {"count": len(lacking), "codes": ", ".join([*named, "…"] if len(lacking) > len(named) else named)}
    text = ngettext(
        "%(count)d character is shown as ? because the fonts of this file lack it: %(codes)s. The Markdown file has it.",
        "%(count)d different characters are shown as ? because the fonts of this file lack them: %(codes)s. "
        "The Markdown file has them.",
        len(lacking),
    )
    return [Paragraph(printable_xml(text % facts), STYLES["facts"])]


def _texts(sheet: EntrySheet) -> list[Any]:
    return [
        Paragraph(printable_xml(_("Problem")), STYLES["h2"]),
        *Blocks(WIDTH).drawn(markdown_tree(sheet.problem)),
        Spacer(1, 6),
        *Blocks(WIDTH).drawn(markdown_tree(sheet.solution)),
    ]


def _texts_as_typed(sheet: EntrySheet) -> list[Any]:
    return [listing(sheet.problem, WIDTH), Spacer(1, 12), listing(sheet.solution, WIDTH)]


def _foot(canvas: Canvas, document: SimpleDocTemplate, *, sheet: EntrySheet, pages: int) -> None:
    canvas.saveState()
    canvas.setFont("Helvetica", 7)
    canvas.setFillGray(0.35)
    canvas.drawString(MARGIN, 10 * mm, printable(sheet.permalink)[:120])
    numbers = _("Page %(number)d of %(pages)d") % {"number": document.page, "pages": max(pages, document.page)}
    canvas.drawRightString(A4[0] - MARGIN, 10 * mm, printable(numbers))
    canvas.restoreState()
