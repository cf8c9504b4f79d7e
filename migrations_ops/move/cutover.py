"""The moment in which the site's database becomes another one.

1. The target is fenced and recorded already, so that nothing is made while writers wait.
2. Changes are drained until few are left.
3. A transaction of the target begins: its record, its fence down. The pointer's next file is written.
4. At a moment when nobody of the site writes, writers are held at the turnstile, everybody else by a lock of
   the source.
5. The last changes and sequences go into that transaction, which commits.
6. The pointer is renamed. Before this the source is the truth, from here on the target is.
7. Writers go on, on the target. The lock of the source ends with a transaction that puts its fence up and
   notes that it follows the target from now on.

While writers are held everything is as few messages to a database and writes to a disk as can be: each can
take a busy machine some milliseconds. A try that has not come to 6 after HOLD lets them go and counts for
nothing; only after some such tries they are held longer.

Killed before 6, the next try fences the target again. Killed after it, the next call of `cutover` or the
return path puts up the fence that was not committed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import (
    CaptureLostError,
    CutoverBehindError,
    CutoverBusyError,
    CutoverLateError,
    DatabaseGoneError,
    DrainConflictError,
    OpsError,
    SourceLeftError,
    WritersBusyError,
)
from migrations_ops.move.capture import capture_missing
from migrations_ops.move.drain import batch_apply, batch_drain, drain, rows_read
from migrations_ops.move.fence import fence_is_up, fence_lower, fence_up, mover_transaction
from migrations_ops.move.leaving import (
    Stray,
    checkpoints_later,
    leave_finish,
    leaving_prepare,
    log_written,
    short_waits,
    source_leave,
    writers_out,
)
from migrations_ops.move.log import START, Position, capture_state, changes_visible, log_reset
from migrations_ops.move.patience import deadline, never_reconnected
from migrations_ops.move.position import position_lock, position_make
from migrations_ops.move.sequences import sequences_read, sequences_write
from migrations_ops.move.tables import Table
from migrations_ops.place.pointer import Place, place_prepared, place_read, place_write
from migrations_ops.place.record import Record, record_table_create, record_write
from migrations_ops.place.turnstile import Hold, writers_held

logger = logging.getLogger(__name__)

TRIES = 10
#: Longest time that each of the first tries holds the writers until the pointer is renamed; each later one twice as
#: long as the one before, up to the patience.
HOLD = timedelta(milliseconds=35)
SHORT_TRIES = 6
#: How long a try looks for a moment at which nobody writes before it stops those who come.
LOOK = timedelta(milliseconds=250)
#: Changes that may wait when writers are stopped, and how often the drain tries to come below.
NEAR_CHANGES = 50
NEAR_ROUNDS = 20
#: More than these are not brought over while writers wait.
LAST_CHANGES_MAX = 2_000
FIRST_PAUSE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 1.0
#: How much of the patience that is left may go to waiting for the source's lock.
LOCK_SHARE = 0.7


@dataclass(frozen=True)
class CutoverReport:
    """How a cut-over went."""

    #: Longest time that one of the tries held the site's writers; zero where an earlier call had moved the site.
    held: timedelta
    #: Changes that were brought over meanwhile.
    drained: int
    tries: int
    #: Whether the old database refuses writes. False: it did not answer any more; the return path sees to it.
    fenced: bool = True
    #: Rows that outsiders wrote to the old database when the site was gone, see `leave_finish`.
    strays: tuple[Stray, ...] = ()


@dataclass(frozen=True)
class _Move:
    """What every part of one cut-over needs."""

    source: BaseDatabaseWrapper
    target: BaseDatabaseWrapper
    tables: Sequence[Table]
    place: Place
    data_dir: Path
    patience: timedelta
    #: How long this try may hold the writers.
    hold_most: timedelta
    #: What all tries have held.
    holds: list[Hold] = field(default_factory=list)

    @property
    def held(self) -> timedelta:
        """Longest time that a try held the writers."""
        return max((hold.lasted for hold in self.holds), default=timedelta(0))

    @property
    def moved(self) -> bool:
        """Whether the pointer says that the site is at the target."""
        return place_read(self.data_dir) == self.place


def cutover(
    *,
    source: BaseDatabaseWrapper,
    target: BaseDatabaseWrapper,
    tables: Sequence[Table],
    place_new: Place,
    data_dir: Path,
    patience: timedelta,
    tries: int = TRIES,
) -> CutoverReport:
    """Make `target`, a copy of `source` that is drained, the site's database.

    Outside of any transaction. Both connections have aliases of their own; `place_new` is the target's
    place with the next epoch. A try holds writers no longer than HOLD, the last ones up to `patience`, beside the
    rename itself. Called again after a crash, it goes on or finishes.

    Raises CutoverBusyError when writers do not pause, CutoverLateError or DatabaseGoneError when a database
    does not answer, DrainConflictError, CaptureLostError, LogGapError, SourceLeftError; the source is
    the site's database as before then.
    """
    move = _Move(source, target, tables, place_new, data_dir, patience, hold_most=patience)
    if move.moved:
        return _finished(move, CutoverReport(held=timedelta(0), drained=0, tries=0))
    for number in range(1, tries + 1):
        try:
            return _try(replace(move, hold_most=_hold_most(patience, number)), number)
        except (WritersBusyError, CutoverBehindError, CutoverLateError) as error:
            if number == tries:
                raise _given_up(error, tries) from error
            time.sleep(min(FIRST_PAUSE_SECONDS * 2 ** (number - 1), PAUSE_SECONDS_MAX))
    raise ValueError(tries)


def _hold_most(patience: timedelta, number: int) -> timedelta:
    """How long this try may hold the writers."""
    doubled = max(0, number - SHORT_TRIES)
    return min(patience, HOLD * (1 << doubled))


def _given_up(error: OpsError, tries: int) -> OpsError:
    return error if isinstance(error, CutoverLateError) else CutoverBusyError(tries=tries, reason=str(error))


def _try(move: _Move, number: int) -> CutoverReport:
    """Raises WritersBusyError, CutoverBehindError, CutoverLateError, and as `cutover`."""
    try:
        with short_waits(move.source, move.patience):
            token = _prepare(move)
            _near(move)
            for each in (move.source, move.target):
                log_written(each)
    except (OperationalError, InterfaceError) as error:
        if isinstance(error, OpsError) or number == 1:
            raise
        raise DatabaseGoneError(reason=str(error).strip()) from error  # it was there for the try before
    return _switch(move, token, number)


def _prepare(move: _Move) -> str:
    """Fence and record the target, and undo what others wrote there; returns the token of its recording."""
    if fence_is_up(move.source):
        raise SourceLeftError
    leaving_prepare(move.source)
    position_make(move.target)
    record_table_create(move.target)
    fence_up(move.target, move.tables)
    touched = changes_visible(move.target, START).changes
    if touched:
        batch_drain(
            move.source, move.target, move.tables, limit=None, touched=touched, also=lambda: _log_empty(move.target)
        )
    else:
        _log_empty(move.target)
    return capture_state(move.target).token


def _log_empty(connection: BaseDatabaseWrapper) -> None:
    with transaction.atomic(using=connection.alias):
        log_reset(connection)


def _near(move: _Move) -> None:
    """Drain until few changes are left, as far as the source's transactions let it."""
    for _ in range(NEAR_ROUNDS):
        if drain(move.source, move.target, move.tables).left <= NEAR_CHANGES:
            break
    sequences_write(move.target, move.tables, sequences_read(move.source, move.tables))


