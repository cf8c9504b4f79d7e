"""Tables for people: CSV and XLSX, in which no cell can run.

Entries alone are one table with their tags and codes, which can be edited and imported again. With other sections
every table of each is written: as a file of a ZIP, or as a sheet of the workbook.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model

from knowledge.models import Entry
from knowledge.transfer.exporting.rows import ExportFilter, Heartbeat, entry_rows, table_rows
from knowledge.transfer.tables import Section, models_of
from migrations_ops.spreadsheet import cell_escaped

COLUMNS = (
    *("id", "title", "problem", "solution", "category", "severity", "status", "tags", "codes", "created_by"),
    *("created_at", "updated_at", "usage_count", "success_count", "failure_count", "version"),
)
#: What XML 1.0, and so a workbook, cannot hold.
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
#: A sheet ends there.
SHEET_ROWS = 1_048_576
#: The longest name of a sheet that spreadsheets take, less room for a number, and what no name may have.
_SHEET_NAME_CHARS = 27
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\]")


@dataclass(frozen=True)
class _Table:
    """One table of an export; its rows can be read once."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Iterator[list[str]]


def is_entries_alone(sections: Sequence[Section]) -> bool:
    """Whether only the table of entries is wanted; so it is when nobody chose."""
    return set(sections) <= {Section.ENTRIES}


def csv_write(file: Any, sections: Sequence[Section], chosen: ExportFilter, heartbeat: Heartbeat) -> dict[str, int]:
    """Write CSV in UTF-8, or a ZIP of one a table, to a file opened for bytes; the number of rows by table."""
    tables = _tables(sections, chosen, heartbeat)
    if is_entries_alone(sections):
        return {table.name: _csv_table(file, table) for table in tables}
    found = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for table in tables:
            with archive.open(f"{table.name}.csv", "w", force_zip64=True) as member:
                found[table.name] = _csv_table(member, table)
    return found


def _csv_table(file: Any, table: _Table) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    writer = csv.writer(text)
    writer.writerow(table.columns)
    rows = 0
    for cells in table.rows:
        writer.writerow(cells)
        rows += 1
    text.flush()
    text.detach()
    return rows


def xlsx_write(file: Any, sections: Sequence[Section], chosen: ExportFilter, heartbeat: Heartbeat) -> dict[str, int]:
    """Write a workbook with a sheet a table to a file opened for bytes; the number of rows by table."""
    import openpyxl  # type: ignore[import-untyped]

    book = openpyxl.Workbook(write_only=True)
    found = {table.name: _sheets(book, table) for table in _tables(sections, chosen, heartbeat)}
    book.save(file)
    return found


def _sheets(book: Any, table: _Table) -> int:
    """A table as a sheet, a full one followed by another; the number of rows."""
    sheet = _sheet(book, table, 0)
    rows = 0
    for cells in table.rows:
        if rows and rows % (SHEET_ROWS - 1) == 0:
            sheet = _sheet(book, table, rows // (SHEET_ROWS - 1))
        sheet.append([_NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", cell) for cell in cells])
        rows += 1
    return rows


def _sheet(book: Any, table: _Table, number: int) -> Any:
    name = _NOT_IN_NAMES.sub(" ", table.title)[:_SHEET_NAME_CHARS]
    sheet = book.create_sheet(f"{name} {number + 1}" if number else name)
    sheet.append(list(table.columns))
    return sheet


def _tables(sections: Sequence[Section], chosen: ExportFilter, heartbeat: Heartbeat) -> Iterator[_Table]:
    """The tables of the sections, entries first."""
    if Section.ENTRIES in sections or is_entries_alone(sections):
        rows = (_cells(row, COLUMNS) for _entry, row in entry_rows(chosen, heartbeat))
        yield _Table(Entry._meta.db_table, "Entries", COLUMNS, rows)
    if is_entries_alone(sections):
        return
    for section in sections:
        yield from (_table(model, chosen, heartbeat) for model in models_of(section) if model is not Entry)


def _table(model: type[Model], chosen: ExportFilter, heartbeat: Heartbeat) -> _Table:
    columns = [column.name for column in model._meta.concrete_fields]
    rows = (_cells(row, columns) for row in table_rows(model, chosen, heartbeat))
    return _Table(model._meta.db_table, str(model._meta.verbose_name_plural).capitalize(), columns, rows)


def _cells(row: dict[str, Any], columns: Sequence[str]) -> list[str]:
    return [cell_escaped(_text(row[name])) for name in columns]


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)
