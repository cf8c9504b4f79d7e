"""Files that are whole are read as rows, whatever wrote them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from knowledge.errors import ImportTooLargeError
from knowledge.transfer.limits import limits
from knowledge.transfer.reading import FileKind, SourceRow, source_open
from tests.knowledge.transfer.files import ROW, csv_file, csv_text, json_file, row, written, xlsx_file


def rows_of(path: Path) -> list[SourceRow]:
    return list(source_open(path).rows())


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_separator_of_a_csv_file_is_found(tmp_path: Path, delimiter: str) -> None:
    path = written(tmp_path / "a.csv", csv_text(row(), row(2), delimiter=delimiter).encode())
    found = rows_of(path)
    assert [one.values for one in found] == [row(), row(2)]
    assert [one.number for one in found] == [2, 3]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_the_encoding_of_a_text_file_is_found(tmp_path: Path, encoding: str) -> None:
    title = "Abbruch für Größe: “ä” – ß"
    path = csv_file(tmp_path, row(title=title), row(2, title="Überlauf"), encoding=encoding)
    assert [one.values["title"] for one in rows_of(path)] == [title, "Überlauf"]


def test_a_character_that_spans_two_reads_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for shift in range(4):
        written(path, (csv_text(row(problem="x" * (900_000 + shift))) + "ü" * 200_000 + ",b,c,d,e,f\r\n").encode())
        assert len(rows_of(path)) == 2


def test_a_line_that_announces_the_separator_is_no_row(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", ("sep=;\r\n" + csv_text(row(), delimiter=";")).encode())
    assert rows_of(path) == [SourceRow(3, "entries", row())]


def test_texts_of_several_lines_and_escaped_formulas_are_read_as_they_were(tmp_path: Path) -> None:
    given = row(problem="Line 1\nLine 2", solution="'=cmd|' /C calc'!A0")
    assert rows_of(csv_file(tmp_path, given))[0].values == {**given, "solution": "=cmd|' /C calc'!A0"}


def test_a_row_with_more_cells_than_columns_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", b"title,problem\r\na,b\r\na,b,c\r\n")
    assert [bool(one.problem) for one in rows_of(path)] == [False, True]


def test_empty_lines_are_no_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", b"title,problem\r\n\r\n,\r\na,b\r\n")
    assert [one.number for one in rows_of(path)] == [4]


def test_column_names_are_compared_without_case_and_blanks(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", b" Title ,Created-By,Error  Code\r\na,b,c\r\n")
    assert rows_of(path)[0].values == {"title": "a", "created_by": "b", "error_code": "c"}
    assert source_open(path).columns() == [" Title ", "Created-By", "Error  Code"]


def test_a_workbook_gives_texts_whole_numbers_and_dates(tmp_path: Path) -> None:
    moment = datetime(2024, 5, 1, 12, 30)  # noqa: DTZ001 - sheets have no zones
    path = xlsx_file(
        tmp_path, ["Title", None, "Created at", "Views"], ["a", "x", moment, 17.0], [], ["b", None, None, 1.5]
    )
    assert rows_of(path) == [
        SourceRow(2, "entries", {"title": "a", "created_at": "2024-05-01T12:30:00", "views": "17"}),
        SourceRow(4, "entries", {"title": "b", "created_at": None, "views": "1.5"}),
    ]


def test_a_table_that_goes_on_on_further_sheets_is_read_to_its_end(tmp_path: Path) -> None:
    book = Workbook()
    heads = {"Entries": "Title", "Votes": "Worked", "Entries 2": "Title", "Entries 3": "Severity", "Entries 4": "Title"}
    for title, head in heads.items():
        sheet = book.create_sheet(title)
        sheet.append([head])
        sheet["B1"].number_format = "0.00" if title == "Entries" else "General"  # a cell, though an empty one
        sheet.append([f"a row of {title}"])
    del book["Sheet"]
    book.save(tmp_path / "a.xlsx")
    found = rows_of(tmp_path / "a.xlsx")
    assert [(one.number, one.values) for one in found] == [
        (2, {"title": "a row of Entries"}),
        (4, {"title": "a row of Entries 2"}),
    ]


def test_a_list_of_objects_is_read(tmp_path: Path) -> None:
    path = json_file(tmp_path, [row(), row(2), 17])
    found = rows_of(path)
    assert [one.values for one in found[:2]] == [row(), row(2)]
    assert "17" in found[2].problem


def test_the_object_of_sections_is_read(tmp_path: Path) -> None:
    given = {"version": 3, "kbEntries": [row(), row(2)], "analytics": {"searches": 5}, "templates": [{"name": "a"}]}
    found = rows_of(json_file(tmp_path, given))
    assert [(one.section, one.number) for one in found] == [
        ("entries", 1),
        ("entries", 2),
        ("analytics", 1),
        ("templates", 1),
    ]


def test_a_single_object_is_one_entry(tmp_path: Path) -> None:
    assert [one.values for one in rows_of(json_file(tmp_path, row()))] == [row()]


def test_an_object_without_sections_is_no_longer_than_a_row(tmp_path: Path) -> None:
    values = {f"name {number}": "x" * 1_000 for number in range(limits().row_chars // 1_000 + 1)}
    with pytest.raises(ImportTooLargeError, match="object"):
        rows_of(json_file(tmp_path, values))
    assert len(rows_of(json_file(tmp_path, {"kbEntries": [row()], **values}))) == 1
    assert len(rows_of(json_file(tmp_path, {**values, "kbEntries": [row()]}))) == 1


def test_an_object_a_line_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "\n\n".join(json.dumps(row(n)) for n in (1, 2)).encode())
    assert source_open(path).kind is FileKind.JSONL
    assert [(one.number, one.values) for one in rows_of(path)] == [(1, row(1)), (3, row(2))]


def test_a_long_list_is_read_in_pieces_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [row(n, solution="x" * n, count=n, tags=["a", {"b": [n]}]) for n in range(40)]
    path = json_file(tmp_path, {"kbEntries": given, "count": 1234567})
    for size in (1, 7, 64):
        monkeypatch.setattr("knowledge.transfer.reading.json_rows._CHUNK", size)
        assert [one.values for one in rows_of(path)] == given


def test_reading_goes_on_after_a_number_of_rows(tmp_path: Path) -> None:
    source = source_open(csv_file(tmp_path, *(row(n) for n in range(10))))
    assert [one.values for one in source.rows(after=7)] == [row(7), row(8), row(9)]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"title,problem\n", FileKind.CSV),
        (b"[1]", FileKind.JSON),
        (b'{"a": 1}', FileKind.JSON),
        (b"{}\n{}", FileKind.JSONL),
    ],
)
def test_the_kind_of_a_file_is_told_by_its_content(tmp_path: Path, content: bytes, kind: FileKind) -> None:
    assert source_open(written(tmp_path / "whatever.bin", content)).kind is kind


def test_columns_are_those_of_the_first_row(tmp_path: Path) -> None:
    paths: list[Any] = [csv_file(tmp_path, row()), json_file(tmp_path, [row()]), xlsx_file(tmp_path, list(ROW), [*ROW])]
    assert [source_open(path).columns() for path in paths] == [list(ROW)] * 3