def _switch(move: _Move, token: str, number: int) -> CutoverReport:
    """Hold the writers and move. Raises WritersBusyError, CutoverBehindError and as `cutover`."""
    report = CutoverReport(held=timedelta(0), drained=0, tries=number)
    hold = writers_held(move.data_dir, move.hold_most, look=LOOK)
    move.holds.append(hold)
    try:
        with (
            never_reconnected(move.source, move.target),
            deadline(move.source, move.target) as limit,
            checkpoints_later(move.target),
            place_prepared(move.data_dir, move.place) as pointer,
            ExitStack() as arriving,
            ExitStack() as waiting,
        ):
            arriving.enter_context(mover_transaction(move.target))
            position = _drainable(move)
            _open(move)
            waiting.enter_context(hold)
            limit.begin(_left(move, hold), hold.let_go)
            with writers_out(move.source, _left(move, hold) * LOCK_SHARE):
                drained = _last_changes(move, position)
                arriving.close()  # commits
                limit.settle()
                place_write(move.data_dir, move.place, pointer)
                waiting.close()  # everybody else's transactions on the source still wait
                report = replace(report, held=move.held, drained=drained)
                source_leave(move.source, token=token, place=move.place)
    except (DatabaseError, InterfaceError, OSError, OpsError) as error:
        _close_broken(move)
        if not move.moved:
            _raise_explained(error, move, hold)
        logger.warning("The site has moved; its old database could not be fenced at once: %s", error)
        return _finished(move, report)
    _log_empty(move.source)
    return report


def _drainable(move: _Move) -> Position:
    """Where the target is, locked. Raises LogGapError, CaptureLostError."""
    position = position_lock(move.target, move.source)
    if lost := capture_missing(move.source, move.tables):
        raise CaptureLostError(tables=", ".join(lost))
    return position


def _open(move: _Move) -> None:
    """Make the target a place that takes writes, not committed yet."""
    record_write(move.target, Record(site=move.place.site, epoch=move.place.epoch, live=True))
    fence_lower(move.target)


def _last_changes(move: _Move, position: Position) -> int:
    """Bring over what is left, not committed yet; how many changes it was."""
    read = changes_visible(move.source, position)
    if len(read.changes) > LAST_CHANGES_MAX:
        raise CutoverBehindError(left=len(read.changes))
    batch = rows_read(move.source, move.tables, read)
    batch_apply(move.target, move.tables, batch)
    changed = [table for table in move.tables if table.name in batch.keys]
    if changed:
        sequences_write(move.target, changed, sequences_read(move.source, changed))
    return batch.changes


def _finished(move: _Move, report: CutoverReport) -> CutoverReport:
    """The report of a move whose pointer is renamed, after another try to fence what the site has left."""
    try:
        strays = leave_finish(old=move.source, live=move.target, tables=move.tables, place=move.place)
    except (DatabaseError, InterfaceError, WritersBusyError) as error:
        logger.warning("The old database is not fenced yet: %s", error)
        return replace(report, fenced=False)
    return replace(report, strays=strays)


def _raise_explained(error: Exception, move: _Move, hold: Hold) -> NoReturn:
    if isinstance(error, (OperationalError, InterfaceError)) and not isinstance(error, OpsError):
        if hold.lasted >= move.hold_most:
            raise CutoverLateError(patience_seconds=move.hold_most.total_seconds()) from error
        raise DatabaseGoneError(reason=str(error).strip()) from error
    if isinstance(error, IntegrityError):
        raise DrainConflictError(reason=str(error).splitlines()[0]) from error
    raise error


def _close_broken(move: _Move) -> None:
    """Forget connections that do not answer, so that the next call opens new ones."""
    for connection in (move.source, move.target):
        if connection.connection is not None and not connection.in_atomic_block and not connection.is_usable():
            connection.close()


def _left(move: _Move, hold: Hold) -> timedelta:
    return max(move.hold_most - hold.lasted, timedelta(milliseconds=1))
