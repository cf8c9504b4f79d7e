"""Imports and exports as steps of a run: each batch commits with the place it has come to."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from django.db import connection
from django.utils import timezone

from knowledge.errors import ImportStateError
from knowledge.models import Entry, Import, ImportState
from knowledge.transfer.exporting.export import export_places, export_result
from knowledge.transfer.exporting.growing import WorkBusyError, WorkLostError
from knowledge.transfer.exporting.wanted import ExportWanted
from knowledge.transfer.files import EXPORT_WORK, ROWS, export_folder, export_remove, import_folder
from knowledge.transfer.importing import import_check, import_read, import_write
from knowledge.transfer.jobs import import_get
from knowledge.transfer.undoing import import_undo
from migrations_ops.models import Direction, StepRecord
from migrations_ops.move.pages import pages_unmapped
from migrations_ops.steps.base import Batch, Commit, Cursor, RollbackOperation, Step, StepContext, StepKind

#: What cannot begin in the middle keeps its worker for this long; the queue ends a task after ten minutes.
LONG_SLICE_SECONDS = 540.0

#: States in which an import may go on writing.
WRITABLE = {ImportState.READY, ImportState.RUNNING}


@dataclass(frozen=True, kw_only=True)
class ImportStep(Step):
    """A step on the rows of one import."""

    imported: int
    kind: StepKind = StepKind.DATA

    def estimate(self) -> int | None:
        return import_get(self.imported).rows_total or None

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        # What is read and decided is in files of its own, which retention removes.
        yield Batch()


@dataclass(frozen=True, kw_only=True)
class ReadStep(ImportStep):
    """Reads a file to its end and keeps its rows."""

    commit: ClassVar[Commit] = Commit.OUTSIDE
    slice_seconds: ClassVar[float] = LONG_SLICE_SECONDS

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if cursor:
            return
        job = import_get(self.imported)
        if not (job.rows_total and (import_folder(job) / ROWS).exists()):
            facts = import_read(job, ctx.heartbeat)
            job.rows_total, job.kind, job.columns = facts["rows"], facts["kind"], facts["columns"]
            job.save(update_fields=["rows_total", "kind", "columns"])
        yield Batch({"rows": job.rows_total}, job.rows_total)


@dataclass(frozen=True, kw_only=True)
class CheckStep(ImportStep):
    """Decides about every row and writes none."""

    #: Whether people look at what it decides before anything is written.
    showing: bool = False

    def commit_for(self, direction: str, cursor: Cursor) -> Commit:
        """What is there already is looked up first, without a lock."""
        return Commit.OUTSIDE if direction == Direction.FORWARD and cursor is None else Commit.ROWS

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        yield from import_check(import_get(self.imported), cursor, ctx.heartbeat, showing=self.showing)


@dataclass(frozen=True, kw_only=True)
class WriteStep(CheckStep):
    """Writes the rows; the way back is the undo of the import."""

    def rows_before(self) -> int:
        return Entry.objects.count()

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if cursor and cursor.get("complete"):
            return
        job = import_get(self.imported)
        if job.state not in (WRITABLE if cursor else {ImportState.READY}):  # another run has imported it meanwhile
            raise ImportStateError(number=job.pk, state=job.get_state_display())
        for batch in import_write(job, cursor, ctx.heartbeat):
            if batch.rows and job.state != ImportState.RUNNING:
                _state_saved(job, ImportState.RUNNING, started_at=job.started_at or timezone.now())
            yield batch
        _state_saved(job, ImportState.DONE, finished_at=timezone.now())
        yield Batch({"complete": True})

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        return taken_back(self.imported, ctx, cursor)

    def rollback_operation(self) -> RollbackOperation:
        return RollbackOperation(
            kind="data-restore",
            description="Remove what the import added and restore what it changed; what was edited since stays",
        )


@dataclass(frozen=True, kw_only=True)
class UndoStep(ImportStep):
    """Takes back an import that a command has made."""

    reversible: ClassVar[bool] = False

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        return taken_back(self.imported, ctx, cursor)


def taken_back(number: int, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
    """The batches of an undo, and what the import's row says meanwhile."""
    job = import_get(number)
    if (cursor and cursor.get("complete")) or job.started_at is None:
        return
    for batch in import_undo(job, cursor, ctx.heartbeat):
        if job.state != ImportState.UNDOING:
            _state_saved(job, ImportState.UNDOING)
        yield batch
    kept = job.rows.exclude(kept="").count()
    ctx.log(f"Import {job.pk} is taken back; {kept} row(s) were left because people changed them since")
    _state_saved(job, ImportState.UNDONE, undone_at=timezone.now())
    yield Batch({"complete": True})


def _state_saved(job: Import, state: ImportState, **moments: object) -> None:
    job.state = state
    for name, value in moments.items():
        setattr(job, name, value)
    job.save(update_fields=["state", *moments])


@dataclass(frozen=True, kw_only=True)
class ExportStep(Step):
    """Writes a file, which is there whole or not at all; goes on after a stop from the last piece that it committed."""

    wanted: ExportWanted
    kind: StepKind = StepKind.DATA
    commit: ClassVar[Commit] = Commit.OUTSIDE

    def estimate(self) -> int:
        with pages_unmapped(connection):  # whole indexes are read
            return self.wanted.rows_count()

    def rollback_operation(self) -> RollbackOperation:
        return RollbackOperation(kind="file-remove", description="Remove the file")

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if cursor and "file" in cursor:
            return
        try:
            cursor = yield from self._pieces(ctx, cursor)
        except WorkBusyError:
            yield Batch(cursor, waiting_for="a process that still writes to this export")
            return
        except WorkLostError:
            ctx.log("What was written so far is not there any more: begun again")
            StepRecord.objects.filter(pk=ctx.record.pk).update(rows_done=0)
            cursor = yield from self._pieces(ctx, None)
        ctx.heartbeat()
        result = export_result(self._path(ctx), cursor)
        ctx.remember(file=result.path.name, size_bytes=result.size_bytes, sha256=result.sha256, rows=result.rows)
        ctx.log(f"{result.path.name}: {result.size_bytes:,} bytes, sha256 {result.sha256}")
        yield Batch({"file": result.path.name})

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        export_remove(ctx.run.pk)
        yield Batch()

    def _path(self, ctx: StepContext) -> Path:
        return export_folder(ctx.run.pk) / self.wanted.file_name()

    def _pieces(self, ctx: StepContext, cursor: Cursor) -> Generator[Batch, None, dict[str, Any]]:
        """Write what is not written yet; the last place."""
        path = self._path(ctx)
        places = export_places(
            work=path.parent / EXPORT_WORK,
            path=path,
            file_format=self.wanted.file_format,
            chosen=self.wanted.chosen(path.parent),
            sections=self.wanted.sections,
            address=self.wanted.address,
            cursor=cursor,
            heartbeat=ctx.heartbeat,
        )
        with pages_unmapped(connection):
            for place in places:
                cursor = place.cursor
                yield Batch(cursor, place.rows)
        return dict(cursor)
