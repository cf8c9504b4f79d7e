"""The same questions put to both databases: the engine asks, a phase knows the questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from migrations_ops.gate import site_level
from migrations_ops.move.ledger import Difference, DifferenceKind
from migrations_ops.phase import phases_open

ANSWERS_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class ParityQuery:
    """A question whose answer must be the same on both databases.

    `answer` gets the alias of a connection, which may be inside a snapshot: it only reads, outside
    `atomic`. What it returns is compared item by item.
    """

    #: What kind of question, for the report: "search".
    kind: str
    #: The question itself, as a person put it.
    name: str
    answer: Callable[[str], Sequence[str]]


def parity_queries() -> Iterator[ParityQuery]:
    """The questions of every open phase."""
    for phase in phases_open(site_level()):
        for questions in phase.parity:
            yield from questions()


def parity_differences(queries: Iterable[ParityQuery], source: str, target: str) -> Iterator[Difference | None]:
    """For each query the difference between the answers of both aliases, None where there is none."""
    for query in queries:
        ours, theirs = list(query.answer(source)), list(query.answer(target))
        if ours == theirs:
            yield None
            continue
        at = next(
            (n for n, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
            min(len(ours), len(theirs)),
        )
        yield Difference(
            kind=DifferenceKind.PARITY,
            table=query.kind,
            column=query.name,
            source=_shown(ours, at),
            target=_shown(theirs, at),
        )


def _shown(answers: Sequence[str], at: int) -> str:
    rest = ", ".join(answers[at : at + ANSWERS_SHOWN])
    return f"{len(answers)} results; from result {at + 1}: {rest or 'none'}"
