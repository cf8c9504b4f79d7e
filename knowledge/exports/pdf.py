"""An entry as a PDF: A4, listings in one width, a box before each step, the address and page on every page.

It draws the Markdown that knowledge.markdown renders, from the same tokens. The fonts are the ones that
every PDF reader has; characters they lack become the nearest plain ones, or a question mark.
"""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import Any

from django.utils.translation import gettext as _
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import HRFlowable, Paragraph, SimpleDocTemplate, Spacer
from reportlab.platypus.doctemplate import LayoutError

from knowledge.exports.blocks import Blocks, listing
from knowledge.exports.glyphs import STYLES, printable, printable_xml
from knowledge.exports.sheet import EntrySheet
from knowledge.markdown import markdown_tree

MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN


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
        HRFlowable(width="100%", thickness=0.5, color="#7f8b94", spaceBefore=4, spaceAfter=6),
    ]


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
