"""The step that compares every row of both databases."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from migrations_ops.errors import VerificationError
from migrations_ops.models import Move, MoveState
from migrations_ops.move.diary import move_note, move_state
from migrations_ops.move.drain import drain_to_end
from migrations_ops.move.ends import Ends, ends_open
from migrations_ops.move.ledger import Difference, Ledger, TableLedger
from migrations_ops.move.parity import ParityQuery
from migrations_ops.move.reports import ledger_keep
from migrations_ops.move.verify import VerifyProgress, rows_recopy, verify
from migrations_ops.phase import phases_open
from migrations_ops.steps.base import Batch, Cursor, StepContext, StepKind
from migrations_ops.steps.move.base import MoveStep, brake, move_of, patiently

#: How often rows that differ are copied again and compared again before the step gives up.
RECOPIES = 2
#: Seconds between two notes of the progress.
NOTE_SECONDS = 1.0
DIFFERENCES_SHOWN = 20


class StopAskedError(Exception):
    """A person asked the run to stop; what the comparison has done so far is not kept."""


@dataclass(frozen=True, kw_only=True)
class VerifyStep(MoveStep):
    """Compares both databases and copies again what differs; ends only when nothing does."""

    kind: StepKind = StepKind.VERIFICATION

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if not cursor:
            yield from patiently(self._verify(ctx), cursor)

    def _verify(self, ctx: StepContext) -> Iterator[Batch]:
        move = move_of(ctx)
        move_state(move, MoveState.VERIFYING)
        with ends_open(move) as ends:
            while (ledger := self._attempt(ctx, move, ends)) is None:
                # Held back, or a person asked to stop; a comparison begins again from its start.
                yield Batch(None, waiting_for=move.held_back)
        ctx.log(f"{ledger.rows} rows of both databases are equal, {ledger.queries_compared} questions answered alike")
        yield Batch({"verified": True}, ledger.rows)

    def _attempt(self, ctx: StepContext, move: Move, ends: Ends) -> Ledger | None:
        """The ledger of two equal databases, or None when it did not come to an end."""
        if brake(move, ends):
            return None
        try:
            return verified(ctx, move, ends)
        except StopAskedError:
            return None


def verified(ctx: StepContext, move: Move, ends: Ends) -> Ledger:
    """The ledger of two equal databases. Raises VerificationError, StopAskedError."""
    ledger = compared(ctx, move, ends)
    for attempt in range(1, RECOPIES + 1):
        if ledger.sound:
            return ledger
        ctx.log(f"{ledger.differences_count} difference(s); rows copied again, attempt {attempt}")
        rows_recopy(ends.source, ends.target, ends.tables, ledger.differences)
        ledger = compared(ctx, move, ends, known=ledger.tables_equal)
    if ledger.sound:
        return ledger
    raise VerificationError(count=ledger.differences_count, differences=_shown(ledger.differences))


def compared(ctx: StepContext, move: Move, ends: Ends, known: Sequence[TableLedger] = ()) -> Ledger:
    """One comparison, kept as the ledger of the move; rows of `known` tables were equal just before.

    Raises StopAskedError.
    """
    notes = Notes(ctx, move)
    ledger = verify(
        ends.source,
        ends.target,
        ends.tables,
        heartbeat=notes.beat,
        progress=notes.progress,
        catch_up=lambda: drain_to_end(ends.source, ends.target, ends.tables),
        queries=parity_queries(ctx.run.plan.from_level),
        known=known,
    )
    ledger_keep(move, ledger)
    shown = {"lines": [str(difference) for difference in ledger.differences[:DIFFERENCES_SHOWN]]}
    move_note(move, ledger={**ledger.summary(), **shown})
    return ledger


def parity_queries(level: int) -> Iterable[ParityQuery]:
    """The questions of every open phase."""
    return [query for phase in phases_open(level) for ask in phase.parity for query in ask()]


def _shown(differences: list[Difference]) -> str:
    return "; ".join(str(difference) for difference in differences[:DIFFERENCES_SHOWN])


class Notes:
    """Keeps the lease and tells the page how far it is, each no more often than it needs."""

    def __init__(self, ctx: StepContext, move: Move) -> None:
        self.ctx = ctx
        self.move = move
        self.noted = time.monotonic()

    def beat(self) -> None:
        """Now and then: keep the lease. Raises StopAskedError, LeaseLostError."""

    def progress(self, progress: VerifyProgress) -> None:
        """Now and then: keep the lease and note how many rows are compared. Raises StopAskedError, LeaseLostError."""
        now = time.monotonic()
        if now - self.noted < NOTE_SECONDS:
            return
        self.noted = now
        self.ctx.heartbeat()
        if self.ctx.stop_asked():
            raise StopAskedError
        figures = {
            **self.move.figures,
            "verified_rows": progress.rows_done,
            "verify_total": progress.rows_total,
            "verify_table": progress.table,
        }
        move_note(self.move, figures=figures)
