"""Which statements change a database."""

from __future__ import annotations

import re
from typing import Any

#: How a statement begins that changes nothing, perhaps after brackets and comments.
_READS = re.compile(
    r"(?:\s+|\(|--[^\n]*\n|/\*.*?\*/)*"
    r"(SELECT|VALUES|TABLE|PRAGMA|EXPLAIN|SHOW|SET|RESET|DECLARE|FETCH|CLOSE|SAVEPOINT|RELEASE|ROLLBACK|COMMIT)\b",
    re.IGNORECASE | re.DOTALL,
)
_WITH = re.compile(r"(?:\s+|--[^\n]*\n|/\*.*?\*/)*WITH\b", re.IGNORECASE | re.DOTALL)
_CHANGES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|REPLACE)\b", re.IGNORECASE)


def writes(sql: Any) -> bool:
    """Whether this may change something; in doubt, and for what is not a text, it may."""
    if not isinstance(sql, str):
        return True
    if sql.startswith("SELECT "):
        return False
    if _WITH.match(sql):
        return _CHANGES.search(sql) is not None
    return _READS.match(sql) is None
