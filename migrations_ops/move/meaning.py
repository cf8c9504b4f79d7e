"""What a stored value means, whatever a database makes of its spelling; the judge over two values.

Digests are a quick filter: equal digests mean equal values. Where they differ the values themselves
come here, because 1.50 and 1.5 in a decimal, `{"a":1,"b":2}` and `{"b": 2.0, "a": 1}` in JSON, or
two spellings of one moment are equal. Shares nothing with the modules that copy: a mistake in one of
them would otherwise be judged by itself.

SQLite hands over int, float, bytearray (a text) and bytes (a blob); PostgreSQL hands over its own text.
"""

from __future__ import annotations

import datetime as dt
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from migrations_ops.move.tables import Column, ColumnKind

#: Both zeros of a float, as their bits.
ZEROS = frozenset({struct.pack(">d", 0.0), struct.pack(">d", -0.0)})
#: A text or blob above this many bytes is compared by length and md5, so that memory stays bounded.
LARGE_BYTES = 65_536
#: Characters of a value that a report shows.
SHOWN_CHARACTERS = 60
#: Words in the name of a column whose values no report shows.
SECRET_WORDS = ("password", "session_data", "session_key", "secret", "digest", "token", "payload")


@dataclass(frozen=True)
class Misfit:
    """A value that its column cannot mean; equal to nothing but the very same."""

    vendor: str
    value: Any


def meaning_sqlite(column: Column, raw: Any) -> Any:
    """What SQLite's value means; a Misfit where it means nothing in this column."""
    if raw is None:
        return None
    try:
        return _SQLITE[column.kind](column, raw)
    except (ValueError, ArithmeticError, TypeError, struct.error, RecursionError):
        return Misfit("sqlite", bytes(raw) if isinstance(raw, bytearray) else raw)


def meaning_postgresql(column: Column, raw: Any) -> Any:
    """What PostgreSQL's text of a value means; a Misfit for what Python or SQLite cannot mean (infinity, BC)."""
    if raw is None:
        return None
    try:
        return _POSTGRESQL[column.kind](column, raw)
    except (ValueError, ArithmeticError, RecursionError):
        return Misfit("postgresql", raw)


def is_secret(name: str) -> bool:
    """Whether no report shows the values of a column of this name."""
    return any(word in name for word in SECRET_WORDS)


def shown(column: Column, value: Any) -> str:
    """A meaning for a report, short and on one line."""
    if value is None:
        return "NULL"
    if is_secret(column.name):
        return "(not shown)"
    if isinstance(value, Misfit):
        return _cut(f"{value.value!r}, which is no {column.kind.value}")
    return _cut(_PRINTED.get(column.kind, str)(value))


def shown_pair(column: Column, one: Any, other: Any) -> tuple[str, str]:
    """Both meanings for a report; long texts from shortly before the first character that differs."""
    plain = type(one) is type(other) is bytes and column.kind in {ColumnKind.TEXT, ColumnKind.BINARY}
    if not plain or is_secret(column.name):
        return shown(column, one), shown(column, other)
    at = next(
        (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )
    start = max(0, at - 20) if max(len(one), len(other)) > SHOWN_CHARACTERS else 0
    mark = f"[from byte {start}] " if start else ""
    return mark + _cut(repr_bytes(column, one[start:])), mark + _cut(repr_bytes(column, other[start:]))


def repr_bytes(column: Column, value: bytes) -> str:
    """A text in quotes with its odd characters spelled out, a blob in hexadecimal digits."""
    if column.kind is ColumnKind.BINARY:
        return value[:SHOWN_CHARACTERS].hex()
    return ascii_kept(value[: SHOWN_CHARACTERS * 4].decode("utf-8", "backslashreplace"))


def ascii_kept(text: str) -> str:
    """The text in quotes; what cannot be printed, trailing blanks and parts of characters are told apart."""
    spelled = "".join(
        letter if letter.isprintable() and not _is_mark(letter) else ascii(letter)[1:-1] for letter in text
    )
    return f'"{spelled}"'


def _is_mark(letter: str) -> bool:
    return "\u0300" <= letter <= "\u036f"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


# From SQLite ------------------------------------------------------------------------------------


def _integer(column: Column, raw: Any) -> int:
    if type(raw) is not int:
        raise ValueError(raw)
    return raw


def _boolean(column: Column, raw: Any) -> bool:
    return {0: False, 1: True}[raw] if raw in {0, 1} else _refused(raw)


def _float(column: Column, raw: Any) -> bytes:
    """The bits; whether -0.0 is 0.0 depends on the other side (migrations_ops.move.narrowing)."""
    if type(raw) not in {int, float}:
        raise ValueError(raw)
    return struct.pack(">d", raw)


def _decimal(column: Column, raw: Any) -> Decimal:
    """The decimal that SQLite's float stands for, with the column's places."""
    if type(raw) not in {int, float}:
        raise ValueError(raw)
    value = Decimal(repr(raw))
    return value if column.places is None else value.quantize(Decimal(1).scaleb(-column.places))


def _text_bytes(column: Column, raw: Any) -> bytes:
    if type(raw) is not bytearray:
        raise ValueError(raw)
    return bytes(raw)


def _blob(column: Column, raw: Any) -> bytes:
    if type(raw) is not bytes:
        raise ValueError(raw)
    return raw


def _as_text(read: Callable[[str], Any]) -> Callable[[Column, Any], Any]:
    def parse(column: Column, raw: Any) -> Any:
        return read(_text_bytes(column, raw).decode())

    return parse


def _moment(text: str) -> dt.datetime:
    """A moment in UTC; without a zone of its own it is in UTC, as Django writes it."""
    if len(text) <= 10:  # a date alone is no moment, though Python takes it
        raise ValueError(text)
    moment = dt.datetime.fromisoformat(text)
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _day(text: str) -> dt.date:
    if len(text) != 10:
        raise ValueError(text)
    return dt.date.fromisoformat(text)


def json_meaning(text: str) -> Any:
    """JSON as something that is equal where the meaning is: key order and 1.0 for 1 count nothing, true is not 1."""
    return _tagged(json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refused))


