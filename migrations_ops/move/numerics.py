"""Decimals of SQLite, which keeps them as floats, in the binary form of PostgreSQL's numeric."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from migrations_ops.move.tables import Column
from migrations_ops.move.values import SQLITE_DECIMAL_DIGITS, decimal_parse

#: Bytes before the digits: their number, weight of the first, sign, scale.
_HEAD_BYTES = 8
_SIGN_NEGATIVE = 0x4000
_BASE_DIGITS = 4


def numeric_packer(column: Column) -> Callable[[Any], bytes]:
    """A function that makes the bytes of a value of this column, with the length in front.

    It raises ValueError or ArithmeticError for what is no decimal of this column.
    """
    scaled_of = _scaler(column)
    places = column.places or 0
    groups = -(-places // _BASE_DIGITS)
    shift = 10 ** (groups * _BASE_DIGITS - places)

    def packed(cell: Any) -> bytes:
        scaled = scaled_of(cell)
        rest, digits = abs(scaled) * shift, []
        while rest:
            rest, digit = divmod(rest, 10_000)
            digits.append(digit)
        weight = len(digits) - groups - 1 if digits else 0
        digits.reverse()
        while digits and not digits[-1]:
            digits.pop()
        count = len(digits)
        sign = _SIGN_NEGATIVE if scaled < 0 else 0
        return _form(count).pack(_HEAD_BYTES + 2 * count, count, weight, sign, places, *digits)

    return packed


def _scaler(column: Column) -> Callable[[Any], int]:
    """A function that gives a value times ten to the power of its places; the decimal that values.decimal_parse gives.

    The quotient of two integers below 2**53 is the float nearest to it, so when it is the cell, the
    integer is the one that the cell stands for.
    """
    places = column.places or 0
    scale: int = 10**places
    digits = min(column.digits or SQLITE_DECIMAL_DIGITS, SQLITE_DECIMAL_DIGITS)
    most: int = 10**digits

    def scaled(cell: Any) -> int:
        if type(cell) is float and -most < cell < most:
            product = round(cell * scale)
            if product / scale == cell and -most < product < most:
                return product
        return int(decimal_parse(column, cell).scaleb(places))

    return scaled


@cache
def _form(count: int) -> struct.Struct:
    """A numeric of so many digits of base 10,000."""
    return struct.Struct(f">ihhHh{count}h")
