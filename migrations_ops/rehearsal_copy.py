"""What a rehearsal does inside its scratch database: restore, run up, roll back, compare.

Runs in a process whose `default` is the scratch database. It reports to its parent in JSON lines
(migrations_ops.rehearsal.report).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from migrations_ops.archive import archive_manifest, archive_verify, file_sha256, manifest_differences, tables_manifest
from migrations_ops.checkpoints import checkpoint_restore, tables_open
from migrations_ops.errors import RehearsalError
from migrations_ops.gate import site_level
from migrations_ops.models import Checkpoint, Run, RunState
from migrations_ops.phase import phases_open
from migrations_ops.planning import plan_create
from migrations_ops.rehearsal import Stream, report
from migrations_ops.runner import run_inline
from migrations_ops.runs import confirmation_expected, rollback_confirmation_expected, run_enqueue, run_rollback
from migrations_ops.schema import ddl_transaction

ACTOR = "rehearsal"


def run(archive: Path, level: int, scratch: str, stream: Stream) -> None:
    """Restore `archive` here, go up to `level` and back, and report whether every row is as before.

    Refuses to work anywhere but in the scratch database it was started for (RehearsalError).
    """
    refuse_elsewhere(scratch)
    call_command("migrate", verbosity=0)
    checkpoint = copy_restore(archive)
    rows = sum(table["rows"] for table in checkpoint.manifest["tables"].values())
    report(stream, f"Restored {rows} rows into an empty database; every table equals the manifest")
    finished = go_up(level)
    report(stream, f"Went up to MVP{level}", measured=measured(finished))
    go_back(finished)
    report(stream, f"Went back to MVP{site_level()}")
    differences = differences_from(checkpoint)
    if differences:
        report(stream, "After the way back rows differ", equal=False, failure="; ".join(differences))
    else:
        report(stream, "Every row is as it was before", equal=True)


def refuse_elsewhere(scratch: str) -> None:
    """Raise RehearsalError unless `default` is the scratch database of this name."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_schema()")
            here = cursor.fetchone()[0]
    else:
        here = str(Path(str(settings.DATABASES["default"]["NAME"])).resolve().parent)
        scratch = str(Path(scratch).resolve())
    if here != scratch:
        raise RehearsalError(reason=f"its process is connected to {here} and not to its copy; nothing was changed")


def copy_restore(archive: Path) -> Checkpoint:
    """Register the archive here and restore it."""
    folder = Path(settings.OPS_CHECKPOINT_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / archive.name
    link.symlink_to(archive.resolve())
    archive_verify(link)
    manifest = {key: value for key, value in archive_manifest(link).items() if key != "accounts"}
    checkpoint = Checkpoint.objects.create(
        label="Copy",
        level=manifest["level"],
        file_name=link.name,
        sha256=file_sha256(link),
        size_bytes=link.stat().st_size,
        manifest=manifest,
        created_by=ACTOR,
    )
    with ddl_transaction():
        checkpoint_restore(checkpoint=checkpoint)
    return checkpoint


def go_up(level: int) -> Run:
    """Run the plan to its end. Raises RehearsalError with the reason."""
    plan = plan_create(to_level=level, actor=ACTOR, inline=True)
    queued = run_enqueue(plan=plan, actor=ACTOR, confirmation=confirmation_expected(plan))
    return expect(run_inline(queued.pk), RunState.SUCCEEDED)


def go_back(finished: Run) -> Run:
    """Roll the run back to its end. Raises RehearsalError with the reason."""
    run_rollback(run=finished, actor=ACTOR, confirmation=rollback_confirmation_expected(finished))
    return expect(run_inline(finished.pk), RunState.ROLLED_BACK)


def expect(finished: Run, state: RunState) -> Run:
    """The run, if it ended as it should."""
    if finished.state != state:
        reason = f"on the copy the run is {finished.get_state_display().lower()}: {finished.error}"
        raise RehearsalError(reason=reason)
    return finished


def measured(finished: Run) -> dict[str, Any]:
    """Rows and seconds of each step, for the estimates of the real run."""
    return {record.name: {"rows": record.rows_done, "seconds": record.busy_seconds} for record in finished.steps.all()}


def differences_from(checkpoint: Checkpoint) -> list[str]:
    """Tables whose rows are not what the checkpoint holds; those that a move itself writes left out."""
    written = {
        model._meta.db_table
        for phase in phases_open(checkpoint.level)
        for model in phase.models()
        if model.__name__ in phase.state_models
    }
    tables = [model for model in tables_open(checkpoint.level) if model._meta.db_table not in written]
    expected = {table: facts for table, facts in checkpoint.manifest["tables"].items() if table not in written}
    return manifest_differences(expected, tables_manifest(tables))
