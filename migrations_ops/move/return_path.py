"""The way back: after a cut-over the old database, fenced, follows the new one until the way is closed.

To go back is a cut-over in the other direction (migrations_ops.move.cutover).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import SourceLeftError
from migrations_ops.move.capture import capture_remove
from migrations_ops.move.drain import LIMIT, drain_to_end
from migrations_ops.move.fence import fence_is_up
from migrations_ops.move.leaving import leave_finish
from migrations_ops.move.log import changes_left
from migrations_ops.move.position import position_read
from migrations_ops.move.tables import Table
from migrations_ops.place.pointer import Place, place_read
from migrations_ops.place.record import Record, record_read


@dataclass(frozen=True)
class ReturnLag:
    """How far the old database is behind."""

    #: Changes that wait; LEFT_MAX of migrations_ops.move.log stands for that many or more.
    changes: int
    #: When the old database was last brought up to date.
    drained_at: datetime


def return_drain(
    *,
    live: BaseDatabaseWrapper,
    old: BaseDatabaseWrapper,
    tables: Sequence[Table],
    data_dir: Path,
    limit: int = LIMIT,
) -> ReturnLag:
    """Bring the old database up to date; fences it first where the mover was killed before.

    Raises SourceLeftError when `live` is not the site's database, LogGapError when `old` is an older copy that
    was put in its place, WritersBusyError, and as `drain` does.
    """
    if fence_is_up(live):
        raise SourceLeftError
    if not fence_is_up(old):
        leave_finish(old=old, live=live, tables=tables, place=_place_of(live, data_dir))
    drain_to_end(live, old, tables, limit=limit)
    return return_lag(live=live, old=old)


def return_lag(*, live: BaseDatabaseWrapper, old: BaseDatabaseWrapper) -> ReturnLag:
    """How far the old database is behind just now."""
    position, seconds = position_read(old)
    return ReturnLag(changes=changes_left(live, position), drained_at=datetime.fromtimestamp(seconds, tz=UTC))


def return_close(*, live: BaseDatabaseWrapper) -> None:
    """Stop recording for the way back; the old database stays as it is, fenced. It may be run again.

    Raises SourceLeftError when `live` is not the site's database, and CaptureBusyError.
    """
    if fence_is_up(live):
        raise SourceLeftError
    capture_remove(live)


def _place_of(live: BaseDatabaseWrapper, data_dir: Path) -> Place:
    """What the pointer says, when that is this database. Raises SourceLeftError."""
    place, record = place_read(data_dir), record_read(live)
    if place is None or record != Record(site=place.site, epoch=place.epoch, live=True):
        raise SourceLeftError
    return place
