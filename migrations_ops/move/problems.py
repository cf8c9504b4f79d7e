"""What is wrong with one stored value, and what would mend it; for values of SQLite, which checks hardly any.

A column is first looked at as a whole, in a few calls for thousands of values; only where that fails is
each value looked at. Values are as migrations_ops.move.spans_sqlite fetches them: int, float, bytearray
for a text, bytes for a blob.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from migrations_ops.move.tables import Column, ColumnKind
from migrations_ops.move.values import PARSERS, SQLITE_DECIMAL_DIGITS

Values = Sequence[Any]


class Problem(Enum):
    """One kind of bad value: its name, what an operator reads, the repair, and whether the move cannot go on."""

    def __init__(self, code: str, title: str, repair: str, blocks: bool) -> None:
        self.code, self.title, self.repair, self.blocks = code, title, repair, blocks

    WRONG_TYPE = "wrong_type", "A value of another type than the column's", "Read it as what it should be", True
    NULL = "null_in_required", "No value where one is required", "", True
    NUL_CHARACTER = (
        "nul_character",
        "A NUL character, which PostgreSQL keeps in no text",
        "Take the NUL characters out",
        True,
    )
    INVALID_UTF8 = "invalid_utf8", "Bytes that are no UTF-8", "Put the replacement character in their place", True
    TOO_LONG = "too_long", "More characters than the column takes", "Cut at the limit", True
    OUT_OF_RANGE = "out_of_range", "A number that the column's type does not hold", "", True
    INVALID_JSON = "invalid_json", "No valid JSON", "", True
    JSON_CHARACTER = (
        "json_character",
        "JSON with a NUL or half a character, which PostgreSQL refuses",
        "Take it out",
        True,
    )
    JSON_NUMBER = "json_number", "JSON with a number that PostgreSQL does not hold", "", True
    DECIMAL_PLACES = (
        "decimal_places",
        "More decimal places than the column has; they would be rounded",
        "Round them now",
        False,
    )
    DECIMAL_DIGITS = "decimal_digits", "More digits than SQLite keeps: the last ones are not exact", "", False
    DECIMAL_LOST = "decimal_lost", "More digits than SQLite keeps; they would be lost", "", True
    INFINITE = "infinite", "An infinite number", "", False
    NOT_A_NUMBER = "not_a_number", "Not a number (NaN), which the other database does not keep", "", True
    NEGATIVE_ZERO = "negative_zero", "A zero with a minus sign, which SQLite does not keep", "Take the sign away", False
    BAD_MOMENT = "bad_moment", "No date or time, or one outside the years 1 to 9999", "", True
    MOMENT_ZONE = (
        "moment_zone",
        "A date or time that is not complete, or has a zone of its own",
        "Write it in full, in UTC",
        True,
    )
    MOMENT_SPELLING = (
        "moment_spelling",
        "A date or time in another spelling than the site's",
        "Write it as the site does",
        False,
    )
    UUID_SPELLING = (
        "uuid_spelling",
        "A UUID in another spelling than the site's, which does not find it",
        "Write it as the site does",
        False,
    )
    NOT_UNIQUE = "not_unique", "Values that are one and the same once they are in one spelling", "", True
    BROKEN_REFERENCE = "broken_reference", "A reference to a row that is not there", "", True
    BROKEN_RULE = "broken_rule", "A row that breaks a rule of its table (CHECK)", "", True
    SEQUENCE_BEHIND = (
        "sequence_behind",
        "A sequence that would give a number again",
        "Let it go on behind the last row",
        False,
    )


#: For a value that nothing can mend but a person.
NO_REPAIR = object()
EMPTIED = "Leave the field empty"

_CANONICAL = {
    ColumnKind.TIMESTAMP: r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{6})?",
    ColumnKind.DATE: r"\d{4}-\d\d-\d\d",
    ColumnKind.TIME: r"\d\d:\d\d:\d\d(?:\.\d{6})?",
}
_ALL_CANONICAL = {kind: re.compile(f"(?:{one},)*", re.ASCII) for kind, one in _CANONICAL.items()}
_READ: dict[ColumnKind, Callable[[str], Any]] = {
    ColumnKind.TIMESTAMP: dt.datetime.fromisoformat,
    ColumnKind.DATE: dt.date.fromisoformat,
    ColumnKind.TIME: dt.time.fromisoformat,
}
_ALL_UUIDS = re.compile(rb"(?:[0-9a-f]{32},)*")
#: Escapes in JSON that stand for NUL or a half of a character, and numbers with a large exponent.
_JSON_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|[eE][+-]?\d{4}")
#: Every escape of a JSON text as one match; two halves of a character are one.
_JSON_ESCAPE = re.compile(
    r"\\(?:u(?P<pair>[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|u(?P<code>[0-9a-fA-F]{4})|.)", re.DOTALL
)
#: Digits before the point that PostgreSQL's numeric holds.
_NUMERIC_DIGITS = 131_072


@dataclass(frozen=True)
class Limits:
    """What the target's type of a column holds beside what the column says."""

    low: int = -(2**63)
    high: int = 2**63 - 1


