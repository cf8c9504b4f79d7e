"""What a file is, by its content, and how its rows are read."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path

from knowledge.errors import ImportUnreadableError, KnowledgeError
from knowledge.transfer.limits import Limits, bounded, limits
from knowledge.transfer.reading.archive_rows import archive_is_ours, archive_rows
from knowledge.transfer.reading.csv_rows import csv_columns, csv_delimiter, csv_rows
from knowledge.transfer.reading.json_rows import json_rows, jsonl_rows
from knowledge.transfer.reading.rows import ENTRIES, SourceRow
from knowledge.transfer.reading.text import encoding_of
from knowledge.transfer.reading.xlsx_rows import xlsx_rows

#: What people send by mistake, by its first bytes.
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", "it is a workbook of the old kind (.xls). Save it as .xlsx or CSV"),
    (b"%PDF", "it is a PDF"),
    (b"\x1f\x8b", "it is compressed with gzip. Unpack it first"),
    (b"7z\xbc\xaf", "it is compressed with 7-Zip. Unpack it first"),
    (b"Rar!", "it is compressed with RAR. Unpack it first"),
    (b"SQLite format 3\0", "it is a database"),
)
_HEAD_BYTES = 4_096
#: Values that are shown as an example, and how much of each.
EXAMPLE_COLUMNS = 200
EXAMPLE_CHARS = 80


class FileKind(StrEnum):
    """How the rows of a file are written."""

    CSV = "csv"
    XLSX = "xlsx"
    JSON = "json"
    JSONL = "jsonl"
    ARCHIVE = "archive"


@dataclass(frozen=True)
class Source:
    """A file that was looked at and can be read, as often as wanted."""

    path: Path
    kind: FileKind
    #: Empty for files that are no text.
    encoding: str = ""
    limits: Limits = field(default_factory=limits)

    def rows(self, *, after: int = 0) -> Iterator[SourceRow]:
        """The rows, after the first so many. Raises ImportUnreadableError, ImportTooLargeError."""
        for place, row in enumerate(self._all(), start=1):
            bounded(place, self.limits.rows, "rows")
            if place > after:
                yield row

    def columns(self) -> list[str]:
        """The names of the columns as the first entry has them, for mapping."""
        if self.kind is FileKind.CSV:
            return [name for name in csv_columns(self.path, self.encoding, self.limits) if name.strip()]
        first = self._first()
        return list(first.values) if first else []

    def example(self) -> dict[str, str]:
        """The first entry's values as short texts, by column; empty where it cannot be read, which the preview tells."""
        try:
            first = self._first()
        except KnowledgeError:
            return {}
        shown = islice(first.values.items(), EXAMPLE_COLUMNS) if first else ()
        return {name: _shortened(value) for name, value in shown}

    def _first(self) -> SourceRow | None:
        return next((row for row in self._all() if self.kind is not FileKind.ARCHIVE or row.section == ENTRIES), None)

    def delimiter(self) -> str:
        """The sign between two cells; empty for files that are no CSV."""
        return csv_delimiter(self.path, self.encoding) if self.kind is FileKind.CSV else ""

    def _all(self) -> Iterator[SourceRow]:
        if self.kind is FileKind.XLSX:
            return xlsx_rows(self.path, self.limits)
        if self.kind is FileKind.ARCHIVE:
            return archive_rows(self.path, self.limits)
        read = {FileKind.CSV: csv_rows, FileKind.JSON: json_rows, FileKind.JSONL: jsonl_rows}[self.kind]
        return read(self.path, self.encoding, self.limits)


def _shortened(value: object) -> str:
    """The beginning of a value, in one line."""
    if isinstance(value, list):
        value = ", ".join(map(str, value[:EXAMPLE_CHARS]))
    return " ".join(("" if value is None else str(value))[: EXAMPLE_CHARS * 2].split())[:EXAMPLE_CHARS]


def source_open(path: Path, *, most: Limits | None = None) -> Source:
    """The file as a source of rows. Raises ImportUnreadableError, ImportTooLargeError."""
    most = most or limits()
    try:
        size_bytes = path.stat().st_size
        head = _head(path)
    except OSError as error:
        raise ImportUnreadableError(format="a file", reason=f"{error.strerror}.") from error
    if not size_bytes or not head.strip():
        raise ImportUnreadableError(format="a file", reason="it is empty.")
    bounded(size_bytes, most.file_bytes, "bytes")
    for beginning, reason in _FOREIGN:
        if head.startswith(beginning):
            raise ImportUnreadableError(format="CSV, XLSX, JSON or an archive", reason=f"{reason}.")
    if head.startswith(b"PK"):
        return Source(path, _zip_kind(path, most), limits=most)
    encoding = encoding_of(path)
    return Source(path, _text_kind(path, encoding), encoding, most)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _zip_kind(path: Path, most: Limits) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ImportUnreadableError(format="XLSX or an archive", reason="it is damaged or cut off.") from error
    if archive_is_ours(names):
        return FileKind.ARCHIVE
    if "[Content_Types].xml" in names:
        return FileKind.XLSX
    reason = "it is a ZIP file, but neither a workbook nor an export of a knowledge base. Unpack it first."
    raise ImportUnreadableError(format="XLSX or an archive", reason=reason)


def _text_kind(path: Path, encoding: str) -> FileKind:
    """By the first sign; a line that ends its object and is followed by another one makes it JSONL."""
    try:
        with path.open("r", encoding=encoding, newline="") as file:
            beginning = file.read(_HEAD_BYTES * 16).lstrip("\ufeff \t\r\n")
    except UnicodeError as error:
        reason = f"it is not the text that its beginning promises ({encoding}). Save it as UTF-8."
        raise ImportUnreadableError(format="text", reason=reason) from error
    if beginning.startswith("<"):
        raise ImportUnreadableError(format="CSV or JSON", reason="it is a page or XML. Save the table as CSV or XLSX.")
    if beginning.startswith("["):
        return FileKind.JSON
    if not beginning.startswith("{"):
        return FileKind.CSV
    first, _, rest = beginning.partition("\n")
    several = first.rstrip().endswith("}") and rest.lstrip().startswith("{")
    return FileKind.JSONL if several or path.suffix.lower() in {".jsonl", ".ndjson"} else FileKind.JSON
