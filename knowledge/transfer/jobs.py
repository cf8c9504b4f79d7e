"""Imports as a whole: brought, looked at, refused, removed. Runs preview, import and undo them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User

from knowledge.errors import (
    ImportGoneError,
    ImportNotKeptError,
    ImportRefusedError,
    ImportStateError,
)
from knowledge.models import Entry, Import, ImportState
from knowledge.transfer.files import FACTS, Readable, file_copied, import_files_remove, import_folder
from knowledge.transfer.importing import Heartbeat, import_read, invalid_refused
from knowledge.transfer.limits import limits
from knowledge.transfer.naming import FOR_PEOPLE
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.reading import source_open
from knowledge.transfer.reading.rows import column_named

_ENTRIES = Entry._meta.db_table
#: Imports that are looked through for the same columns.
_REMEMBERED = 200


def import_bring(
    *, file: Readable, file_name: str, options: ImportOptions, actor: str, user: User | None = None
) -> Import:
    """Bring a file: keep a copy and look at its beginning. Its rows are read by the preview or the import.

    Raises ImportUnreadableError, ImportTooLargeError, ImportNotKeptError; then nothing is kept.
    """
    job = Import.objects.create(
        file_name=file_name[-255:],
        options=options.as_dict(),
        created_by=actor,
        user=user,
        for_account=user is not None,
    )
    with _removed_when_refused(job):
        job.path = f"upload{Path(file_name).suffix[:16].lower()}"
        copy = import_folder(job) / job.path
        job.size_bytes, job.sha256 = file_copied(file, copy, most_bytes=limits().file_bytes)
        source = source_open(copy)
        job.kind, job.columns = source.kind.value, [column_named(name) for name in source.columns()]
        example = {column_named(name): value for name, value in source.example().items()}
        facts = {"encoding": source.encoding, "delimiter": source.delimiter(), "example": example}
        (import_folder(job) / FACTS).write_text(json.dumps(facts))
    job.save()
    return job


def import_create(
    *,
    path: Path,
    options: ImportOptions,
    actor: str,
    user: User | None = None,
    file_name: str = "",
    heartbeat: Heartbeat = lambda: None,
) -> Import:
    """Bring a file and read it to its end.

    Raises ImportUnreadableError, ImportTooLargeError, ImportNotKeptError; then nothing is kept.
    `heartbeat` is called now and then while the file is read; when it raises, nothing is kept either.
    """
    with path.open("rb") as file:
        job = import_bring(file=file, file_name=file_name or path.name, options=options, actor=actor, user=user)
    with _removed_when_refused(job):
        facts = import_read(job, heartbeat)
    job.kind, job.columns, job.rows_total = facts["kind"], facts["columns"], facts["rows"]
    job.save()
    return job


@contextmanager
def _removed_when_refused(job: Import) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        import_remove(job)
        if isinstance(error, OSError):
            raise ImportNotKeptError(folder=settings.TRANSFER_DIR, reason=error.strerror or error) from error
        raise


def import_remove(job: Import) -> None:
    """Remove a file that was brought and of which nothing was imported. Raises ImportStateError."""
    _state_expected(job, ImportState.READY)
    import_files_remove(job)
    job.delete()


def import_options_save(*, job: Import, options: ImportOptions) -> Import:
    """Change the choices of an import that has not begun; its preview is over. Raises ImportStateError."""
    _state_expected(job, ImportState.READY)
    job.options, job.preview = options.as_dict(), {}
    job.save(update_fields=["options", "preview"])
    return job


def options_remembered(columns: Iterable[str], *, before: Import | None = None) -> ImportOptions:
    """What was chosen the last time for a file with the same columns; the usual choices for new ones.

    Columns that are there for people do not count: the file of rows that failed has them beside its own.
    """
    wanted = set(columns) - FOR_PEOPLE
    earlier = Import.objects.filter(pk__lt=before.pk) if before else Import.objects.all()
    for known, options in earlier.order_by("-pk").values_list("columns", "options")[:_REMEMBERED]:
        if wanted and set(known) - FOR_PEOPLE == wanted:
            return ImportOptions.of(options)
    return ImportOptions()


def import_get(number: int) -> Import:
    """The import with this number. Raises ImportGoneError."""
    job = Import.objects.filter(pk=number).first()
    if job is None:
        raise ImportGoneError(number=number)
    return job


def rows_kept(job: Import) -> list[dict[str, str]]:
    """What an undo has left in place, and why."""
    rows = job.rows.exclude(kept="").order_by("number")
    return [
        {
            "entry": row.key if row.table == _ENTRIES else "",
            "table": row.table,
            "row": str(row.number),
            "reason": row.kept,
        }
        for row in rows
    ]


def import_refused(job: Import) -> ImportRefusedError | None:
    """Why an import of which nothing was written is refused as a whole; None when it is not."""
    if job.state != ImportState.READY or not job.preview:
        return None
    try:
        invalid_refused(job)
    except ImportRefusedError as error:
        return error
    return None


def _state_expected(job: Import, *states: ImportState) -> None:
    if job.state not in states:
        raise ImportStateError(number=job.pk, state=job.get_state_display())