def all_well(column: Column, values: Values, limits: Limits) -> bool:
    """Whether nothing is wrong with any of the values; False may also mean that it takes a closer look."""
    if None in values:
        if not column.null:
            return False
        values = [value for value in values if value is not None]
    if not values:
        return True
    try:
        return set(map(type, values)) <= _TYPES.get(column.kind, {bytearray}) and _WELL[column.kind](
            column, values, limits
        )
    except (ValueError, OverflowError):
        return False


def problem_of(column: Column, raw: Any, limits: Limits) -> Problem | None:
    """What is wrong with a value, the worst first."""
    if raw is None:
        return None if column.null else Problem.NULL
    if type(raw) not in _TYPES.get(column.kind, {bytearray}):
        return Problem.INVALID_JSON if column.kind is ColumnKind.JSON and not _is_json(raw) else Problem.WRONG_TYPE
    if all_well(column, [raw], limits):
        return None
    return _WRONG[column.kind](column, raw)


def repaired(column: Column, problem: Problem, raw: Any) -> Any:
    """The value that would stand there, NO_REPAIR where only a person knows; None is an empty field."""
    try:
        mended = _MENDED[problem](column, raw) if problem in _MENDED else NO_REPAIR
    except (ValueError, ArithmeticError, UnicodeDecodeError):
        mended = NO_REPAIR
    return None if mended is NO_REPAIR and column.null and problem in _EMPTIED else mended


_TYPES: dict[ColumnKind, set[type]] = {
    ColumnKind.INTEGER: {int},
    ColumnKind.BOOLEAN: {int},
    ColumnKind.FLOAT: {int, float},
    ColumnKind.DECIMAL: {int, float},
    ColumnKind.DURATION: {int},
    ColumnKind.BINARY: {bytes},
}

# A whole column ---------------------------------------------------------------------------------


def _integers_well(column: Column, values: Values, limits: Limits) -> bool:
    return bool(limits.low <= min(values) and max(values) <= limits.high)


def _decimals_well(column: Column, values: Values, limits: Limits) -> bool:
    places = column.places or 0
    bound = min(10.0 ** ((column.digits or SQLITE_DECIMAL_DIGITS) - places), 10.0 ** (SQLITE_DECIMAL_DIGITS - places))
    return bool(-bound < min(values) and max(values) < bound and all(round(value, places) == value for value in values))


def _texts_well(column: Column, values: Values, limits: Limits) -> bool:
    joined = b"\n".join(values)
    if b"\0" in joined:
        return False
    joined.decode()  # UnicodeDecodeError is a ValueError
    if column.max_length is None or max(map(len, values)) <= column.max_length:
        return True
    return all(len(value.decode()) <= column.max_length for value in values)


def _json_well(column: Column, values: Values, limits: Limits) -> bool:
    joined = b"\n".join(values)
    joined.decode()
    return not _JSON_SUSPECT.search(joined)  # that each is valid was SQLite's own answer


def _moments_well(column: Column, values: Values, limits: Limits) -> bool:
    joined = b",".join(values).decode("ascii")
    if not _ALL_CANONICAL[column.kind].fullmatch(f"{joined},"):
        return False
    for _ in map(_READ[column.kind], joined.split(",")):
        pass
    return True


