"""What every reader gives."""

from __future__ import annotations

from typing import Any, NamedTuple

#: Rows of a file that does not say otherwise are entries.
ENTRIES = "entries"


class SourceRow(NamedTuple):
    """One row of a file. `number` is the line, sheet row or place that a person finds it at."""

    number: int
    section: str
    values: dict[str, Any]
    #: Why the row cannot be used, when it is no row at all.
    problem: str = ""


def column_named(name: object) -> str:
    """A column as it is compared: lower case, words joined."""
    return "_".join(str(name if name is not None else "").strip().strip("\ufeff").lower().replace("-", " ").split())
