"""Tables for people: CSV and XLSX, in which no cell can run.

Entries alone are one table with their tags and codes, which can be edited and imported again. With other sections
every table of each is written: as a file of a ZIP, or as a sheet of the workbook.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from knowledge.models import Entry
from knowledge.transfer.exporting.form import Form, Table
from knowledge.transfer.exporting.packing import PART
from knowledge.transfer.exporting.rows import Chunk
from knowledge.transfer.exporting.workbook import Workbook
from knowledge.transfer.tables import Section
from migrations_ops.spreadsheet import cell_escaped

COLUMNS = (
    *("id", "title", "problem", "solution", "category", "severity", "status", "tags", "codes", "created_by"),
    *("created_at", "updated_at", "usage_count", "success_count", "failure_count", "version"),
)
_BOM = b"\xef\xbb\xbf"


def is_entries_alone(sections: Sequence[Section]) -> bool:
    """Whether only the table of entries is wanted; so it is when nobody chose."""
    return set(sections) <= {Section.ENTRIES}


class CsvForm(Form):
    """Entries as CSV in UTF-8."""

    packed: ClassVar[bool] = False

    def begin(self, table: Table) -> None:
        self.work.append(PART, _BOM + _csv([columns(table)]))

    def add(self, table: Table, chunk: Chunk) -> None:
        self.work.append(PART, _csv(_cells(table, chunk)))


class CsvZipForm(Form):
    """A CSV file a table."""

    def begin(self, table: Table) -> None:
        self.zip.begin(f"{table.name}.csv")
        self.zip.write(_BOM + _csv([columns(table)]))

    def add(self, table: Table, chunk: Chunk) -> None:
        self.zip.write(_csv(_cells(table, chunk)))

    def end(self, table: Table) -> None:
        self.zip.end()


class XlsxForm(Form):
    """A sheet a table, a full one followed by another."""

    def begin(self, table: Table) -> None:
        title = "Entries" if table.model is Entry else str(table.model._meta.verbose_name_plural).capitalize()
        self._book().begin(title, columns(table))

    def add(self, table: Table, chunk: Chunk) -> None:
        self._book().add(_cells(table, chunk))

    def end(self, table: Table) -> None:
        self._book().end()

    def finish(self) -> None:
        self._book().finish()
        super().finish()

    def _book(self) -> Workbook:
        return Workbook(self.zip, self.state.setdefault("book", {}))


def columns(table: Table) -> Sequence[str]:
    """The heads of the columns of a table."""
    return COLUMNS if table.model is Entry else [column.name for column in table.model._meta.concrete_fields]


def _cells(table: Table, chunk: Chunk) -> list[list[str]]:
    names = columns(table)
    return [[cell_escaped(_text(row[name])) for name in names] for row in chunk.rows]


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)
