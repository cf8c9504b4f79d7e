"""Mainframe codes in text: recognised, and brought to one canonical form."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A code in canonical form (`S0C7`, `SQLCODE -803`, `FS 35`) and what sort of code it is."""

    code: str
    kind: str


@dataclass(frozen=True)
class CodeMatch:
    """A code found in a text, at `text[start:end]`."""

    code: str
    kind: str
    start: int
    end: int


def codes_find(text: str) -> tuple[CodeMatch, ...]:
    """The codes in a running text, in order, without overlaps."""
    return ()


def code_normalize(text: str) -> Code | None:
    """The code that the whole of `text` names, if it names one."""
    return None
