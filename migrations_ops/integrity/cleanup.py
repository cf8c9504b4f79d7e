"""What a cleanup is: a change of many rows that says first what it will do, and can be undone.

A repair is a cleanup that a check names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations_ops.errors import CleanupOptionError
from migrations_ops.integrity.check import Found
from migrations_ops.integrity.journal import Work
from migrations_ops.models import CleanupRecord
from migrations_ops.steps.base import Batch, Cursor

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

Options = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Option:
    """A whole number that a person may choose."""

    name: str
    label: StrOrPromise
    default: int
    lowest: int
    highest: int

    def value(self, given: object) -> int:
        """The number that was given. Raises CleanupOptionError."""
        expected = f"a whole number from {self.lowest} to {self.highest}"
        text = str(given).strip()
        if not text.isascii() or not text.isdecimal() or len(text) > 9:
            raise CleanupOptionError(option=self.name, value=given, expected=expected)
        if not self.lowest <= int(text) <= self.highest:
            raise CleanupOptionError(option=self.name, value=given, expected=expected)
        return int(text)


def _nothing(keys: Mapping[str, set[str]]) -> None:
    """Nothing follows these rows."""


@dataclass(frozen=True, kw_only=True)
class Cleanup:
    """One kind of cleanup. `apply` is a generator like that of a step: each yield ends a batch.

    It finds for itself what is left to do, so that it can begin again after a crash.
    """

    #: Stable: records of what was done name it.
    name: str
    title: StrOrPromise
    #: What it will do, one sentence each.
    consequences: tuple[StrOrPromise, ...]
    options: tuple[Option, ...] = ()
    #: The dry run: how many things it would change, with examples; writes nothing.
    preview: Callable[[Options, int], Found]
    apply: Callable[[Work, Cursor], Iterator[Batch]]
    #: A person types its name before it runs.
    destructive: bool = False
    #: False for work that changes no row of a person's, such as making an index again.
    undoable: bool = True
    #: True for work that cannot be in a transaction of ours; it must be safe to do twice.
    outside: bool = False
    #: The undo of a cleanup that changes no row but, say, files; as `apply`.
    put_back: Callable[[CleanupRecord], Iterator[Batch]] | None = None
    #: `table.column` that readers move on (counters): an undo keeps what was added since.
    drifting: frozenset[str] = field(default_factory=frozenset)
    #: Brings what follows rows of these tables (by key, as text) up to date after a batch of an undo.
    after_undo: Callable[[Mapping[str, set[str]]], None] = _nothing

    def chosen(self, given: Mapping[str, object]) -> dict[str, int]:
        """The value of every option, the default where none was given. Raises CleanupOptionError."""
        known = {option.name for option in self.options}
        if unknown := sorted(given.keys() - known):
            expected = f"none: this cleanup knows {', '.join(sorted(known)) or 'no option'}"
            raise CleanupOptionError(option=unknown[0], value=given[unknown[0]], expected=expected)
        return {
            option.name: option.value(given[option.name])
            if given.get(option.name) not in {None, ""}
            else option.default
            for option in self.options
        }
