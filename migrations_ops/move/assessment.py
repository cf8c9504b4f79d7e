"""What an assessment says: figures of every table and column, and what is wrong with their values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from migrations_ops.move.meaning import ascii_kept, is_secret
from migrations_ops.move.problems import Problem
from migrations_ops.move.rates import Rates
from migrations_ops.move.tables import Column

#: Examples of a finding, and characters of each.
EXAMPLES = 3
EXAMPLE_CHARACTERS = 40


@dataclass(kw_only=True)
class ValueFinding:
    """One problem of one column: how often, examples, what would mend it."""

    table: str
    column: str
    problem: Problem
    count: int = 0
    #: "key: value", cut; values of secret columns are not shown.
    examples: list[str] = field(default_factory=list)
    #: How many of them the repair mends; the others need a person.
    repairable: int = 0
    repair: str = ""

    @property
    def blocks(self) -> bool:
        """Whether the move cannot go on."""
        return self.problem.blocks

    def as_json(self) -> dict[str, Any]:
        """The finding as it is kept with a move."""
        return {
            "table": self.table,
            "column": self.column,
            "code": self.problem.code,
            "title": self.problem.title,
            "count": self.count,
            "examples": self.examples,
            "repair": self.repair,
            "repairable": self.repairable,
            "blocks": self.blocks,
        }

    def __str__(self) -> str:
        place = ".".join(part for part in (self.table, self.column) if part)
        examples = f" ({'; '.join(self.examples)})" if self.examples else ""
        return f"{place}: {self.problem.title}, {self.count} row(s){examples}"


@dataclass(kw_only=True)
class ColumnFigures:
    """What a column holds."""

    name: str
    kind: str
    nulls: int = 0
    bytes: int = 0


@dataclass(kw_only=True)
class TableFigures:
    """What a table holds."""

    name: str
    rows: int = 0
    bytes: int = 0
    columns: list[ColumnFigures] = field(default_factory=list)


@dataclass(kw_only=True)
class Assessment:
    """What a move would carry and what stands in its way."""

    tables: list[TableFigures] = field(default_factory=list)
    findings: list[ValueFinding] = field(default_factory=list)
    rates: Rates | None = None
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def bytes(self) -> int:
        """Bytes of all values."""
        return sum(table.bytes for table in self.tables)

    @property
    def blocking(self) -> list[ValueFinding]:
        """What has to be mended first."""
        return [finding for finding in self.findings if finding.blocks]

    @property
    def blocks(self) -> bool:
        """Whether the move cannot go on."""
        return bool(self.blocking)

    @property
    def rows_per_second(self) -> float | None:
        """Rows a second that one process brings into the target, by the sample."""
        return self.rates.rows_per_second if self.rates else None

    @property
    def copy_seconds(self) -> float | None:
        """How long one process would copy, each table at the rate of its own rows."""
        return self.rates.seconds({table.name: table.rows for table in self.tables}) if self.rates else None

    def as_json(self) -> dict[str, Any]:
        """Everything, for the row of the move and its page."""
        return {
            "rows": self.rows,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "rows_per_second": self.rows_per_second and round(self.rows_per_second),
            "copy_seconds": self.copy_seconds and round(self.copy_seconds, 3),
            "sample_rows": self.rates.rows if self.rates else 0,
            "tables": [asdict(table) for table in self.tables],
            "findings": [finding.as_json() for finding in self.findings],
        }


def shown_example(column: Column, key: Any, raw: Any) -> str:
    """A key and its value for a report, both short."""
    spelled_key = bytes(key).decode("utf-8", "replace") if isinstance(key, (bytes, bytearray)) else str(key)
    if is_secret(column.name):
        return f"{spelled_key[:6]}…: (not shown)"
    if isinstance(raw, bytearray):
        text = ascii_kept(bytes(raw[: EXAMPLE_CHARACTERS * 4]).decode("utf-8", "backslashreplace"))
    else:
        text = str(raw)
    cut = text if len(text) <= EXAMPLE_CHARACTERS else f"{text[: EXAMPLE_CHARACTERS - 1]}…"
    return f"{spelled_key}: {cut}"
