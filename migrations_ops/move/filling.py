"""Fills a prepared target: rows, then what is cheaper to make when they are there.

1. `tables_copy`: every range, read at moments of its own.
2. `keys_make`: primary keys, tables that follow others, triggers.
3. The caller drains captured changes up to one moment of the source.
4. `target_finish`: uniques, indexes, foreign keys, statistics, sequences.

Each can be killed at any point and called again, and goes on where it was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import cast

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.copiers import BEAT_SECONDS, FREE, Control, Copiers
from migrations_ops.move.copying import Copied
from migrations_ops.move.later import Later, Stage, later_left
from migrations_ops.move.ranges import ROWS, KeyRange, ranges_left, ranges_plan
from migrations_ops.move.sequences import sequences_read, sequences_write
from migrations_ops.move.tables import Table
from migrations_ops.move.target_schema import target_flush
from migrations_ops.phase import phases


def tables_copy(
    source: BaseDatabaseWrapper,
    target: BaseDatabaseWrapper,
    tables: tuple[Table, ...],
    *,
    workers: int = 2,
    range_rows: int = ROWS,
    control: Control = FREE,
) -> Iterator[Copied]:
    """Copy every range that the prepared target does not have yet; yields each that has been committed.

    Leaving it early kills what is on its way, which undoes it. Raises ValueUnfitError, RowRefusedError,
    SchemaDiffersError and CopierError; what was yielded stays.
    """
    with Copiers(source, target, tables, workers) as copiers:
        copiers.start()
        ranges_plan(source, target, tables, rows=range_rows)
        for order, answer in copiers.work(ranges_left(target), control):
            yield Copied(key_range=cast(KeyRange, order), rows=answer["rows"], bytes=answer["bytes"])


def keys_make(
    source: BaseDatabaseWrapper,
    target: BaseDatabaseWrapper,
    tables: tuple[Table, ...],
    *,
    workers: int = 2,
    control: Control = FREE,
) -> Iterator[Later]:
    """When every range is there: primary keys, tables that follow others, triggers. Changes can be drained after it.

    Yields what it has made. Raises CopierError.
    """
    with Copiers(source, target, tables, workers) as copiers:
        yield from copiers.made(Stage.KEY, control)
        if control.stop() or not later_left(target, [Stage.TRIGGER]):
            return
        for phase in phases():
            for fill in phase.after_copy:
                _beside(fill, target.alias, control.heartbeat)
        yield from copiers.made(Stage.TRIGGER, control)


def target_finish(
    source: BaseDatabaseWrapper,
    target: BaseDatabaseWrapper,
    tables: tuple[Table, ...],
    *,
    workers: int = 2,
    control: Control = FREE,
) -> Iterator[Later]:
    """When the target is one moment of the source: uniques, indexes, foreign keys, statistics; then sequences.

    Yields what it has made. Raises CopierError, also where rows contradict each other: drain, then try again.
    """
    with Copiers(source, target, tables, workers) as copiers:
        for stage in (Stage.UNIQUE, Stage.INDEX, Stage.REFERENCE, Stage.STATISTICS):
            yield from copiers.made(stage, control)
    if not control.stop():
        sequences_write(target, tables, sequences_read(source, tables))
        target_flush(target)


def _beside(fill: Callable[[str], None], alias: str, heartbeat: Callable[[], None]) -> None:
    """Run a function in a thread, with a connection of its own, and keep the heart beating meanwhile."""
    failures: list[Exception] = []

    def run() -> None:
        try:
            fill(alias)
        except Exception as error:  # noqa: BLE001 - raised again by the caller's thread
            failures.append(error)
        finally:
            connections[alias].close()

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        thread.join(BEAT_SECONDS)
        heartbeat()
    if failures:
        raise failures[0]
