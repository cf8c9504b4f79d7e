"""Imports as a whole: brought, checked, imported, taken back. A run calls the generators instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from knowledge.errors import ImportGoneError, ImportStateError, KnowledgeError
from knowledge.models import Import, ImportState
from knowledge.transfer.files import file_copied, import_files_remove, import_folder
from knowledge.transfer.importing import import_check, import_read, import_write
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.undoing import import_undo
from migrations_ops.steps.base import Batch

Generator = Callable[[Import, dict[str, Any] | None], Iterator[Batch]]
Progress = Callable[[int, int], None]


def _quiet(done: int, total: int) -> None:
    """Nobody watches."""


def import_create(
    *, path: Path, options: ImportOptions, actor: str, user: User | None = None, file_name: str = ""
) -> Import:
    """Bring a file: keep a copy and read it to its end. Nothing else is written.

    Raises ImportUnreadableError, ImportTooLargeError; then nothing is kept.
    """
    name = (file_name or path.name)[-255:]
    job = Import.objects.create(file_name=name, options=options.as_dict(), created_by=actor, user=user)
    try:
        copy = f"upload{path.suffix[:16].lower()}"
        job.size_bytes, job.sha256 = file_copied(path, import_folder(job) / copy)
        job.path = copy
        facts = import_read(job)
    except (KnowledgeError, OSError):
        import_files_remove(job)
        job.delete()
        raise
    job.kind, job.columns = facts["kind"], facts["columns"]
    job.rows_total = facts["rows"]
    job.save()
    return job


def import_get(number: int) -> Import:
    """The import with this number. Raises ImportGoneError."""
    job = Import.objects.filter(pk=number).first()
    if job is None:
        raise ImportGoneError(number=number)
    return job


def import_preview(job: Import, *, progress: Progress = _quiet) -> Import:
    """Decide about every row as the import would, and write nothing but the report."""
    _state_expected(job, ImportState.READY)
    total, done = job.rows_total, 0
    for batch in import_check(job, None):
        done += batch.rows
        progress(done, total)
    return job


def import_run(job: Import, *, progress: Progress = _quiet) -> Import:
    """Import the rows here and now, batch by batch; goes on with one that was cut off.

    Raises ImportRefusedError, ImportStateError, ImportGoneError.
    """
    _state_expected(job, ImportState.READY, ImportState.RUNNING, ImportState.FAILED)
    if job.options.get("on_error") == "stop" and job.cursor is None:
        import_preview(job)
    job.started_at = job.started_at or timezone.now()
    return _driven(job, import_write, (ImportState.RUNNING, ImportState.DONE), progress)


def import_take_back(job: Import, *, progress: Progress = _quiet) -> Import:
    """Undo an import here and now; goes on with an undo that was cut off. Raises ImportStateError."""
    _state_expected(job, ImportState.DONE, ImportState.RUNNING, ImportState.FAILED, ImportState.UNDOING)
    if job.state != ImportState.UNDOING:
        job.cursor = None
    return _driven(job, import_undo, (ImportState.UNDOING, ImportState.UNDONE), progress)


def rows_kept(job: Import) -> list[dict[str, str]]:
    """What an undo has left in place, and why."""
    rows = job.rows.exclude(kept="").order_by("number")
    return [{"entry": row.key, "row": str(row.number), "reason": row.kept} for row in rows]


def _state_expected(job: Import, *states: ImportState) -> None:
    if job.state not in states:
        raise ImportStateError(number=job.pk, state=job.get_state_display())


def _driven(job: Import, work: Generator, states: tuple[ImportState, ImportState], progress: Progress) -> Import:
    """Run a generator to its end, each batch in a transaction with the cursor that it has come to."""
    total, done = job.rows_total, (job.cursor or {}).get("place", 0)
    job.state, job.error = states[0], ""
    job.save()
    batches = work(job, job.cursor)
    try:
        while batch := _batch(job, batches):
            done += batch.rows
            progress(done, total)
    except KnowledgeError as error:
        job.state, job.error = ImportState.READY if job.cursor is None else ImportState.FAILED, str(error)
        job.save()
        raise
    job.state, job.cursor = states[1], None
    if states[1] == ImportState.UNDONE:
        job.undone_at = timezone.now()
    else:
        job.finished_at = timezone.now()
    job.save()
    return job


def _batch(job: Import, batches: Iterator[Batch]) -> Batch | None:
    with transaction.atomic():
        batch = next(batches, None)
        if batch is not None:
            job.cursor = batch.cursor
            job.save(update_fields=["cursor"])
    return batch
