"""What became of the rows of a file: numbers by section, the verdicts, the rows to mend."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from knowledge.transfer.judging import Judged, Verdict
from knowledge.transfer.reading import FileKind
from knowledge.transfer.reading.rows import ENTRIES
from knowledge.transfer.restoring.judging import TableRow
from migrations_ops.spreadsheet import cell_escaped

#: Reasons that the report counts; there are few, but the words in them can be many.
_REASONS = 50


class Report:
    """Numbers that grow with each batch; as JSON in the row of the import."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        values = values or {}
        self.sections: dict[str, Counter[str]] = {
            name: Counter(numbers) for name, numbers in values.get("sections", {}).items()
        }
        self.reasons: Counter[str] = Counter(values.get("reasons", {}))
        self.unknown: dict[str, Counter[str]] = {
            name: Counter(words) for name, words in values.get("unknown", {}).items()
        }
        self.rows: int = values.get("rows", 0)

    def add(self, section: str, verdict: str, reason: str = "", count: int = 1) -> None:
        """Count rows."""
        self.rows += count
        self.sections.setdefault(section, Counter())[verdict] += count
        if verdict == Verdict.INVALID and (reason in self.reasons or len(self.reasons) < _REASONS):
            self.reasons[reason[:200]] += count

    def number(self, *verdicts: str, section: str = ENTRIES) -> int:
        """How many rows of a section have one of these verdicts."""
        return sum(self.sections.get(section, Counter())[verdict] for verdict in verdicts)

    @property
    def invalid(self) -> int:
        return sum(numbers[Verdict.INVALID] for numbers in self.sections.values())

    def as_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "sections": {name: dict(numbers) for name, numbers in self.sections.items()},
            "reasons": dict(self.reasons.most_common()),
            "unknown": {name: dict(words.most_common(100)) for name, words in self.unknown.items()},
        }


class FailedRows:
    """The file of rows that were not imported, in the format they came in, with the reason of each.

    It grows with the batches and is cut back to the last committed one after a crash.
    """

    def __init__(self, folder: Path, name: str, kind: str, columns: list[str], size_bytes: int) -> None:
        self.as_table = kind in {FileKind.CSV, FileKind.XLSX}
        self.path = folder / f"{name}.{'csv' if self.as_table else 'jsonl'}"
        self.columns = columns
        self.size_bytes = size_bytes
        with self.path.open("ab") as file:
            file.truncate(size_bytes)

    def add(self, rows: Iterable[tuple[int, dict[str, Any], str]]) -> None:
        """Append rows: number, values, reason."""
        lines = [self._line(*row) for row in rows]
        if not lines:
            return
        if not self.size_bytes and self.as_table:
            lines.insert(0, "\ufeff" + _csv_line(["row", *self.columns, "reason"]))
        content = "".join(lines).encode("utf-8", "replace")
        with self.path.open("r+b") as file:
            file.seek(self.size_bytes)
            file.write(content)
        self.size_bytes += len(content)

    def _line(self, number: int, values: dict[str, Any], reason: str) -> str:
        if not self.as_table:
            return json.dumps({**values, "row": number, "reason": reason}, ensure_ascii=True) + "\n"
        cells = [values.get(name) for name in self.columns]
        return _csv_line([str(number), *map(_cell, cells), reason])


def _cell(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _csv_line(cells: list[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow([cell_escaped(cell) for cell in cells])
    return text.getvalue()


def verdict_lines(rows: Iterable[Judged | TableRow]) -> Iterator[str]:
    """A preview's rows as JSON lines."""
    for row in rows:
        yield (
            json.dumps(
                {
                    "row": row.spooled.row.number,
                    "verdict": row.verdict.value,
                    "entry": str(row.entry_id) if row.entry_id and row.verdict != Verdict.NEW else "",
                    "title": row.title[:120],
                    "reason": row.reason,
                    "diff": row.diff,
                },
                ensure_ascii=True,
            )
            + "\n"
        )


def verdicts_read(
    path: Path, *, offset: int = 0, limit: int = 100, verdict: str = ""
) -> tuple[list[dict[str, Any]], int]:
    """Rows of a preview from a place in its file on, those of one verdict or all, and the place after them.

    The place is -1 when the file is at its end.
    """
    found: list[dict[str, Any]] = []
    wanted = f'"verdict": "{verdict}"'.encode() if verdict else b""
    with path.open("rb") as file:
        file.seek(offset)
        while len(found) < limit:
            line = file.readline()
            if not line:
                return found, -1
            if wanted in line and (not verdict or json.loads(line)["verdict"] == verdict):
                found.append(json.loads(line))
            offset += len(line)
        return found, offset if file.readline() else -1
