"""Previews, imports and undos here and now, without a run: what tests of rows need of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.utils import timezone

from knowledge.errors import ImportStateError, KnowledgeError
from knowledge.models import Import, ImportState
from knowledge.transfer.importing import import_check, import_write
from knowledge.transfer.undoing import import_undo
from migrations_ops.steps.base import Batch


def import_preview(job: Import, *, showing: bool = True) -> Import:
    """Decide about every row as the import would, and write nothing but the report; see `import_check`."""
    _state_expected(job, ImportState.READY)
    for _ in import_check(job, None, showing=showing):
        pass
    return job


def import_run(job: Import) -> Import:
    """Import the rows, batch by batch; goes on with one that was cut off."""
    _state_expected(job, ImportState.READY, ImportState.RUNNING, ImportState.FAILED)
    if job.options.get("on_error") == "stop" and job.cursor is None:
        import_preview(job, showing=False)
    job.started_at = job.started_at or timezone.now()
    return _driven(job, import_write(job, job.cursor), ImportState.RUNNING, ImportState.DONE)


def import_take_back(job: Import) -> Import:
    """Undo an import; goes on with an undo that was cut off."""
    _state_expected(job, ImportState.DONE, ImportState.RUNNING, ImportState.FAILED, ImportState.UNDOING)
    if job.state != ImportState.UNDOING:
        job.cursor = None
    return _driven(job, import_undo(job, job.cursor), ImportState.UNDOING, ImportState.UNDONE)


def _state_expected(job: Import, *states: ImportState) -> None:
    if job.state not in states:
        raise ImportStateError(number=job.pk, state=job.get_state_display())


def _driven(job: Import, batches: Iterator[Batch], working: ImportState, over: ImportState) -> Import:
    """Each batch in a transaction with the cursor that it has come to."""
    job.state, job.error = working, ""
    job.save()
    try:
        while _batch(job, batches):
            pass
    except KnowledgeError as error:
        job.state, job.error = ImportState.READY if job.cursor is None else ImportState.FAILED, str(error)
        job.save()
        raise
    moment: dict[str, Any] = {"undone_at" if over == ImportState.UNDONE else "finished_at": timezone.now()}
    for name, value in {"state": over, "cursor": None, **moment}.items():
        setattr(job, name, value)
    job.save()
    return job


def _batch(job: Import, batches: Iterator[Batch]) -> Batch | None:
    with transaction.atomic():
        batch = next(batches, None)
        if batch is not None:
            job.cursor = batch.cursor
            job.save(update_fields=["cursor"])
    return batch
