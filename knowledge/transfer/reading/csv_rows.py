"""Rows of a CSV file: comma, semicolon, tab or bar, found by looking at its beginning."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from knowledge.errors import ImportUnreadableError
from knowledge.transfer.limits import Limits, bounded
from knowledge.transfer.reading.rows import ENTRIES, SourceRow, column_named
from knowledge.transfer.reading.text import lines_bounded, text_opened
from migrations_ops.spreadsheet import cell_unescaped

_DELIMITERS = ",;\t|"
_SAMPLE_CHARS = 64 * 1024
_SAMPLE_ROWS = 20


def csv_rows(path: Path, encoding: str, limits: Limits) -> Iterator[SourceRow]:
    """The rows below the line of column names; a row's number is that of its last line."""
    with text_opened(path, encoding, "CSV") as file:
        announced = _separator_announced(file)
        delimiter = announced or delimiter_of(file.read(_SAMPLE_CHARS))
        file.seek(0)
        lines = lines_bounded(file, limits.row_chars)
        if announced:
            next(lines)
        yield from _rows(_Counted(lines, limits.row_chars), delimiter, limits, skipped=bool(announced))


def csv_columns(path: Path, encoding: str, limits: Limits) -> list[str]:
    """The names of the columns as the file has them."""
    with text_opened(path, encoding, "CSV") as file:
        announced = _separator_announced(file)
        delimiter = announced or delimiter_of(file.read(_SAMPLE_CHARS))
        file.seek(0)
        lines = lines_bounded(file, limits.row_chars)
        if announced:
            next(lines)
        try:
            return next(_reader(_Counted(lines, limits.row_chars), delimiter, limits), [])
        except csv.Error as error:
            raise ImportUnreadableError(format="CSV", reason=f"its column names cannot be read: {error}.") from error


def csv_delimiter(path: Path, encoding: str) -> str:
    """The sign between two cells."""
    with text_opened(path, encoding, "CSV") as file:
        return _separator_announced(file) or delimiter_of(file.read(_SAMPLE_CHARS))


def delimiter_of(sample: str) -> str:
    """The sign that splits the first lines into the same number of cells, and the most of them."""
    complete = sample.rpartition("\n")[0] or sample
    return max(_DELIMITERS, key=lambda sign: (_fit(complete, sign), -_DELIMITERS.index(sign)))


def _fit(sample: str, delimiter: str) -> tuple[int, float]:
    try:
        rows = list(islice(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), _SAMPLE_ROWS))
    except csv.Error:
        return (0, 0.0)
    widths = [len(row) for row in rows if row]
    if not widths or widths[0] < 2:
        return (0, 0.0)
    return (1, widths.count(widths[0]) / len(widths) + min(widths[0], 50) / 100)


def _separator_announced(file: io.TextIOWrapper) -> str:
    """The sign that a first line `sep=;` names, as some spreadsheets write it; the file is at its start again."""
    first = file.readline(32).strip().lower()
    file.seek(0)
    return first[4:] if first.startswith("sep=") and len(first) == 5 else ""


class _Counted:
    """Lines for the parser, none of whose rows may take more than their share of memory."""

    def __init__(self, lines: Iterator[str], most_chars: int) -> None:
        self.lines, self.most_chars = lines, most_chars
        self.row_chars = 0

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            self.row_chars += len(line)
            if self.row_chars > self.most_chars:
                reason = "a quote that is opened is never closed, or one row is longer than an import takes"
                raise ImportUnreadableError(format="CSV", reason=f"{reason} ({self.most_chars:,} characters).")
            yield line


def _reader(lines: Iterator[str] | _Counted, delimiter: str, limits: Limits) -> Iterator[list[str]]:
    if csv.field_size_limit() < limits.row_chars:
        csv.field_size_limit(limits.row_chars)
    return csv.reader(iter(lines), delimiter=delimiter, strict=True)


def _rows(lines: _Counted, delimiter: str, limits: Limits, *, skipped: bool) -> Iterator[SourceRow]:
    reader = _reader(lines, delimiter, limits)
    try:
        names = [column_named(name) for name in next(reader, [])]
        _columns_checked(names, limits)
        lines.row_chars = 0
        for cells in reader:
            lines.row_chars = 0
            if any(cells):
                number = reader.line_num + skipped  # type: ignore[attr-defined]  # of csv.reader
                yield _row(number, names, cells)
    except csv.Error as error:
        raise ImportUnreadableError(format="CSV", reason=f"line {reader.line_num:,}: {error}.") from error  # type: ignore[attr-defined]


def _columns_checked(names: list[str], limits: Limits) -> None:
    bounded(len(names), limits.columns, "columns")
    if not any(names):
        raise ImportUnreadableError(format="CSV", reason="the first line holds no column names.")
    if twice := next((name for name in names if name and names.count(name) > 1), ""):
        raise ImportUnreadableError(format="CSV", reason=f"two columns are named “{twice}”.")


def _row(number: int, names: list[str], cells: list[str]) -> SourceRow:
    if len(cells) > len(names) and any(cells[len(names) :]):
        problem = (
            f"the row has {len(cells)} cells and there are {len(names)} columns; a text with the separator needs quotes"
        )
        return SourceRow(number, ENTRIES, dict(zip(names, cells, strict=False)), problem)
    values = {name: cell_unescaped(cell) for name, cell in zip(names, cells, strict=False) if name}
    return SourceRow(number, ENTRIES, values)
