"""The unit of verification: the rows of one table between two keys, with a digest for each column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from migrations_ops.move.tables import Column, Table

#: Rows of a span at most, and bytes of its texts after which it is cut.
SPAN_ROWS = 4_000
SPAN_BYTES = 1024**2

#: A key as both databases sort it: a number, the hexadecimal digits of a UUID, or a text by its bytes.
SortKey = int | str


@dataclass(frozen=True)
class Span:
    """Keys above `after` up to and with `until`; None is open, so that spans leave no gap between them."""

    after: SortKey | None
    until: SortKey | None


@dataclass(frozen=True)
class Digests:
    """Rows of a span and one digest a column, in the table's order; "" is a column that must be looked at."""

    rows: int
    columns: tuple[str, ...]

    def differing(self, other: Digests, table: Table) -> tuple[Column, ...]:
        """Columns that are not known to be equal."""
        if self.rows != other.rows:
            return table.columns
        pairs = zip(table.columns, self.columns, other.columns, strict=True)
        return tuple(column for column, ours, theirs in pairs if ours != theirs or not ours)


@dataclass(frozen=True)
class Chunk:
    """A span that the leading side has read: its digests and, by place of the column, JSON for the other side."""

    span: Span
    digests: Digests
    #: Arrays of the JSON values of a column, which only PostgreSQL brings into one form fast.
    json: dict[int, str] = field(default_factory=dict, repr=False)


class Side(Protocol):
    """One of the two databases, read inside a snapshot."""

    vendor: str

    def rows_count(self, table: Table) -> int:
        """Rows of the table."""

    def chunks(self, table: Table) -> Iterator[Chunk]:
        """The whole table in spans of its own choice, in the order of keys; the last one is open."""

    def digests(self, table: Table, chunk: Chunk) -> Digests:
        """Digests of the same span as the other side read."""

    def keys(self, table: Table, span: Span) -> list[SortKey]:
        """The keys of a span, in order."""

    def meanings(self, table: Table, column: Column, span: Span) -> Iterator[tuple[SortKey, Any]]:
        """Key and meaning (migrations_ops.move.meaning) of one column of a span, in order."""

    def close(self) -> None:
        """Leave the connection as Django wants it; the transaction is the caller's."""