_WELL: dict[ColumnKind, Callable[[Column, Values, Limits], bool]] = {
    ColumnKind.INTEGER: _integers_well,
    ColumnKind.BOOLEAN: lambda column, values, limits: set(values) <= {0, 1},
    ColumnKind.FLOAT: lambda column, values, limits: all(map(math.isfinite, values)),
    ColumnKind.DECIMAL: _decimals_well,
    ColumnKind.TEXT: _texts_well,
    ColumnKind.UUID: lambda column, values, limits: _ALL_UUIDS.fullmatch(b",".join(values) + b",") is not None,
    ColumnKind.JSON: _json_well,
    ColumnKind.TIMESTAMP: _moments_well,
    ColumnKind.DATE: _moments_well,
    ColumnKind.TIME: _moments_well,
    ColumnKind.DURATION: _integers_well,
    ColumnKind.BINARY: lambda column, values, limits: True,
}

# One value that is not well ---------------------------------------------------------------------


def _wrong_decimal(column: Column, raw: float) -> Problem:
    if not math.isfinite(raw):
        return Problem.OUT_OF_RANGE
    value, places = Decimal(repr(raw)), column.places or 0
    if column.digits and abs(value) >= Decimal(10) ** (column.digits - places):
        return Problem.OUT_OF_RANGE
    if value != _quantized(value, places):
        return Problem.DECIMAL_PLACES
    return Problem.DECIMAL_DIGITS


def _quantized(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)


def _wrong_text(column: Column, raw: bytearray) -> Problem:
    if b"\0" in raw:
        return Problem.NUL_CHARACTER
    try:
        raw.decode()
    except UnicodeDecodeError:
        return Problem.INVALID_UTF8
    return Problem.TOO_LONG


def _wrong_json(column: Column, raw: bytearray) -> Problem | None:
    try:
        text = raw.decode()
        json.loads(text, parse_int=float, parse_constant=_refused)
    except UnicodeDecodeError:
        return Problem.INVALID_UTF8
    except ValueError:
        return Problem.INVALID_JSON
    if any(_stands_for_nothing(escape) for escape in _JSON_ESCAPE.finditer(text)):
        return Problem.JSON_CHARACTER
    return Problem.JSON_NUMBER if _exponent_largest(raw) >= _NUMERIC_DIGITS else None


def _is_json(raw: Any) -> bool:
    """Whether a value that SQLite did not take for JSON would be some as a text."""
    try:
        json.loads(bytes(raw).decode(), parse_int=float, parse_constant=_refused)
    except (ValueError, TypeError):
        return False
    return True


def _stands_for_nothing(escape: re.Match[str]) -> bool:
    """Whether it is NUL or one half of a character without the other."""
    code = escape["code"]
    return code is not None and (code == "0000" or 0xD800 <= int(code, 16) <= 0xDFFF)


def _exponent_largest(raw: bytearray) -> int:
    return max((abs(int(found)) for found in re.findall(rb"\d[eE]([+-]?\d+)", raw)), default=0)


def _refused(word: str) -> Any:
    raise ValueError(word)


def _wrong_moment(column: Column, raw: bytearray) -> Problem:
    try:
        _moment_spelled(column, raw)
    except (ValueError, OverflowError):
        return Problem.BAD_MOMENT
    try:
        PARSERS[column.kind](column, raw.decode())
    except ValueError:
        return Problem.MOMENT_ZONE  # which the copy would refuse
    return Problem.MOMENT_SPELLING


def _moment_spelled(column: Column, raw: bytearray) -> str:
    """A date or time as Django writes it to SQLite. Raises ValueError."""
    text = raw.decode("ascii").strip()
    if column.kind is ColumnKind.TIMESTAMP:
        moment = dt.datetime.fromisoformat(text)
        return str(moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment)
    if column.kind is ColumnKind.TIME:
        return str(dt.time.fromisoformat(text).replace(tzinfo=None))
    year, month, day = (int(part) for part in text.split("-"))
    return str(dt.date(year, month, day))


