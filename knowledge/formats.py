"""File formats of import and export: bounded when read, harmless in a spreadsheet when written."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

import tablib
from django.conf import settings
from import_export.formats.base_formats import CSV, JSON, XLSX

from knowledge.errors import ImportTooLargeError, ImportUnreadableError
from migrations_ops.spreadsheet import cell_escaped, cell_unescaped

#: What XML 1.0, and so a spreadsheet, cannot hold.
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
#: An XLSX file may unpack to this many times the allowed file size.
XLSX_UNPACKED_FACTOR = 12
#: Files in a workbook; spreadsheet programs write a few dozen.
XLSX_PARTS = 1_000
#: A document type can define entities that grow without end; no spreadsheet program writes one.
_DOCTYPE = b"<!DOCTYPE"
_HEAD_BYTES = 64 * 1024
CSV_FIELD_BYTES = 1024 * 1024


def _cell_printed(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else "" if value is None else str(value)
    return cell_escaped(text)


def _cell_read(value: Any) -> Any:
    return cell_unescaped(value) if isinstance(value, str) else value


def _sheet(rows: Iterator[list[Any]], format_name: str) -> tablib.Dataset:
    """A dataset from rows, the first of which holds the column names; blank rows are left out."""
    headers = [str(name or "").strip().lower() for name in next(rows, [])]
    if not any(headers):
        raise ImportUnreadableError(format=format_name, reason="the first row holds no column names.")
    filled = (row for row in rows if any(value not in (None, "") for value in row))
    dataset = tablib.Dataset(headers=headers)
    for row in rows_bounded(filled):
        cells = [_cell_read(value) for value in row[: len(headers)]]
        dataset.append(cells + [None] * (len(headers) - len(cells)))
    return dataset


def rows_bounded(rows: Iterable[Any]) -> Iterator[Any]:
    """The rows, up to ADMIN_IMPORT_MAX_ROWS. Raises ImportTooLargeError when there are more."""
    most = settings.ADMIN_IMPORT_MAX_ROWS
    for number, row in enumerate(rows, start=1):
        if number > most:
            raise ImportTooLargeError(found=f"more than {most:,} rows", most=f"{most:,}")
        yield row


class SpreadsheetCSV(CSV):
    """CSV in UTF-8; comma, semicolon or tab are recognised when read."""

    def create_dataset(self, in_stream: str | bytes, **kwargs: Any) -> tablib.Dataset:
        try:
            text = in_stream.decode("utf-8-sig") if isinstance(in_stream, bytes) else in_stream
            first_line = text.split("\n", 1)[0]
            delimiter = max(",;\t", key=first_line.count)
            csv.field_size_limit(CSV_FIELD_BYTES)
            return _sheet(iter(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)), "CSV")
        except UnicodeDecodeError as error:
            raise ImportUnreadableError(format="CSV", reason="it is not UTF-8. Save it as “CSV UTF-8”.") from error
        except csv.Error as error:
            raise ImportUnreadableError(format="CSV", reason=f"{error}.") from error

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> str:
        printed = io.StringIO(newline="")
        writer = csv.writer(printed)
        writer.writerow(dataset.headers or [])
        writer.writerows([_cell_printed(value) for value in row] for row in dataset)
        return "\ufeff" + printed.getvalue()  # the mark by which spreadsheets know UTF-8


class SpreadsheetXLSX(XLSX):
    """XLSX with text cells only."""

    def create_dataset(self, in_stream: bytes, **kwargs: Any) -> tablib.Dataset:
        import openpyxl  # type: ignore[import-untyped]

        try:
            _check_parts(in_stream)
            book = openpyxl.load_workbook(io.BytesIO(in_stream), read_only=True, data_only=True)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # they are what the file claims, and it can claim a million columns
            return _sheet((list(row) for row in sheet.iter_rows(values_only=True)), "XLSX")
        except (ImportTooLargeError, ImportUnreadableError):
            raise
        except Exception as error:  # the reader raises whatever a damaged file makes it stumble over
            raise ImportUnreadableError(format="XLSX", reason="it is no intact workbook.") from error

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> bytes:
        printed = tablib.Dataset(
            *([_NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", _cell_printed(value)) for value in row] for row in dataset),
            headers=dataset.headers,
            title="Entries",
        )
        return super().export_data(printed, **kwargs)  # type: ignore[no-any-return]


def _check_parts(content: bytes) -> None:
    """Refuse what would fill memory, before anything of it is unpacked. Raises ImportTooLargeError, ImportUnreadableError."""
    most = settings.ADMIN_IMPORT_MAX_BYTES * XLSX_UNPACKED_FACTOR
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        if len(parts) > XLSX_PARTS:
            raise ImportTooLargeError(found=f"{len(parts):,} parts in the workbook", most=f"{XLSX_PARTS:,}")
        unpacked = sum(part.file_size for part in parts)
        if unpacked > most:
            raise ImportTooLargeError(found=f"{unpacked:,} bytes unpacked", most=f"{most:,}")
        for part in (part for part in parts if part.filename.endswith((".xml", ".rels"))):
            with archive.open(part) as member:
                if _DOCTYPE in member.read(_HEAD_BYTES).upper():
                    raise ImportUnreadableError(format="XLSX", reason="it defines entities, which no sheet needs.")


class EntriesJSON(JSON):
    """A list of objects, as the starter knowledge base has it; tags and codes are lists."""

    def create_dataset(self, in_stream: str | bytes, **kwargs: Any) -> tablib.Dataset:
        try:
            items = json.loads(in_stream)
        except (ValueError, RecursionError) as error:
            raise ImportUnreadableError(format="JSON", reason=f"{error}.") from error
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise ImportUnreadableError(format="JSON", reason="it is not a list of objects.")
        headers = list(dict.fromkeys(name for item in items for name in item))
        dataset = tablib.Dataset(headers=headers)
        for item in rows_bounded(items):
            dataset.append([item.get(name) for name in headers])
        return dataset

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> str:
        return json.dumps(dataset.dict, ensure_ascii=False, indent=1) + "\n"


EXCHANGE_FORMATS = [SpreadsheetCSV, SpreadsheetXLSX, EntriesJSON]
