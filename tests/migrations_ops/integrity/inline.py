"""Cleanups and their undo here and now, without a run: what tests of rows need of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.db import transaction

from migrations_ops.integrity.cleaning import cleanup_apply, cleanup_named, undo_apply
from migrations_ops.integrity.parking import rows_park
from migrations_ops.models import CleanupRecord
from migrations_ops.steps.base import Batch


def cleanup_run(*, record: CleanupRecord, between: Callable[[], None] = lambda: None) -> CleanupRecord:
    """Run a cleanup; goes on with one that was cut off. `between` is called after each batch."""
    batches = cleanup_apply(record)
    outside = cleanup_named(record.name).outside
    while next(batches, None) if outside else _committed(batches):
        between()
    rows_park(record)
    return record


def cleanup_undo(*, record: CleanupRecord) -> CleanupRecord:
    """Put back what a cleanup changed; goes on with an undo that was cut off."""
    batches = undo_apply(record)
    while _committed(batches):
        pass
    return record


def _committed(batches: Iterator[Batch]) -> Batch | None:
    with transaction.atomic():
        return next(batches, None)