def _wrong_uuid(column: Column, raw: bytearray) -> Problem:
    return Problem.UUID_SPELLING if _UUID_SPELLED.fullmatch(raw) else Problem.WRONG_TYPE


_UUID_SPELLED = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_WRONG: dict[ColumnKind, Callable[[Column, Any], Problem | None]] = {
    ColumnKind.INTEGER: lambda column, raw: Problem.OUT_OF_RANGE,
    ColumnKind.BOOLEAN: lambda column, raw: Problem.WRONG_TYPE,
    ColumnKind.FLOAT: lambda column, raw: Problem.INFINITE,
    ColumnKind.DECIMAL: _wrong_decimal,
    ColumnKind.TEXT: _wrong_text,
    ColumnKind.UUID: _wrong_uuid,
    ColumnKind.JSON: _wrong_json,
    ColumnKind.TIMESTAMP: _wrong_moment,
    ColumnKind.DATE: _wrong_moment,
    ColumnKind.TIME: _wrong_moment,
    ColumnKind.DURATION: lambda column, raw: Problem.OUT_OF_RANGE,
    ColumnKind.BINARY: lambda column, raw: Problem.WRONG_TYPE,
}

# Repairs ----------------------------------------------------------------------------------------

#: Problems after which an empty field is better than nothing, where the column may be empty.
_EMPTIED = {Problem.WRONG_TYPE, Problem.OUT_OF_RANGE, Problem.INVALID_JSON, Problem.JSON_NUMBER, Problem.BAD_MOMENT}


def _retyped(column: Column, raw: Any) -> Any:
    """The value as its column's type; exactly, or not at all."""
    if column.kind is ColumnKind.BINARY:
        return bytes(raw) if isinstance(raw, bytearray) else NO_REPAIR
    if isinstance(raw, float):
        return int(raw) if column.kind is ColumnKind.INTEGER and raw.is_integer() else NO_REPAIR
    if isinstance(raw, int):
        return bool(raw) if column.kind is ColumnKind.BOOLEAN else NO_REPAIR
    return _from_text(column, bytes(raw).decode())


def _from_text(column: Column, text: str) -> Any:
    match column.kind:
        case ColumnKind.TEXT:
            return NO_REPAIR if "\0" in text else text
        case ColumnKind.JSON:
            json.loads(text, parse_constant=_refused)
            return text
        case ColumnKind.INTEGER | ColumnKind.DURATION:
            return int(text)
        case ColumnKind.BOOLEAN:
            return {"true": 1, "t": 1, "yes": 1, "1": 1, "false": 0, "f": 0, "no": 0, "0": 0}.get(
                text.lower(), NO_REPAIR
            )
        case ColumnKind.UUID:
            return UUID(text).hex
        case ColumnKind.TIMESTAMP | ColumnKind.DATE | ColumnKind.TIME:
            return _moment_spelled(column, bytearray(text.encode()))
    return NO_REPAIR


def _json_mended(column: Column, raw: bytearray) -> str:
    """The text without escapes that stand for nothing; everything else stays as it is spelled."""
    return _JSON_ESCAPE.sub(lambda escape: "" if _stands_for_nothing(escape) else escape[0], raw.decode())


_MENDED: dict[Problem, Callable[[Column, Any], Any]] = {
    Problem.WRONG_TYPE: _retyped,
    Problem.NUL_CHARACTER: lambda column, raw: raw.replace(b"\0", b"").decode("utf-8", "replace"),
    Problem.INVALID_UTF8: lambda column, raw: raw.decode("utf-8", "replace"),
    Problem.TOO_LONG: lambda column, raw: raw.decode()[: column.max_length],
    Problem.JSON_CHARACTER: _json_mended,
    Problem.DECIMAL_PLACES: lambda column, raw: float(_quantized(Decimal(repr(raw)), column.places or 0)),
    Problem.MOMENT_ZONE: _moment_spelled,
    Problem.MOMENT_SPELLING: _moment_spelled,
    Problem.UUID_SPELLING: lambda column, raw: UUID(raw.decode()).hex,
}
