"""Brings a copy up to date with what was recorded on its source.

A changed row is fetched from the source as it is now, deleted on the target and written again, all in one
transaction of the target with the position. So it may be killed anywhere, and done twice without harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import IntegrityError
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import CaptureLostError, DrainConflictError
from migrations_ops.move.capture import capture_missing
from migrations_ops.move.fence import mover_transaction
from migrations_ops.move.log import (
    TRIM_LINES,
    Change,
    Changes,
    Position,
    capture_state,
    changes_left,
    changes_read,
    changes_visible,
    log_trim,
)
from migrations_ops.move.moments import in_transaction, moment_of
from migrations_ops.move.position import position_lock, position_make, position_save
from migrations_ops.move.tables import Table
from migrations_ops.move.values import Key, Row, key_parse, rows_delete, rows_fetch, rows_write

LIMIT = 1_000
#: How many times more is taken when a batch alone breaks a constraint of the target; None: everything.
GROWTH = (1, 8, 64, None)

Keys = dict[str, set[Key]]
Rows = dict[str, list[Row]]


@dataclass(frozen=True)
class Drained:
    """What was brought over."""

    #: Lines of the log.
    changes: int
    #: The target has every settled change up to here.
    last: Position
    #: Lines that wait.
    left: int


def drain(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: Sequence[Table], *, limit: int = LIMIT
) -> Drained:
    """Bring the next changes over, `limit` or as many as it takes for the target's constraints to hold.

    Raises CaptureLostError, LogGapError, and DrainConflictError when they never hold.
    """
    position_make(target)
    drained = _drain_growing(source, target, tables, [times and limit * times for times in GROWTH])
    _trim(source, drained.last)
    return drained


def drain_to_end(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: Sequence[Table], *, limit: int = LIMIT
) -> Drained:
    """Bring over every change that `source` sees: on a snapshot, the target ends exactly there.

    Raises as `drain` does.
    """
    drained = drain(source, target, tables, limit=limit)
    changes = drained.changes
    while drained.changes >= limit:
        drained = drain(source, target, tables, limit=limit)
        changes += drained.changes
    if drained.left:  # on PostgreSQL: committed, but after the beginning of a transaction that is open still
        drained = _drain_growing(source, target, tables, [None])
        changes += drained.changes
    return Drained(changes=changes, last=drained.last, left=drained.left)


def _drain_growing(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: Sequence[Table], limits: Sequence[int | None]
) -> Drained:
    """A row is written as it is now, while what stands beside it on the target may be older: unique values that
    have wandered, parents still to come. With everything up to the end there is no such difference."""
    reason = ""
    for limit in limits:
        try:
            return batch_drain(source, target, tables, limit=limit)
        except IntegrityError as error:
            reason = str(error).splitlines()[0]
    raise DrainConflictError(reason=reason)


def batch_drain(
    source: BaseDatabaseWrapper,
    target: BaseDatabaseWrapper,
    tables: Sequence[Table],
    *,
    limit: int | None,
    touched: Sequence[Change] = (),
    also: Callable[[], None] = lambda: None,
) -> Drained:
    """Bring over the next `limit` settled changes, or everything that `source` sees; `also` commits with it.

    `touched` are changes of the target itself, which are undone. Raises CaptureLostError, LogGapError and the
    target's IntegrityError, having changed nothing.
    """
    with mover_transaction(target):
        position = position_lock(target, source)
        batch = batch_read(source, tables, position, limit=limit, touched=touched)
        batch_apply(target, tables, batch)
        also()
    return Drained(changes=batch.changes, last=batch.last, left=batch.left)


@dataclass(frozen=True)
class Batch:
    """Changed rows as they are on the source."""

    changes: int
    last: Position
    left: int
    keys: Keys
    rows: Rows


def batch_read(
    source: BaseDatabaseWrapper,
    tables: Sequence[Table],
    position: Position,
    *,
    limit: int | None,
    touched: Sequence[Change] = (),
) -> Batch:
    """The rows of the next `limit` settled changes after a position, or of all that `source` sees.

    Raises CaptureLostError.
    """
    with moment_of(source):
        if lost := capture_missing(source, tables):
            raise CaptureLostError(tables=", ".join(lost))
        if limit is None:
            return rows_read(source, tables, changes_visible(source, position), touched=touched)
        read = changes_read(source, position, limit)
        left = changes_left(source, read.last)
        return rows_read(source, tables, read, touched=touched, left=left)


def rows_read(
    source: BaseDatabaseWrapper,
    tables: Sequence[Table],
    read: Changes,
    *,
    touched: Sequence[Change] = (),
    left: int = 0,
) -> Batch:
    """The rows of these changes, in the same moment as they were read."""
    keys = keys_changed(tables, [*read.changes, *touched])
    return Batch(len(read.changes), read.last, left, keys, rows_of(source, tables, keys))


def batch_apply(target: BaseDatabaseWrapper, tables: Sequence[Table], batch: Batch) -> None:
    """Write the rows and the position, in a transaction of the mover."""
    rows_replace(target, tables, batch.keys, batch.rows)
    position_save(target, batch.last)


def keys_changed(tables: Sequence[Table], changes: Sequence[Change]) -> Keys:
    """The keys that lines of the log name, by table."""
    by_name = {table.name: table for table in tables}
    keys: Keys = {}
    for change in changes:
        if change.table in by_name:
            keys.setdefault(change.table, set()).add(key_parse(by_name[change.table], change.key))
    return keys


def rows_of(connection: BaseDatabaseWrapper, tables: Sequence[Table], keys: Keys) -> Rows:
    """The rows that have these keys, as far as they are there."""
    return {table.name: rows_fetch(connection, table, keys[table.name]) for table in tables if table.name in keys}


def rows_replace(connection: BaseDatabaseWrapper, tables: Sequence[Table], keys: Keys, rows: Rows) -> None:
    """Put these rows in the place of those with these keys, children out first and parents in first."""
    for table in reversed(tables):
        if table.name in keys:
            rows_delete(connection, table, keys[table.name])
    for table in tables:
        if table.name in keys:
            rows_write(connection, table, rows[table.name])


def _trim(source: BaseDatabaseWrapper, upto: Position) -> None:
    """Take applied lines out of the log now and then, unless the source is somebody's snapshot."""
    if not in_transaction(source) and upto.seq - capture_state(source).trimmed.seq >= TRIM_LINES:
        log_trim(source, upto)
