"""From a span whose digests differ to its rows and columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from migrations_ops.move.ledger import Difference, DifferenceKind
from migrations_ops.move.meaning import ZEROS, shown_pair
from migrations_ops.move.spans import Side, SortKey, Span
from migrations_ops.move.tables import Column, ColumnKind, Table


def differences_of(
    source: Side, target: Side, table: Table, span: Span, columns: tuple[Column, ...]
) -> Iterator[Difference]:
    """Every row and field of the span that differs by meaning; none where only the spelling does."""
    common = None
    if table.key in columns:
        ours, theirs = source.keys(table, span), target.keys(table, span)
        common = set(ours) & set(theirs)
        yield from _rows(table, ours, common, DifferenceKind.MISSING)
        yield from _rows(table, theirs, common, DifferenceKind.EXTRA)
    for column in columns:
        if column is not table.key:
            yield from _fields(source, target, table, column, span, common)


def _rows(table: Table, keys: list[SortKey], common: set[SortKey], kind: DifferenceKind) -> Iterator[Difference]:
    sides = (
        {"source": "row", "target": "no row"}
        if kind is DifferenceKind.MISSING
        else {"source": "no row", "target": "row"}
    )
    for key in keys:
        if key not in common:
            yield Difference(kind=kind, table=table.name, key=key, key_column=table.key.name, **sides)


def _fields(
    source: Side, target: Side, table: Table, column: Column, span: Span, common: set[SortKey] | None
) -> Iterator[Difference]:
    ours = _common(source.meanings(table, column, span), common)
    theirs = _common(target.meanings(table, column, span), common)
    # SQLite keeps no zero with a minus sign, so beside it the sign says nothing.
    signless = column.kind is ColumnKind.FLOAT and "sqlite" in {source.vendor, target.vendor}
    for (key, one), (_, other) in zip(ours, theirs, strict=True):
        if signless and one in ZEROS and other in ZEROS:
            continue
        if type(one) is not type(other) or one != other:
            left, right = shown_pair(column, one, other)
            yield Difference(
                kind=DifferenceKind.CHANGED,
                table=table.name,
                key=key,
                key_column=table.key.name,
                column=column.name,
                source=left,
                target=right,
            )


def _common(meanings: Iterator[tuple[SortKey, Any]], common: set[SortKey] | None) -> Iterator[tuple[SortKey, Any]]:
    return meanings if common is None else (pair for pair in meanings if pair[0] in common)
