"""Decimals of SQLite, which keeps them as floats, in the binary form of PostgreSQL's numeric."""

from __future__ import annotations

import struct
from typing import Any

from migrations_ops.move.tables import Column
from migrations_ops.move.values import SQLITE_DECIMAL_DIGITS, decimal_parse

#: Bytes before the digits: their number, weight of the first, sign, scale.
_HEAD_BYTES = 8
_SIGN_NEGATIVE = 0x4000
_BASE_DIGITS = 4


def numeric_packed(column: Column, cell: Any) -> bytes:
    """The value with its length in front. Raises ValueError for what is no decimal of this column."""
    scaled = _scaled(column, cell)
    return _packed(abs(scaled), column.places or 0, _SIGN_NEGATIVE if scaled < 0 else 0)


def _scaled(column: Column, cell: Any) -> int:
    """The value times ten to the power of its places; the same decimal as values.decimal_parse gives.

    The quotient of two integers below 2**53 is the float nearest to it, so when it is the cell, the
    integer is the one that the cell stands for.
    """
    places = column.places or 0
    if type(cell) is int and abs(cell) < 10 ** ((column.digits or SQLITE_DECIMAL_DIGITS) - places):
        return cell * int(10**places)
    if type(cell) is float and abs(cell) < 10 ** (SQLITE_DECIMAL_DIGITS - places):
        scaled: int = round(cell * 10**places)
        if scaled / 10**places == cell and len(str(abs(scaled))) <= (column.digits or SQLITE_DECIMAL_DIGITS):
            return scaled
    return int(decimal_parse(column, cell).scaleb(places))


def _packed(scaled: int, places: int, sign: int) -> bytes:
    groups = -(-places // _BASE_DIGITS)
    rest, digits = scaled * 10 ** (groups * _BASE_DIGITS - places), []
    while rest:
        rest, digit = divmod(rest, 10_000)
        digits.append(digit)
    weight = len(digits) - groups - 1 if digits else 0
    digits.reverse()
    while digits and not digits[-1]:
        digits.pop()
    count = len(digits)
    return struct.pack(f">ihhHh{count}h", _HEAD_BYTES + 2 * count, count, weight, sign, places, *digits)
