"""The record of a verification: what was compared, how, and every difference; as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from migrations_ops.move.meaning import is_secret
from migrations_ops.move.spans import SortKey
from migrations_ops.spreadsheet import cell_escaped

#: Differences of one table that are listed; all of them are counted.
LISTED_PER_TABLE = 1_000


class DifferenceKind(Enum):
    """What is wrong at one place."""

    CHANGED = "changed"
    MISSING = "missing row"
    EXTRA = "extra row"
    TABLE = "missing table"
    FOREIGN_KEY = "broken foreign key"
    SEQUENCE = "wrong sequence"
    PARITY = "other answer"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference: of a field, a row, a table, a foreign key, a sequence, or the answer to a query."""

    kind: DifferenceKind
    table: str
    #: As both databases sort it; None where it is not about one row.
    key: SortKey | None = None
    #: Name of the key's column.
    key_column: str = ""
    column: str = ""
    source: str = ""
    target: str = ""

    def as_json(self) -> dict[str, Any]:
        """The difference for a report; a key that opens a session is shown in part."""
        return {
            "kind": self.kind.value,
            "table": self.table,
            "key": self._key_shown(),
            "column": self.column,
            "source": self.source,
            "target": self.target,
        }

    def __str__(self) -> str:
        place = ".".join(part for part in (self.table, self.column) if part)
        row = "" if self.key is None else f", key {self._key_shown()}"
        return f"{place}{row}: {self.kind.value}, source {self.source or '-'}, target {self.target or '-'}"

    def _key_shown(self) -> SortKey | None:
        if isinstance(self.key, str) and is_secret(self.key_column):
            return f"{self.key[:6]}…"
        return self.key


@dataclass(kw_only=True)
class TableLedger:
    """One table: rows of both sides and what differs."""

    table: str
    rows_source: int = 0
    rows_target: int = 0
    spans: int = 0
    seconds: float = 0.0
    #: All differences of rows and fields; the ledger lists up to LISTED_PER_TABLE of them.
    differences: int = 0
    #: md5 over the source's digests, span by span.
    seal: str = ""


@dataclass(frozen=True, kw_only=True)
class SequenceLedger:
    """A sequence: the next number on each side, None where there is none."""

    table: str
    source_next: int | None
    target_next: int | None
    sound: bool


@dataclass(kw_only=True)
class Ledger:
    """What a verification found. `sound` is the verdict."""

    source: str
    target: str
    started_at: datetime
    finished_at: datetime | None = None
    tables: list[TableLedger] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    foreign_keys_checked: int = 0
    sequences: list[SequenceLedger] = field(default_factory=list)
    queries_compared: int = 0

    @property
    def rows(self) -> int:
        """Rows of the source that were compared."""
        return sum(table.rows_source for table in self.tables)

    @property
    def differences_count(self) -> int:
        """All differences, with those of rows that are not listed."""
        of_rows = sum(table.differences for table in self.tables)
        return of_rows + sum(difference.kind not in _OF_ROWS for difference in self.differences)

    @property
    def tables_equal(self) -> list[TableLedger]:
        """The tables whose rows are the same."""
        return [table for table in self.tables if not table.differences]

    @property
    def sound(self) -> bool:
        """Whether both databases are the same."""
        return not self.differences_count

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else 0.0

    def summary(self) -> dict[str, Any]:
        """The verdict in short, for the row of the move."""
        return {
            "sound": self.sound,
            "tables": len(self.tables),
            "rows": self.rows,
            "differences": self.differences_count,
            "foreign_keys": self.foreign_keys_checked,
            "sequences": len(self.sequences),
            "queries": self.queries_compared,
            "seconds": round(self.seconds, 3),
            "rows_per_second": round(self.rows / self.seconds) if self.seconds else None,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
        }

    def as_json(self) -> dict[str, Any]:
        """Everything, for the download."""
        return {
            **self.summary(),
            "source": self.source,
            "target": self.target,
            "by_table": [asdict(table) for table in self.tables],
            "by_sequence": [asdict(sequence) for sequence in self.sequences],
            "by_difference": [difference.as_json() for difference in self.differences],
        }

    def as_csv(self) -> str:
        """A line a table, then a line a difference, for a spreadsheet."""
        lines: list[Iterable[Any]] = [("table", "rows of source", "rows of target", "differences", "seconds", "seal")]
        lines += [
            (one.table, one.rows_source, one.rows_target, one.differences, round(one.seconds, 3), one.seal)
            for one in self.tables
        ]
        lines += [(), ("difference", "table", "key", "column", "source", "target")]
        lines += [difference.as_json().values() for difference in self.differences]
        out = io.StringIO()
        csv.writer(out).writerows([[_cell(value) for value in line] for line in lines])
        return out.getvalue()


_OF_ROWS = {DifferenceKind.CHANGED, DifferenceKind.MISSING, DifferenceKind.EXTRA}


def _cell(value: Any) -> Any:
    return cell_escaped(value) if isinstance(value, str) else value
