"""Rows of a workbook: its sheet of entries, or its first, and the sheets that go on with it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from knowledge.errors import ImportTooLargeError, ImportUnreadableError
from knowledge.transfer.limits import Limits, bounded
from knowledge.transfer.reading.json_rows import SECTIONS
from knowledge.transfer.reading.rows import ENTRIES, SourceRow, column_named
from migrations_ops.spreadsheet import cell_unescaped

#: A document type can define entities that grow without end; no spreadsheet program writes one.
_DOCTYPE = b"<!DOCTYPE"
_HEAD_BYTES = 64 * 1024
#: Read as a stream; every other part is read whole.
_SHEETS = "xl/worksheets/"


def xlsx_rows(path: Path, limits: Limits) -> Iterator[SourceRow]:
    """The rows below the row of column names; a row's number is that of its sheet, and goes on on the next one.

    A sheet goes on when it is called like the one before with a number behind, as exports name what comes after a
    full sheet, and has the same columns.
    """
    import openpyxl  # type: ignore[import-untyped]

    try:
        _parts_checked(path, limits)
        with path.open("rb") as file:  # which the reader itself leaves open when it stumbles
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheet = next((one for one in book.worksheets if column_named(one.title) in SECTIONS), book.worksheets[0])
            yield from _rows(_going_on(book, sheet), limits)
            book.close()
    except (ImportTooLargeError, ImportUnreadableError):
        raise
    except MemoryError:
        raise
    except Exception as error:  # the reader raises whatever a damaged file makes it stumble over
        raise ImportUnreadableError(format="XLSX", reason="it is damaged, cut off or no workbook.") from error


def _parts_checked(path: Path, limits: Limits) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        bounded(len(parts), 10_000, "parts in the workbook")
        bounded(sum(part.file_size for part in parts), limits.unpacked_bytes, "bytes unpacked")
        shared = _shared_texts(archive, limits)
        for part in parts:
            streamed = part.filename.startswith(_SHEETS) and part.filename != shared
            if not streamed and part.file_size > limits.shared_text_bytes:
                raise ImportTooLargeError(
                    found=f"{part.file_size:,} bytes of texts in a workbook",
                    most=f"{limits.shared_text_bytes:,}. Save it as CSV UTF-8, which has no such limit",
                )
            if part.filename.endswith((".xml", ".rels")):
                with archive.open(part) as member:
                    if _DOCTYPE in member.read(_HEAD_BYTES).upper():
                        raise ImportUnreadableError(format="XLSX", reason="it defines entities, which no sheet needs.")


def _shared_texts(archive: zipfile.ZipFile, limits: Limits) -> str:
    """Name of the part with the texts that cells share, as the reader finds it: a bomb may have it anywhere."""
    from openpyxl.packaging.manifest import Manifest  # type: ignore[import-untyped]
    from openpyxl.xml.constants import ARC_CONTENT_TYPES, SHARED_STRINGS  # type: ignore[import-untyped]
    from openpyxl.xml.functions import fromstring  # type: ignore[import-untyped]

    bounded(archive.getinfo(ARC_CONTENT_TYPES).file_size, limits.shared_text_bytes, "bytes in the list of parts")
    found = Manifest.from_tree(fromstring(archive.read(ARC_CONTENT_TYPES))).find(SHARED_STRINGS)
    return found.PartName[1:] if found else ""


def _going_on(book: Any, first: Any) -> Iterator[Any]:
    titles = {sheet.title: sheet for sheet in book.worksheets}
    number, sheet = 1, first
    while sheet is not None:
        sheet.reset_dimensions()  # they are what the file claims, and it can claim a million columns
        yield sheet.iter_rows(values_only=True)
        number += 1
        sheet = titles.get(f"{first.title} {number}")


def _rows(sheets: Iterator[Iterator[tuple[Any, ...]]], limits: Limits) -> Iterator[SourceRow]:
    names: list[str] = []
    before = 0
    for sheet in sheets:
        number, headed = 0, False
        for number, cells in _filled(sheet, limits):
            if headed:
                yield _row(before + number, names, cells, limits)
                continue
            headed, found = True, _names(cells)
            if names and set(filter(None, found)) != set(filter(None, names)):
                return
            names = found
        before += number


def _filled(sheet: Iterator[tuple[Any, ...]], limits: Limits) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """The rows that have something in them, with their numbers."""
    blank = 0
    for number, cells in enumerate(sheet, start=1):
        bounded(len(cells), limits.columns, "columns")
        if any(cell not in (None, "") for cell in cells):
            blank = 0
            yield number, cells
            continue
        blank += 1
        if blank > limits.blank_rows:
            raise ImportUnreadableError(format="XLSX", reason=f"more than {limits.blank_rows:,} empty rows follow.")


def _names(cells: tuple[Any, ...]) -> list[str]:
    names = [column_named(cell) for cell in cells]
    if twice := next((name for name in names if name and names.count(name) > 1), ""):
        raise ImportUnreadableError(format="XLSX", reason=f"two columns are named “{twice}”.")
    return names


def _row(number: int, names: list[str], cells: tuple[Any, ...], limits: Limits) -> SourceRow:
    values = {name: _plain(cell) for name, cell in zip(names, cells, strict=False) if name}
    bounded(
        sum(len(cell) for cell in values.values() if isinstance(cell, str)), limits.row_chars, "characters in a row"
    )
    return SourceRow(number, ENTRIES, values)


def _plain(cell: Any) -> Any:
    """Texts without the quote that hides a formula, whole numbers without their fraction, dates as ISO text."""
    if isinstance(cell, str):
        return cell_unescaped(cell)
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    return None if cell is None else str(cell)