def _tagged(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tagged(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    return value if isinstance(value, (str, Decimal)) else (type(value).__name__, value)


def _refused(value: Any) -> Any:
    raise ValueError(value)


# From PostgreSQL --------------------------------------------------------------------------------


def _truth(column: Column, raw: str) -> bool:
    return raw == "true" if raw in {"true", "false"} else bool(_refused(raw))


_SQLITE: dict[ColumnKind, Callable[[Column, Any], Any]] = {
    ColumnKind.INTEGER: _integer,
    ColumnKind.BOOLEAN: _boolean,
    ColumnKind.FLOAT: _float,
    ColumnKind.DECIMAL: _decimal,
    ColumnKind.TEXT: _text_bytes,
    ColumnKind.UUID: _as_text(UUID),
    ColumnKind.JSON: _as_text(json_meaning),
    ColumnKind.TIMESTAMP: _as_text(_moment),
    ColumnKind.DATE: _as_text(_day),
    ColumnKind.TIME: _as_text(dt.time.fromisoformat),
    ColumnKind.DURATION: _integer,
    ColumnKind.BINARY: _blob,
}
_POSTGRESQL: dict[ColumnKind, Callable[[Column, Any], Any]] = {
    ColumnKind.INTEGER: lambda column, raw: int(raw),
    ColumnKind.BOOLEAN: _truth,
    ColumnKind.FLOAT: lambda column, raw: struct.pack(">d", float(raw)),
    ColumnKind.DECIMAL: lambda column, raw: Decimal(raw),
    ColumnKind.TEXT: lambda column, raw: raw.encode(),
    ColumnKind.UUID: lambda column, raw: UUID(raw),
    ColumnKind.JSON: lambda column, raw: json_meaning(raw),
    ColumnKind.TIMESTAMP: lambda column, raw: _moment(raw),
    ColumnKind.DATE: lambda column, raw: _day(raw),
    ColumnKind.TIME: lambda column, raw: dt.time.fromisoformat(raw),
    ColumnKind.DURATION: lambda column, raw: int(raw),
    ColumnKind.BINARY: lambda column, raw: bytes.fromhex(raw),
}


def _json_printed(value: Any) -> str:
    """The meaning of JSON as JSON, keys in order and numbers as exact as they were."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_quoted(key)}: {_json_printed(value[key])}' for key in sorted(value))}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_json_printed, value))}]"
    if isinstance(value, tuple):
        return json.dumps(value[1])
    return str(value) if isinstance(value, Decimal) else _quoted(value)


def _quoted(text: str) -> str:
    return json.dumps(text) if any(map(_is_mark, text)) else json.dumps(text, ensure_ascii=False)


_PRINTED: dict[ColumnKind, Callable[[Any], str]] = {
    ColumnKind.BOOLEAN: lambda value: str(value).lower(),
    ColumnKind.FLOAT: lambda value: repr(struct.unpack(">d", value)[0]),
    ColumnKind.TEXT: lambda value: ascii_kept(value[: SHOWN_CHARACTERS * 4].decode("utf-8", "backslashreplace")),
    ColumnKind.JSON: _json_printed,
    ColumnKind.TIMESTAMP: lambda value: value.isoformat(sep=" "),
    ColumnKind.DURATION: lambda value: f"{value} microseconds",
    ColumnKind.BINARY: lambda value: value[:SHOWN_CHARACTERS].hex(),
}
