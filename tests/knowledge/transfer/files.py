"""Files as people send them, whole and broken."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl

ROW: dict[str, Any] = {
    "title": "S0C7 in the nightly run",
    "problem": "The step ends with S0C7.",
    "solution": "Look at the packed fields first.",
    "category": "COBOL",
    "severity": "high",
    "tags": "abend, packed-decimal",
}


def row(number: int = 1, **values: Any) -> dict[str, Any]:
    """A valid row; its texts name its number."""
    return {**ROW, "title": f"S0C7 in run {number}", "problem": f"Step {number} ends with S0C7.", **values}


def csv_text(*rows: dict[str, Any], delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def csv_file(folder: Path, *rows: dict[str, Any], encoding: str = "utf-8", name: str = "entries.csv") -> Path:
    return written(folder / name, csv_text(*rows).encode(encoding))


def json_file(folder: Path, value: Any, name: str = "entries.json") -> Path:
    return written(folder / name, json.dumps(value).encode())


def xlsx_file(folder: Path, *rows: list[Any], title: str = "Entries", name: str = "entries.xlsx") -> Path:
    return written(folder / name, xlsx_bytes(*rows, title=title))


def xlsx_bytes(*rows: list[Any], title: str = "Entries") -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for cells in rows:
        sheet.append(cells)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def xlsx_changed(path: Path, member: str, content: bytes) -> Path:
    """The workbook with another content of one of its parts."""
    with zipfile.ZipFile(path) as old:
        parts = {item.filename: old.read(item) for item in old.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, part in {**parts, member: content}.items():
            new.writestr(name, part)
    return path


def zip_file(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
