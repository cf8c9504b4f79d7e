"""Entries as a table for people: CSV and XLSX, in which no cell can run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from knowledge.transfer.exporting.rows import ExportFilter, Heartbeat, entry_rows
from migrations_ops.spreadsheet import cell_escaped

COLUMNS = (
    *("id", "title", "problem", "solution", "category", "severity", "status", "tags", "codes", "created_by"),
    *("created_at", "updated_at", "usage_count", "success_count", "failure_count", "version"),
)
#: What XML 1.0, and so a workbook, cannot hold.
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
#: A sheet ends there.
SHEET_ROWS = 1_048_576


def csv_write(file: Any, chosen: ExportFilter, heartbeat: Heartbeat) -> int:
    """Write CSV in UTF-8 to a file opened for bytes; the number of rows."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    rows = 0
    for cells in _cells(chosen, heartbeat):
        writer.writerow(cells)
        rows += 1
    text.flush()
    text.detach()
    return rows


def xlsx_write(file: Any, chosen: ExportFilter, heartbeat: Heartbeat) -> int:
    """Write a workbook to a file opened for bytes; the number of rows. A full sheet is followed by another."""
    import openpyxl  # type: ignore[import-untyped]

    book = openpyxl.Workbook(write_only=True)
    sheet: Any = None
    rows = 0
    for cells in _cells(chosen, heartbeat):
        if rows % (SHEET_ROWS - 1) == 0:
            sheet = _sheet(book, rows)
        sheet.append([_NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", cell) for cell in cells])
        rows += 1
    if sheet is None:
        _sheet(book, 0)
    book.save(file)
    return rows


def _sheet(book: Any, rows: int) -> Any:
    number = rows // (SHEET_ROWS - 1)
    sheet = book.create_sheet(f"Entries {number + 1}" if number else "Entries")
    sheet.append(list(COLUMNS))
    return sheet


def _cells(chosen: ExportFilter, heartbeat: Heartbeat) -> Iterator[list[str]]:
    for _entry, row in entry_rows(chosen, heartbeat):
        yield [cell_escaped(_text(row[name])) for name in COLUMNS]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)
