"""The steps that copy the rows, and make what is cheaper once they are there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.checkpoints import disk_free
from migrations_ops.errors import OpsError
from migrations_ops.models import Move, MoveState
from migrations_ops.move.brakes import TargetRoom, log_bytes, target_room
from migrations_ops.move.copiers import Control, Order
from migrations_ops.move.diary import move_note, move_state
from migrations_ops.move.drain import drain_to_end
from migrations_ops.move.ends import Ends, connection_to, ends_open
from migrations_ops.move.filling import keys_make, tables_copy, target_finish
from migrations_ops.move.later import Later
from migrations_ops.move.ranges import CopyProgress, KeyRange, progress_sum, ranges_left, tables_progress
from migrations_ops.move.rates import rates_measured
from migrations_ops.move.tables import Table, rows_counted, tables_moved
from migrations_ops.move.target_schema import target_flush
from migrations_ops.steps.base import Batch, Cursor, StepContext, StepKind
from migrations_ops.steps.move.base import MoveStep, brake, move_of, patiently

#: Seconds between two notes of how far it is.
NOTE_SECONDS = 1.0


class Watch:
    """What a person, the disk and the hours want of a copy that runs; asked about twice a second."""

    def __init__(self, ctx: StepContext, move: Move, ends: Ends) -> None:
        self.ctx = ctx
        self.move = move
        self.ends = ends
        self.held_back = ""
        self.stopping = False
        #: Tables of which a copier has had a range.
        self.begun: set[str] = set()
        self._begun_noted = 0
        self._noted = time.monotonic()

    @property
    def control(self) -> Control:
        """The same for the processes that work."""
        return Control(
            heartbeat=self._beat, stop=self._stops, speed=lambda: self.move.rows_per_second, given=self._given
        )

    def due(self) -> bool:
        """Whether it is time to note how far it is."""
        if time.monotonic() - self._noted < NOTE_SECONDS:
            return False
        self._noted = time.monotonic()
        return True

    def note(self, seconds: float) -> None:
        """Write down how far the copy is, and how long it took since the last note."""
        tables = tables_progress(self.ends.target)
        progress = progress_sum(tables.values())
        self.move.refresh_from_db()
        figures = {
            **self.move.figures,
            "rows": progress.rows,
            "rows_total": progress.rows_total,
            "bytes": progress.bytes,
            "seconds": self.move.figures.get("seconds", 0.0) + seconds,
            "tables": {name: _table_figures(one, name in self.begun) for name, one in tables.items()},
            "disk_free_bytes": disk_free(),
            "log_bytes": log_bytes(self.ends.source),
            **_room_figures(target_room(self.ends.target)),
        }
        move_note(self.move, figures=figures)

    def _beat(self) -> None:
        self.ctx.heartbeat()
        self.move.refresh_from_db()
        self.held_back = brake(self.move, self.ends)
        self.stopping = self.ctx.stop_asked()
        if len(self.begun) > self._begun_noted:
            self._begun_noted = len(self.begun)
            self.note(0.0)

    def _given(self, order: Order) -> None:
        if isinstance(order, KeyRange):
            self.begun.add(order.table)

    def _stops(self) -> bool:
        return self.stopping or bool(self.held_back)


def _room_figures(room: TargetRoom | None) -> dict[str, Any]:
    """What the server of the target tells of its room, for the row of the move."""
    if room is None:
        return {}
    return {"target_log_bytes": room.log_bytes, "target_slot": room.slot, "target_free_bytes": room.free_bytes}


def _table_figures(progress: CopyProgress, begun: bool) -> dict[str, int]:
    """How far one table is, for the row of the move."""
    return {
        "rows": progress.rows,
        "rows_total": progress.rows_total,
        "bytes": progress.bytes,
        "ranges": progress.ranges,
        "ranges_total": progress.ranges_total,
        "begun": int(begun),
    }


@dataclass(frozen=True, kw_only=True)
class CopyStep(MoveStep):
    """Copies every table by ranges, in processes of their own; a range is copied once or not at all."""

    kind: StepKind = StepKind.DATA
    #: Rows a second that the plan allows; 0 is as fast as it can.
    limit: int = 0

    def estimate(self) -> int:
        return sum(rows_counted(connection, tables_moved(connection)).values())

    def rate(self) -> tuple[float, str] | None:
        try:
            with connection_to(self.target) as target:
                tables = tables_moved(connection)
                rates = rates_measured(connection, target, tables, rows_counted(connection, tables))
        except (DatabaseError, OpsError):
            return None  # the checks of the target say why
        rate = rates.rows_per_second
        if rate is None:
            return None
        if self.limit and self.limit < rate:
            return self.limit, "the speed that was set"
        return rate, "a sample of these rows, copied to this target by one process"

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if not cursor:
            yield from patiently(self._copy(ctx), cursor)

    def _copy(self, ctx: StepContext) -> Iterator[Batch]:
        move = move_of(ctx)
        move_state(move, MoveState.COPYING)
        with ends_open(move) as ends:
            watch = Watch(ctx, move, ends)
            while True:
                if not (reason := brake(move, ends)):
                    yield from self._ranges(watch)
                    # Copies do not wait for the disk: a server that dies forgets the last ones and their marks.
                    target_flush(ends.target)
                    if not ranges_left(ends.target):
                        break
                yield Batch(None, waiting_for=reason or watch.held_back)
                move_note(move)
            figures = move.figures
        ctx.log(f"{figures['rows']} rows copied, {figures['bytes']} bytes, in {figures['seconds']:.1f} s")
        yield Batch({"copied": True})

    def _ranges(self, watch: Watch) -> Iterator[Batch]:
        """Copy until everything is there or somebody wants it to stop."""
        began, rows = time.monotonic(), 0
        ends = watch.ends
        for copied in tables_copy(
            ends.source, ends.target, ends.tables, workers=watch.move.workers, control=watch.control
        ):
            rows += copied.rows
            if watch.due():
                watch.note(time.monotonic() - began)
                yield Batch(None, rows)
                began, rows = time.monotonic(), 0
        watch.note(time.monotonic() - began)
        yield Batch(None, rows)


@dataclass(frozen=True, kw_only=True)
class IndexStep(MoveStep):
    """Makes keys, then brings the target to one moment of the source, then makes what needs that.

    Indexes, unique and foreign keys, sequences, statistics: one object after the other.
    """

    kind: StepKind = StepKind.SCHEMA

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if not cursor:
            yield from patiently(self._make(ctx), cursor)

    def _make(self, ctx: StepContext) -> Iterator[Batch]:
        move = move_of(ctx)
        with ends_open(move) as ends:
            watch = Watch(ctx, move, ends)
            for make in (keys_make, self._finish):
                while True:
                    for _made in make(
                        ends.source, ends.target, ends.tables, workers=move.workers, control=watch.control
                    ):
                        yield Batch(None, 1)
                    if not (watch.stopping or watch.held_back):
                        break
                    yield Batch(None, waiting_for=watch.held_back)
        yield Batch({"made": True})

    def _finish(
        self,
        source: BaseDatabaseWrapper,
        target: BaseDatabaseWrapper,
        tables: tuple[Table, ...],
        *,
        workers: int,
        control: Control,
    ) -> Iterator[Later]:
        """Rows that were read at several moments may contradict each other; after this drain they are of one."""
        drain_to_end(source, target, tables)
        yield from target_finish(source, target, tables, workers=workers, control=control)
