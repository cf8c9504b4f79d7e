"""Rows of SQLite as PostgreSQL's binary COPY, a batch and a column at a time.

Every step over the rows of a batch is a map() over one column, so that the loops run inside the
interpreter. The fast path takes what Django writes; a batch with anything else goes through
migrations_ops.move.values, which knows other spellings and names what is none.

The format: PostgreSQL's documentation, "COPY", file formats, binary; of each type its "send" function.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from operator import sub
from typing import Any

from migrations_ops.errors import ValueUnfitError
from migrations_ops.move.numerics import numeric_packer
from migrations_ops.move.tables import Column, ColumnKind, Table
from migrations_ops.move.values import Row, row_parse, spelled, unfit

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
NULL = struct.pack(">i", -1)

Cells = Sequence[Any]
#: What a column that does not fit raises, in whatever function it comes to.
MISFITS = (TypeError, ValueError, ArithmeticError, AttributeError, struct.error)

_EPOCH = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - SQLite's texts have no zone, all of them are UTC
_DAY_MICROSECONDS = 24 * 60 * 60 * 1_000_000
#: Longest value whose length prefix is kept ready.
_LENGTHS_KEPT = 1 << 16


class Lengths(dict[int, bytes]):
    """The length prefix of a value of so many bytes, made when first wanted; `version` is the first byte of a jsonb."""

    def __init__(self, version: bytes = b"") -> None:
        super().__init__()
        self.version = version

    def __missing__(self, length: int) -> bytes:
        prefix = struct.pack(">i", length + len(self.version)) + self.version
        if length < _LENGTHS_KEPT:
            self[length] = prefix
        return prefix


_LENGTHS = {ColumnKind.TEXT: Lengths(), ColumnKind.JSON: Lengths(b"\x01"), ColumnKind.BINARY: Lengths()}


@dataclass(frozen=True)
class Fixed:
    """Values of one size: how struct names it, how long it is, and how a column of SQLite becomes its values."""

    code: str
    size: int
    values: Callable[[Cells], Iterable[Any]]


# Columns of one size ----------------------------------------------------------------------------


def _as_they_are(cells: Cells) -> Cells:
    return cells


def _booleans(cells: Cells) -> Cells:
    if not set(cells) <= {0, 1}:
        raise ValueError
    return cells


def _floats(cells: Cells) -> Cells:
    if set(map(type, cells)) - {float}:
        raise TypeError
    return cells


def _uuids(cells: Cells) -> Iterable[bytes]:
    if set(map(len, cells)) - {32}:
        raise ValueError
    keys = list(map(bytes.fromhex, cells))
    if set(map(len, keys)) - {16}:  # fromhex passes over blanks
        raise ValueError
    return keys


def _timestamps(cells: Cells) -> Iterable[int]:
    texts = cells if set(map(len, cells)) == {26} else [text if len(text) == 26 else f"{text}.000000" for text in cells]
    _in_shape(texts, "????-??-?? ??:??:??.??????")
    spans = map(sub, map(dt.datetime.fromisoformat, texts), repeat(_EPOCH))
    # To divide a span by a microsecond takes twice as long.
    return [(span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds for span in spans]


def _in_shape(texts: Sequence[str], shape: str) -> None:
    """Raise ValueError unless every text has the marks of `shape`, whose question marks stand for anything.

    What is between them is left to Python's parsers, which read more shapes than this one.
    """
    joined, count, step = "".join(texts), len(texts), len(shape)
    if set(map(len, texts)) - {step} or "W" in joined:  # a W makes a year and a week of it
        raise ValueError
    for place, mark in enumerate(shape):
        if mark != "?" and joined[place::step] != mark * count:
            raise ValueError


class _Days(dict[str, int]):
    """Days since 2000 of a date as SQLite has it."""

    def __missing__(self, text: str) -> int:
        _in_shape([text], "????-??-??")
        if len(self) > _LENGTHS_KEPT:
            self.clear()
        self[text] = days = dt.date.fromisoformat(text).toordinal() - _EPOCH.toordinal()
        return days


def _times(cells: Cells) -> Iterable[int]:
    texts = [text if len(text) == 15 else f"{text}.000000" for text in cells]
    _in_shape(texts, "??:??:??.??????")
    times = map(dt.time.fromisoformat, texts)
    return [
        ((time.hour * 60 + time.minute) * 60 + time.second) * 1_000_000 + time.microsecond
        for time in times
        if time.tzinfo is None
    ]


def _durations(cells: Cells) -> Iterable[bytes]:
    if set(map(type, cells)) - {int}:
        raise TypeError
    return [
        struct.pack(">qii", cell - days * _DAY_MICROSECONDS, days, 0)
        for cell in cells
        for days in [cell // _DAY_MICROSECONDS]
    ]


_INTEGERS = {
    "int2": Fixed("h", 2, _as_they_are),
    "int4": Fixed("i", 4, _as_they_are),
    "int8": Fixed("q", 8, _as_they_are),
}
_FIXED = {
    ColumnKind.BOOLEAN: Fixed("b", 1, _booleans),
    ColumnKind.FLOAT: Fixed("d", 8, _floats),
    ColumnKind.UUID: Fixed("16s", 16, _uuids),
    ColumnKind.TIMESTAMP: Fixed("q", 8, _timestamps),
    ColumnKind.DATE: Fixed("i", 4, partial(map, _Days().__getitem__)),
    ColumnKind.TIME: Fixed("q", 8, _times),
    ColumnKind.DURATION: Fixed("16s", 16, _durations),
}


def fixed_of(column: Column, type_name: str) -> Fixed | None:
    """How a column of one size is packed; None for texts and the like."""
    return _INTEGERS[type_name] if column.kind is ColumnKind.INTEGER else _FIXED.get(column.kind)


# Columns of any size ----------------------------------------------------------------------------


def _pieces_text(kind: ColumnKind, cells: Cells) -> tuple[Iterable[bytes], ...]:
    return map(_LENGTHS[kind].__getitem__, map(len, cells)), cells


def _pieces_text_or_null(kind: ColumnKind, cells: Cells) -> tuple[Iterable[bytes], ...]:
    lengths = _LENGTHS[kind]
    return [NULL if cell is None else lengths[len(cell)] for cell in cells], [cell or b"" for cell in cells]


def _pieces_bytes(cells: Cells) -> tuple[Iterable[bytes], ...]:
    if set(map(type, cells)) - {bytes, type(None)}:
        raise TypeError
    lengths = _LENGTHS[ColumnKind.BINARY]
    return [NULL if cell is None else lengths[len(cell)] for cell in cells], [cell or b"" for cell in cells]


def _pieces_decimal(packed: Callable[[Any], bytes], cells: Cells) -> tuple[Iterable[bytes], ...]:
    return ([NULL if cell is None else packed(cell) for cell in cells],)


def _pieces_fixed_or_null(fixed: Fixed, cells: Cells) -> tuple[Iterable[bytes], ...]:
    there = [cell for cell in cells if cell is not None]
    if not there:
        return (repeat(NULL, len(cells)),)
    packed = map(struct.Struct(f">i{fixed.code}").pack, repeat(fixed.size), fixed.values(there))
    if len(there) == len(cells):
        return (packed,)
    return ([NULL if cell is None else next(packed) for cell in cells],)


def pieces_of(column: Column, type_name: str) -> Callable[[Cells], tuple[Iterable[bytes], ...]]:
    """The function that makes the bytes of one column, in one or more parts of each row."""
    if column.kind is ColumnKind.BINARY:
        return _pieces_bytes
    if column.kind is ColumnKind.DECIMAL:
        return partial(_pieces_decimal, numeric_packer(column))
    if fixed := fixed_of(column, type_name):
        return partial(_pieces_fixed_or_null, fixed)
    return partial(_pieces_text_or_null if column.null else _pieces_text, column.kind)


# Rows -------------------------------------------------------------------------------------------


def _as_selected_plainly(column: Column, cell: Any) -> Any:
    """Texts as texts; what was none as bytes, so that it is refused."""
    if column.kind not in _TEXTS or cell is None:
        return cell
    return cell.decode(errors="replace") if isinstance(cell, bytes) else cell.encode()


_TEXTS = {ColumnKind.TEXT, ColumnKind.JSON}


def packable(column: Column, name: str) -> str:
    """How a column of this quoted name is to be selected from SQLite for the packer.

    Texts come as bytes, which saves decoding and encoding them again. A BLOB in such a column, which is above
    every text, comes as the text of its literal, so that it is noticed.
    """
    return f"iif({name} >= x'', quote({name}), CAST({name} AS BLOB))" if column.kind in _TEXTS else f"+{name}"


class Packer:
    """Packs rows of one table, whose columns were selected as `packable` says, in the order of `columns`."""

    def __init__(self, table: Table, types: dict[str, str]) -> None:
        """`types` are the target's own names of the columns' types (int4, varchar)."""
        first = [column for column in table.columns if not column.null and fixed_of(column, types[column.name])]
        rest = [column for column in table.columns if column not in first]
        self.columns = (*first, *rest)
        self.table = Table(name=table.name, key=table.key, columns=self.columns)
        self._fixed = [fixed for column in first if (fixed := fixed_of(column, types[column.name]))]
        self._types = types
        self._head = struct.Struct(">h" + "".join(f"i{fixed.code}" for fixed in self._fixed)).pack
        self._rest = [pieces_of(column, types[column.name]) for column in rest]

    def packed(self, rows: Sequence[Row]) -> bytes:
        """The rows as a part of a binary COPY. Raises ValueUnfitError."""
        try:
            return self._packed(rows)
        except MISFITS:
            return self._packed_slowly(rows)

    def _packed(self, rows: Sequence[Row]) -> bytes:
        columns = list(zip(*rows, strict=True))
        heads: list[Iterable[Any]] = [repeat(len(columns), len(rows))]
        for fixed, cells in zip(self._fixed, columns, strict=False):
            heads += [repeat(fixed.size), fixed.values(cells)]
        pieces: list[Iterable[bytes]] = [map(self._head, *heads)]
        for make, cells in zip(self._rest, columns[len(self._fixed) :], strict=True):
            pieces += make(cells)
        return b"".join(chain.from_iterable(zip(*pieces, strict=True)))

    def _packed_slowly(self, rows: Sequence[Row]) -> bytes:
        parts = []
        for row in rows:
            plain = self._respelled(row)
            try:
                parts.append(self._packed([plain]))
            except MISFITS as error:
                raise self._misfit(plain) from error
        return b"".join(parts)

    def _respelled(self, row: Row) -> Row:
        """The row as Django would have written it, decimals as they are. Raises ValueUnfitError."""
        values = row_parse(self.table, tuple(map(_as_selected_plainly, self.columns, row)))
        kept = {*_TEXTS, ColumnKind.DECIMAL}
        return tuple(
            raw if value is None or column.kind in kept else spelled(column, value)
            for column, raw, value in zip(self.columns, row, values, strict=True)
        )

    def _misfit(self, row: Row) -> ValueUnfitError:
        """Which value it is that can be read and still does not go into its column."""
        key = row[self.columns.index(self.table.key)]
        for column, value in zip(self.columns, row, strict=True):
            try:
                if value is None and not column.null:
                    raise TypeError
                for piece in pieces_of(column, self._types[column.name])([value]):
                    list(piece)
            except MISFITS:
                return unfit(self.table, column, key, value)
        return unfit(self.table, self.table.key, key, row)
