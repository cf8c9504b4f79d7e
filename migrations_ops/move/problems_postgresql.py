"""What PostgreSQL keeps and SQLite, or Python, does not: conditions over its columns, each with its repair."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from migrations_ops.move.problems import Problem
from migrations_ops.move.tables import Column, ColumnKind
from migrations_ops.move.values import SQLITE_DECIMAL_DIGITS

#: Problem, condition that is true of it, and the SQL that mends it (None: the field can only be left empty).
Condition = tuple[Problem, str, str | None]

MINUS_ZERO = "'\\x8000000000000000'::bytea"


def conditions_of(column: Column, name: str, to: str) -> Iterator[Condition]:
    """What can be wrong with a column of PostgreSQL on its way to this vendor; `name` is quoted."""
    if to == "sqlite" and column.kind in _TO_SQLITE:
        yield from _TO_SQLITE[column.kind](column, name)


def _floats(column: Column, name: str) -> list[Condition]:
    return [
        (Problem.NOT_A_NUMBER, f"{name} = 'NaN'", None),
        (Problem.NEGATIVE_ZERO, f"{name} = 0 AND float8send({name}) = {MINUS_ZERO}", "0"),
        (Problem.INFINITE, f"{name} IN ('Infinity', '-Infinity')", None),
    ]


def _decimals(column: Column, name: str) -> list[Condition]:
    digits = f"length(trim(BOTH '0' FROM translate({name}::text, '-.', '')))"
    finite = f"{name}::text NOT IN ('NaN', 'Infinity', '-Infinity')"
    return [
        (Problem.NOT_A_NUMBER, f"NOT ({finite})", None),
        (Problem.DECIMAL_LOST, f"{finite} AND {digits} > {SQLITE_DECIMAL_DIGITS}", None),
    ]


def _timestamps(column: Column, name: str) -> list[Condition]:
    low, high = "'0001-01-01 00:00:00+00'::timestamptz", "'10000-01-01 00:00:00+00'::timestamptz"
    return [(Problem.BAD_MOMENT, f"({name} < {low} OR {name} >= {high})", None)]


def _dates(column: Column, name: str) -> list[Condition]:
    return [(Problem.BAD_MOMENT, f"({name} < '0001-01-01'::date OR {name} > '9999-12-31'::date)", None)]


def _times(column: Column, name: str) -> list[Condition]:
    return [(Problem.BAD_MOMENT, f"{name} = '24:00:00'::time", None)]


_TO_SQLITE: dict[ColumnKind, Callable[[Column, str], list[Condition]]] = {
    ColumnKind.FLOAT: _floats,
    ColumnKind.DECIMAL: _decimals,
    ColumnKind.TIMESTAMP: _timestamps,
    ColumnKind.DATE: _dates,
    ColumnKind.TIME: _times,
}
