"""Markdown's blocks as flowables of reportlab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from django.utils.text import slugify
from markdown_it.tree import SyntaxTreeNode
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import HRFlowable, Paragraph, Spacer, Table, XPreformatted

from knowledge.exports.glyphs import MONO, STYLES, plain, printable, printable_xml
from knowledge.reading import STEP_HEADINGS

INDENT = 16
#: Deeper quotes and lists stay at this distance from the margin, so that text always has a column to itself.
INDENT_MOST = 8 * INDENT
#: Wider tables are shown as lines; their columns would be too narrow to read.
COLUMNS_MOST = 10
TAB_COLUMNS = 8

_TABLE_STYLE = [
    ("GRID", (0, 0), (-1, -1), 0.5, "#dce1e4"),
    ("BACKGROUND", (0, 0), (-1, 0), "#eef1f2"),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("TOPPADDING", (0, 0), (-1, -1), 3),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
]
_MARKS = {"strong": "b", "em": "i", "s": "strike"}
_LINKED = ("http://", "https://", "mailto:")


class Blocks:
    """Draws one text; it remembers whether the points of the present part are steps, which get a box to tick."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.steps = False
        self._drawers: dict[str, Callable[[SyntaxTreeNode, float], Iterator[Any]]] = {
            "heading": self._heading,
            "paragraph": self._paragraph,
            "bullet_list": self._list,
            "ordered_list": self._list,
            "fence": self._listing,
            "code_block": self._listing,
            "table": self._table,
            "hr": self._rule,
        }

    def drawn(self, node: SyntaxTreeNode, indent: float = 0) -> Iterator[Any]:
        """The flowables of the node's children."""
        for child in node.children:
            yield from self._block(child, min(indent, INDENT_MOST))

    def _block(self, node: SyntaxTreeNode, indent: float) -> Iterator[Any]:
        draw = self._drawers.get(node.type)
        if draw:
            yield from draw(node, indent)
        elif node.children:
            yield from self.drawn(node, indent + INDENT)
        elif node.content:
            yield Paragraph(printable_xml(node.content), _indented("body", indent))

    def _paragraph(self, node: SyntaxTreeNode, indent: float) -> Iterator[Any]:
        yield Paragraph(inline_xml(node), _indented("body", indent))

    def _listing(self, node: SyntaxTreeNode, indent: float) -> Iterator[Any]:
        yield listing(node.content, self.width - indent, indent)

    def _rule(self, node: SyntaxTreeNode, indent: float) -> Iterator[Any]:
        yield HRFlowable(width="100%", thickness=0.5, color="#dce1e4", spaceBefore=4, spaceAfter=4)

    def _heading(self, node: SyntaxTreeNode, indent: float) -> Iterator[Any]:
        level = int(node.tag[1])
        if level <= 2 and not indent:
            self.steps = slugify(plain_text(node)) in STEP_HEADINGS
        yield Paragraph(inline_xml(node), _indented(f"h{min(level, 3)}", indent))

    def _list(self, node: SyntaxTreeNode, indent: float) -> Iterator[Any]:
        number = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
        for item in node.children:
            bullet = "\u2022" if number is None else f"{number}."
            if self.steps and not indent:
                bullet = "[ ]" if number is None else f"[ ] {bullet}"
            yield from self._item(item, bullet, indent)
            number = None if number is None else number + 1

    def _item(self, item: SyntaxTreeNode, bullet: str, indent: float) -> Iterator[Any]:
        """The first paragraph hangs on the bullet, the rest stands below it."""
        inner = indent + max(INDENT, stringWidth(bullet, "Helvetica", 9.5) + 5)
        style = ParagraphStyle("item", parent=STYLES["item"], leftIndent=inner, bulletIndent=indent)
        children = list(item.children)
        first = children.pop(0) if children and children[0].type == "paragraph" else None
        yield Paragraph(inline_xml(first) if first else "", style, bulletText=bullet)
        for child in children:
            yield from self._block(child, min(inner, INDENT_MOST))

    def _table(self, node: SyntaxTreeNode, indent: float) -> Iterator[Any]:
        rows = [list(row.children) for part in node.children for row in part.children]
        columns = max((len(row) for row in rows), default=0)
        if not 0 < columns <= COLUMNS_MOST:
            lines = "\n".join(" | ".join(plain_text(cell) for cell in row) for row in rows)
            yield listing(lines, self.width - indent, indent)
            return
        cells = [[Paragraph(inline_xml(cell), STYLES["cell"]) for cell in row] for row in rows]
        width = (self.width - indent) / columns
        yield Table(cells, colWidths=[width] * columns, repeatRows=1, splitInRow=1, style=_TABLE_STYLE)
        yield Spacer(1, 6)


def listing(text: str, width: float, indent: float = 0) -> XPreformatted:
    """Lines of one width, broken where the page ends and nowhere else."""
    style = STYLES["listing"]
    columns = max(
        20, int((width - style.leftIndent - style.rightIndent) / stringWidth("M", style.fontName, style.fontSize))
    )
    lines = [plain(line.expandtabs(TAB_COLUMNS)) for line in text.rstrip("\n").split("\n")]
    broken = [line[at : at + columns] for line in lines for at in range(0, max(len(line), 1), columns)]
    return XPreformatted("\n".join(printable_xml(line, MONO) for line in broken), _indented("listing", indent))


def inline_xml(node: SyntaxTreeNode) -> str:
    """The inline content as markup of reportlab's paragraphs."""
    if node.type == "text":
        return printable_xml(node.content)
    if node.type == "softbreak":
        return " "
    if node.type == "hardbreak":
        return "<br/>"
    if node.type == "code_inline":
        return f'<font face="Courier">{printable_xml(node.content, MONO)}</font>'
    inner = (
        "".join(inline_xml(child) for child in node.children) if node.children else printable_xml(node.content or "")
    )
    if mark := _MARKS.get(node.type):
        return f"<{mark}>{inner}</{mark}>"
    if node.type == "link" and str(node.attrs.get("href", "")).startswith(_LINKED):
        return f'<a href="{escape(printable(str(node.attrs["href"])))}" color="#0a6470">{inner}</a>'
    return inner


def plain_text(node: SyntaxTreeNode) -> str:
    """The inline content without its marks."""
    if node.children:
        return "".join(plain_text(child) for child in node.children)
    return " " if node.type in ("softbreak", "hardbreak") else node.content


def _indented(name: str, indent: float) -> ParagraphStyle:
    style = STYLES[name]
    return ParagraphStyle(name, parent=style, leftIndent=style.leftIndent + indent) if indent else style
