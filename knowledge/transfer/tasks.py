"""Imports, exports and undos as tasks of the console."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from knowledge.errors import ImportStateError
from knowledge.models import Import, ImportState
from knowledge.transfer.exporting.wanted import ExportWanted
from knowledge.transfer.options import ImportOptions, OnError
from knowledge.transfer.steps import CheckStep, ExportStep, ReadStep, UndoStep, WriteStep
from migrations_ops.errors import RunNotFoundError
from migrations_ops.models import ACTIVE_STATES, Direction, Run, RunState
from migrations_ops.runs import rollback_confirmation_expected, run_resume, run_retry, run_rollback
from migrations_ops.steps.base import Step
from migrations_ops.task_runs import task_enqueue, task_runs
from migrations_ops.tasks import TaskKind

RUN_IMPORT, UNDO_IMPORT, RUN_EXPORT = "knowledge.run_import", "knowledge.undo_import", "knowledge.run_export"


def preview_steps(options: Mapping[str, Any]) -> tuple[Step, ...]:
    """Read the file, decide about its rows."""
    number = options["import"]
    return (
        ReadStep(name="preview/read", title="Read the file to its end", imported=number),
        CheckStep(name="preview/check", title="Decide about every row, write none", imported=number, showing=True),
    )


def import_steps(options: Mapping[str, Any]) -> tuple[Step, ...]:
    """Read what is not read yet, check first where an invalid row is to stop everything, write."""
    number = options["import"]
    read = ReadStep(name="import/read", title="Read the file to its end", imported=number)
    check = CheckStep(name="import/check", title="Decide about every row, write none", imported=number)
    write = WriteStep(name="import/write", title="Write the entries", imported=number)
    return (read, check, write) if options["on_error"] == OnError.STOP else (read, write)


def undo_steps(options: Mapping[str, Any]) -> tuple[Step, ...]:
    """Take back an import that has no run."""
    return (UndoStep(name="undo/entries", title="Take the import back", imported=options["import"]),)


def export_steps(options: Mapping[str, Any]) -> tuple[Step, ...]:
    """Write the file."""
    return (ExportStep(name="export/file", title="Write the file", wanted=ExportWanted.of(options)),)


def import_back_refused(options: Mapping[str, Any]) -> str:
    """Why the run of an import cannot go back: a command has done so already."""
    undone = Import.objects.filter(pk=options["import"], state=ImportState.UNDONE).exists()
    return _("the import was undone already.") if undone else ""


def preview_back_refused(options: Mapping[str, Any]) -> str:
    """Why the run of a preview never goes back."""
    return _("a preview changes nothing.")


TASKS = (
    TaskKind(name="preview", steps=preview_steps, permission=RUN_IMPORT, rollback_refused=preview_back_refused),
    TaskKind(
        name="import",
        steps=import_steps,
        permission=RUN_IMPORT,
        permission_back=UNDO_IMPORT,
        rollback_refused=import_back_refused,
    ),
    TaskKind(name="undo", steps=undo_steps, permission=UNDO_IMPORT),
    TaskKind(name="export", steps=export_steps, permission=RUN_EXPORT),
)


def preview_enqueue(*, job: Import, actor: str, inline: bool = False) -> Run:
    """Queue the preview of an import. Raises ImportStateError, OpsError."""
    _state_expected(job, ImportState.READY)
    label = _("Preview of %(file)s") % {"file": job.file_name}
    return task_enqueue(
        task="preview", label=label, actor=actor, options={"import": job.pk}, page=import_page(job), inline=inline
    )


def import_enqueue(*, job: Import, actor: str, inline: bool = False) -> Run:
    """Queue an import. Raises ImportStateError, OpsError."""
    _state_expected(job, ImportState.READY)
    options = {"import": job.pk, "on_error": ImportOptions.of(job.options).on_error}
    label = _("Import of %(file)s") % {"file": job.file_name}
    return task_enqueue(task="import", label=label, actor=actor, options=options, page=import_page(job), inline=inline)


def import_resume(*, job: Import, actor: str, inline: bool = False) -> Run:
    """Go on with an import that waits, was paused, given up or failed, in the direction that it had.

    Raises ImportStateError, OpsError.
    """
    run = import_run_of(job)
    if run is None or (run.state == RunState.CANCELLED and job.state == ImportState.READY):
        return import_enqueue(job=job, actor=actor, inline=inline)
    if run.state == RunState.SUCCEEDED:
        raise ImportStateError(number=job.pk, state=job.get_state_display())
    return _resumed(run, actor, "")


def _resumed(run: Run, actor: str, reason: str) -> Run:
    """The run, which goes on if it rests."""
    if run.state == RunState.PAUSED:
        return run_resume(run=run, actor=actor, reason=reason)
    if run.state in {RunState.FAILED, RunState.CANCELLED}:
        return run_retry(run=run, actor=actor, reason=reason)
    return run


def undo_resume(*, job: Import, actor: str, reason: str = "", inline: bool = False) -> Run:
    """Take an import back, finished or not, or go on with an undo that rests. Raises ImportStateError, OpsError."""
    run = import_run_of(job)
    if run is not None and run.direction == Direction.BACK:
        return _resumed(run, actor, reason)
    if run is not None and run.state == RunState.PAUSED:
        return run_rollback(run=run, actor=actor, confirmation=rollback_confirmation_expected(run), reason=reason)
    if undo := task_runs("undo", **{"import": job.pk}).exclude(state=RunState.SUCCEEDED).first():
        return _resumed(undo, actor, reason)
    return undo_enqueue(job=job, actor=actor, reason=reason, inline=inline)


def undo_enqueue(*, job: Import, actor: str, reason: str = "", inline: bool = False) -> Run:
    """Queue the undo of an import: its run goes back; one that a command has made gets a run for it.

    Raises ImportStateError, OpsError.
    """
    _state_expected(job, ImportState.DONE, ImportState.RUNNING, ImportState.FAILED)
    if run := import_run_of(job):
        return run_rollback(run=run, actor=actor, confirmation=rollback_confirmation_expected(run), reason=reason)
    label = _("Undo of the import of %(file)s") % {"file": job.file_name}
    return task_enqueue(
        task="undo",
        label=label,
        actor=actor,
        options={"import": job.pk},
        page=import_page(job),
        reason=reason,
        inline=inline,
    )


def export_enqueue(*, wanted: ExportWanted, actor: str, inline: bool = False) -> Run:
    """Queue an export. Raises OpsError."""
    wanted = replace(wanted, address=wanted.address or settings.SITE_URL)
    label = _("Export: %(format)s") % {"format": wanted.file_format.label}
    options = wanted.as_dict()
    return task_enqueue(task="export", label=label, actor=actor, options=options, page=reverse("bulk"), inline=inline)


def export_resume(*, run: Run, actor: str) -> Run:
    """Go on with an export that rests; a finished one comes back as it is. Raises RunNotFoundError, OpsError."""
    if run.plan.options.get("task") != "export":
        raise RunNotFoundError(run=run.pk)
    return _resumed(run, actor, "")


def import_run_of(job: Import) -> Run | None:
    """The run that imported, or imports, a file; None for one that a command has imported by itself."""
    return task_runs("import", **{"import": job.pk}).exclude(state=RunState.ROLLED_BACK).first()


def active_run_of(job: Import) -> Run | None:
    """The run that works on an import now, whatever it does with it."""
    runs = (
        task_runs(task, **{"import": job.pk}).filter(state__in=ACTIVE_STATES) for task in ("preview", "import", "undo")
    )
    return next((run for found in runs for run in found), None)


def import_page(job: Import) -> str:
    """Where an import is shown."""
    return reverse("bulk_import", args=[job.pk])


def _state_expected(job: Import, *states: ImportState) -> None:
    job.refresh_from_db(fields=["state"])
    if job.state not in states:
        raise ImportStateError(number=job.pk, state=job.get_state_display())
