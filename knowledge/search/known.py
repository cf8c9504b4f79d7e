"""What the database knows of the words of a query, in one statement: each takes longer to send than to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from knowledge.search.rows import one_of, rows_prepared
from knowledge.search.terms import becoming_question, frequencies_question

#: Promoted entries of one search; more would hide what was found.
PROMOTED_MOST = 5

_PROMOTED = "SELECT 3, CAST(entry_id AS text), position, id FROM kb_promoted_results WHERE normalized = %s"
_ALIASES = "SELECT 2, alias, error_code_id, 0 FROM kb_code_aliases"


@dataclass
class Known:
    """What stands in the database of a query."""

    #: Term -> published entries that hold it.
    frequencies: dict[str, int] = field(default_factory=dict)
    #: The same for the terms that its last word may become, the most frequent first.
    becoming: dict[str, int] = field(default_factory=dict)
    #: Runs of its words with the codes that they are another name of.
    aliases: list[tuple[str, str]] = field(default_factory=list)
    #: Entries that are promoted for it, in their order.
    promoted: list[UUID] = field(default_factory=list)


def known(*, terms: Sequence[str], beginning: str, runs: Sequence[str], normalized: str) -> Known:
    """What is known of these terms, the beginning of a word, runs of words and analysed words; empty ones are not asked."""
    found = Known()
    promoted: list[tuple[int, int, UUID]] = []
    numbers: list[tuple[str, int]] = []
    for kind, name, number, place in rows_prepared(*_question(terms, beginning, runs, normalized)):
        if kind == 0:
            found.frequencies[name] = int(number)
        elif kind == 1:
            found.becoming[name] = int(number)
        elif kind == 2:
            numbers.append((name, int(number)))
        else:
            promoted.append((int(number), int(place), UUID(name)))
    found.becoming = dict(sorted(found.becoming.items(), key=lambda one: (-one[1], one[0])))
    found.promoted = [entry for _, _, entry in sorted(promoted)[:PROMOTED_MOST]]
    if numbers:
        chosen, params = one_of("id", [number for _, number in numbers])
        codes = dict(rows_prepared(f"SELECT id, code FROM kb_error_codes WHERE {chosen}", params))
        found.aliases = [(alias, codes[number]) for alias, number in numbers if number in codes]
    return found


def _question(terms: Sequence[str], beginning: str, runs: Sequence[str], normalized: str) -> tuple[str, list[Any]]:
    sql, params = frequencies_question(terms)
    parts, values = [f"SELECT 0 AS kind, term AS name, df AS number, 0 AS place FROM ({sql}) AS t"], params
    if beginning:
        sql, params = becoming_question(beginning)
        parts.append(f"SELECT 1, term, df, 0 FROM ({sql}) AS b")
        values += params
    if runs:
        chosen, params = one_of("alias", runs)
        parts.append(f"{_ALIASES} WHERE {chosen}")
        values += params
    if normalized:
        parts.append(_PROMOTED)
        values.append(normalized)
    return " UNION ALL ".join(parts), values
