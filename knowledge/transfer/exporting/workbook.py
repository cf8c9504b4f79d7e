"""A workbook that grows by rows: only texts, each in its own cell, sheets one after the other.

The parts are those that ECMA-376 (5th edition, part 1, 12.3 and 18.3.1) asks of a spreadsheet, and no others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from knowledge.transfer.exporting.packing import Packer

#: A sheet ends there, and a cell.
SHEET_ROWS = 1_048_576
_CELL_CHARS = 32_767
#: The longest name of a sheet that spreadsheets take, less room for a number, and what no name may have.
_NAME_CHARS = 27
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\]")
#: What XML 1.0, and so a workbook, cannot hold.
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"


class Workbook:
    """The sheets in a ZIP. `state` says where it stands."""

    def __init__(self, packer: Packer, state: dict[str, Any]) -> None:
        self.zip, self.state = packer, state
        #: Names of the sheets so far; title, head and rows of the table that is open.
        state.setdefault("sheets", [])

    def begin(self, title: str, head: Sequence[str]) -> None:
        """A table begins, on a sheet of its own."""
        self.state |= {"title": title, "head": list(head), "number": 0}
        self._sheet()

    def add(self, rows: list[list[str]]) -> None:
        """The next rows, on the next sheet where one is full."""
        while rows:
            if self.state["rows"] == SHEET_ROWS:
                self.end()
                self.state["number"] += 1
                self._sheet()
            room = SHEET_ROWS - self.state["rows"]
            self._rows(rows[:room])
            rows = rows[room:]

    def end(self) -> None:
        """The table, or its sheet, is full."""
        self.zip.write(b"</sheetData></worksheet>")
        self.zip.end()

    def finish(self) -> None:
        """The parts that name the sheets."""
        names = self.state["sheets"]
        numbers = range(1, len(names) + 1)
        sheets = "".join(
            f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
            for number, name in zip(numbers, names, strict=True)
        )
        links = "".join(
            f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
            for number in numbers
        )
        types = "".join(
            f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{_TYPE}.worksheet+xml"/>'
            for number in numbers
        )
        book = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'
        self._part("xl/workbook.xml", book)
        self._part("xl/_rels/workbook.xml.rels", _relationships(links))
        to_book = f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        self._part("_rels/.rels", _relationships(to_book))
        of_book = f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        known = (
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
        )
        self._part("[Content_Types].xml", f'<Types xmlns="{_PACKAGE}/content-types">{known}{of_book}{types}</Types>')

    def _part(self, name: str, text: str) -> None:
        self.zip.add(name, (_XML + text).encode())

    def _sheet(self) -> None:
        number, names = self.state["number"], self.state["sheets"]
        name = _NOT_IN_NAMES.sub(" ", self.state["title"])[:_NAME_CHARS]
        names.append(f"{name} {number + 1}" if number else name)
        self.zip.begin(f"xl/worksheets/sheet{len(names)}.xml")
        self.state["rows"] = 0
        self.zip.write(f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
        self._rows([self.state["head"]])

    def _rows(self, rows: list[list[str]]) -> None:
        first = self.state["rows"] + 1
        texts = (
            f'<row r="{number}">{"".join(map(_cell, cells))}</row>' for number, cells in enumerate(rows, start=first)
        )
        self.zip.write("".join(texts).encode())
        self.state["rows"] += len(rows)


def _cell(text: str) -> str:
    if not text:
        return "<c/>"
    clean = escape(_NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text[:_CELL_CHARS]), {"\r": "&#13;"})
    return f'<c t="inlineStr"><is><t xml:space="preserve">{clean}</t></is></c>'


def _relationships(links: str) -> str:
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'
