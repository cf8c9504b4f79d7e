"""Checkpoints: a consistent copy of the site's rows, proven, restored, and cleared away.

A checkpoint holds the rows of the open phases. The engine's journals, sessions and the queue stay
out, so that a restore does not rewrite history. Accounts are kept as names only: a restore never
revives a password; rows that point to an account that is gone get a closed one of the same name.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Model, Q
from django.utils import timezone

from migrations_ops import archive, audit
from migrations_ops.accounts import accounts_referenced, accounts_supply
from migrations_ops.errors import (
    CheckpointCorruptError,
    CheckpointMissingError,
    CheckpointNotFoundError,
    CheckpointProtectedError,
    CheckpointUnfitError,
    VerificationError,
)
from migrations_ops.gate import site_level, site_level_set
from migrations_ops.models import (
    ACTIVE_STATES,
    Checkpoint,
    CheckpointKind,
    CheckpointState,
    PlanKind,
    Run,
    RunEvent,
    RunState,
)
from migrations_ops.phase import Phase, highest_level, phases, phases_open
from migrations_ops.schema import app_close, app_open, migrations_applied
from migrations_ops.snapshot import snapshot_open

ROWS_PER_INSERT = 500
LEFTOVER_SECONDS = 24 * 3600


def checkpoint_path(checkpoint: Checkpoint) -> Path:
    """Where the file of a checkpoint lies."""
    return Path(settings.OPS_CHECKPOINT_DIR) / checkpoint.file_name


def checkpoint_get(checkpoint_id: str | UUID) -> Checkpoint:
    """The checkpoint with this id, or the only one whose id starts with it. CheckpointNotFoundError."""
    text = str(checkpoint_id).replace("-", "").lower()
    found = [row for row in Checkpoint.objects.exclude(state=CheckpointState.DELETED) if row.pk.hex.startswith(text)]
    if len(found) != 1 or not text:
        raise CheckpointNotFoundError(checkpoint=checkpoint_id)
    return found[0]


def tables_open(level: int) -> list[type[Model]]:
    """The models whose rows a checkpoint at `level` holds."""
    return [model for phase in phases_open(level) for model in phase.models()]


def checkpoint_create(
    *,
    label: str,
    actor: str,
    checkpoint_id: UUID | None = None,
    run: Run | None = None,
    heartbeat: archive.Heartbeat = lambda: None,
) -> Checkpoint:
    """Copy the rows of every open phase into a file, as of one moment.

    With `checkpoint_id` it is safe to call again after a crash: a finished file is taken as it is.
    Raises DiskFullError.
    """
    with snapshot_open() as using:
        level = site_level(using)
        return archive_record(
            checkpoint_id=checkpoint_id or uuid4(),
            using=using,
            tables=tables_open(level),
            fields={"kind": CheckpointKind.FULL, "label": label, "level": level, "created_by": actor, "run": run},
            heartbeat=heartbeat,
        )


def rows_park(
    *, phase: Phase, actor: str, checkpoint_id: UUID, run: Run | None, heartbeat: archive.Heartbeat = lambda: None
) -> Checkpoint:
    """Copy the rows of one phase into a file before its tables are dropped; safe to call again."""
    with snapshot_open() as using:
        return archive_record(
            checkpoint_id=checkpoint_id,
            using=using,
            tables=phase.models(),
            fields={
                "kind": CheckpointKind.PARKED,
                "label": f"Rows of MVP{phase.level} ({phase.title}), parked by the rollback",
                "level": phase.level,
                "phase_level": phase.level,
                "created_by": actor,
                "run": run,
                "protected": True,
            },
            heartbeat=heartbeat,
        )


def archive_record(
    *, checkpoint_id: UUID, using: str, tables: list[type[Model]], fields: dict[str, Any], heartbeat: archive.Heartbeat
) -> Checkpoint:
    """Write an archive and its row, or give back the row that an earlier try has written."""
    if existing := Checkpoint.objects.filter(pk=checkpoint_id).first():
        return existing
    path = Path(settings.OPS_CHECKPOINT_DIR) / f"{checkpoint_id}.zip"
    header = {**manifest_header(fields["level"], using), "accounts": accounts_referenced(using)}
    with (
        archive.archive_written(path, tables=tables, using=using, header=header, heartbeat=heartbeat) as file,
        transaction.atomic(),
    ):
        # In one transaction, the lease first: a worker that has lost the run while it wrote must not
        # put its file over the one that the run's new worker has recorded.
        heartbeat()
        archive.archive_publish(file, path)
        checkpoint = Checkpoint.objects.create(
            pk=checkpoint_id,
            file_name=path.name,
            sha256=file.sha256,
            size_bytes=file.size_bytes,
            manifest={key: value for key, value in file.manifest.items() if key != "accounts"},
            **fields,
        )
        message = f"Made a checkpoint: {checkpoint.label} ({checkpoint.pk})"
        audit.record(run=checkpoint.run, action="checkpoint_create", actor=checkpoint.created_by, message=message)
    return checkpoint


def manifest_header(level: int, using: str) -> archive.Manifest:
    """What a manifest says besides the tables: moment, level, database, migrations applied."""
    return {
        "created_at": timezone.now(),
        "level": level,
        "database": connection.vendor,
        "migrations": {phase.app_label: migrations_applied(phase.app_label) for phase in phases_open(level)},
        **{name: value for phase in phases_open(level) for name, value in phase.describe(using).items()},
    }


def checkpoint_verify(*, checkpoint: Checkpoint, heartbeat: archive.Heartbeat = lambda: None) -> Checkpoint:
    """Read the whole file again and compare it with its record and its manifest.

    Raises CheckpointMissingError or CheckpointCorruptError, and marks the checkpoint as damaged.
    """
    try:
        _file_verify(checkpoint, heartbeat)
    except (CheckpointMissingError, CheckpointCorruptError):
        Checkpoint.objects.filter(pk=checkpoint.pk).update(state=CheckpointState.CORRUPT)
        raise
    checkpoint.state, checkpoint.verified_at = CheckpointState.COMPLETE, timezone.now()
    checkpoint.save(update_fields=["state", "verified_at"])
    return checkpoint


def _file_verify(checkpoint: Checkpoint, heartbeat: archive.Heartbeat) -> None:
    path = checkpoint_path(checkpoint)
    if not path.exists():
        raise CheckpointMissingError(checkpoint=checkpoint.pk, path=path.name)
    if archive.file_sha256(path) != checkpoint.sha256:
        raise CheckpointCorruptError(checkpoint=checkpoint.pk, damage="its sha256 is not the recorded one")
    archive.archive_verify(path, heartbeat)


def checkpoint_fit(checkpoint: Checkpoint) -> None:
    """Raise CheckpointUnfitError when this release could not restore the checkpoint."""
    if checkpoint.kind != CheckpointKind.FULL:
        reason = "it holds the parked rows of one level, which come back when that level is opened again"
        raise CheckpointUnfitError(checkpoint=checkpoint.pk, reason=reason)
    if checkpoint.level > highest_level():
        raise CheckpointUnfitError(checkpoint=checkpoint.pk, reason=f"this release has no MVP{checkpoint.level}")
    if unknown := columns_unknown(checkpoint, tables_open(checkpoint.level)):
        raise CheckpointUnfitError(checkpoint=checkpoint.pk, reason=f"this release has no {', '.join(unknown)}")


def columns_unknown(checkpoint: Checkpoint, tables: Iterable[type[Model]]) -> list[str]:
    """The columns in a checkpoint's file that these tables do not have, as `table.column`."""
    known = {model._meta.db_table: set(archive.columns_of(model)) for model in tables}
    return [
        f"{table}.{column}"
        for table, facts in checkpoint.manifest["tables"].items()
        for column in facts["columns"]
        if column not in known.get(table, set())
    ]


def checkpoint_restore(*, checkpoint: Checkpoint, heartbeat: archive.Heartbeat = lambda: None) -> dict[str, int]:
    """Make level and rows what the checkpoint holds; returns rows by table.

    Runs inside the caller's `ddl_transaction`: readers see the old rows until it commits, writers
    wait, and any error leaves everything as it was. Raises CheckpointUnfitError,
    CheckpointCorruptError, VerificationError.
    """
    checkpoint_fit(checkpoint)
    path = checkpoint_path(checkpoint)
    levels_move(checkpoint.level)
    tables = tables_open(checkpoint.level)
    manifest = archive.archive_manifest(path)
    lock_writers(tables)
    rows_delete(tables)
    counts = {model._meta.db_table: table_restore(model, path, manifest, heartbeat) for model in tables}
    accounts_supply(tables, manifest["accounts"])
    sequences_reset([*tables, get_user_model()])
    site_level_set(checkpoint.level)
    rows_compare(tables, manifest)
    for phase in phases_open(checkpoint.level):
        for hook in phase.after_restore:
            hook()
    Checkpoint.objects.filter(pk=checkpoint.pk).update(restored_at=timezone.now())
    return counts


def levels_move(level: int) -> None:
    """Make the tables of the phases up to `level` and drop those above, highest first."""
    for phase in reversed(phases()):
        if phase.level > level and migrations_applied(phase.app_label):
            app_close(phase.app_label)
    for phase in phases_open(level):
        app_open(phase.app_label)


def lock_writers(tables: Iterable[type[Model]]) -> None:
    """Let nobody else change these tables until the transaction ends; readers go on.

    SQLite's write transaction does that by itself.
    """
    if connection.vendor == "postgresql":
        names = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in tables)
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def rows_delete(tables: list[type[Model]]) -> None:
    """Empty the tables, children first."""
    with connection.cursor() as cursor:
        for model in reversed(tables):
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")


def table_restore(model: type[Model], path: Path, manifest: archive.Manifest, heartbeat: archive.Heartbeat) -> int:
    """Insert the rows of one table from an archive; 0 for a table that is newer than the archive."""
    facts = manifest["tables"].get(model._meta.db_table)
    if not facts:
        return 0
    rows, inserted = archive.archive_lines(path, model._meta.db_table), 0
    while batch := list(islice(rows, ROWS_PER_INSERT)):
        inserted += archive.rows_insert(model, batch, facts["columns"])
        heartbeat()
    return inserted


def sequences_reset(tables: list[type[Model]]) -> None:
    """Let the next automatic key follow the highest one restored."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), tables):
            cursor.execute(statement)


def rows_compare(tables: list[type[Model]], manifest: archive.Manifest) -> None:
    """Raise VerificationError unless the tables hold exactly the rows of a manifest."""
    comparable = [
        model
        for model in tables
        if manifest["tables"].get(model._meta.db_table, {}).get("columns") == archive.columns_of(model)
    ]
    names = {model._meta.db_table for model in comparable}
    expected = {table: facts for table, facts in manifest["tables"].items() if table in names}
    if lines := archive.manifest_differences(expected, archive.tables_manifest(comparable)):
        raise VerificationError(count=len(lines), differences="; ".join(lines))


def checkpoint_delete(*, checkpoint: Checkpoint, actor: str, reason: str = "") -> None:
    """Delete the file; the record stays as history. Raises CheckpointProtectedError."""
    made_or_read = Q(checkpoints=checkpoint) | Q(plan__options__checkpoint=str(checkpoint.pk))
    in_use = Run.objects.filter(made_or_read, state__in=ACTIVE_STATES).first()
    if in_use:
        raise CheckpointProtectedError(checkpoint=checkpoint.pk, reason=f"run {in_use.pk}, which is not finished")
    with transaction.atomic():
        checkpoint_discard(checkpoint)
        _journal(checkpoint, "delete", f"Deleted the file of {checkpoint.label}", actor, reason)


def checkpoint_discard(checkpoint: Checkpoint) -> None:
    """Record in the caller's transaction that a file is of no use, and delete it when that commits."""
    Checkpoint.objects.filter(pk=checkpoint.pk).update(state=CheckpointState.DELETED)
    transaction.on_commit(lambda: checkpoint_path(checkpoint).unlink(missing_ok=True))


def checkpoint_protect(*, checkpoint: Checkpoint, protected: bool, actor: str) -> None:
    """Keep a checkpoint out of retention, or give it back to it."""
    with transaction.atomic():
        Checkpoint.objects.filter(pk=checkpoint.pk).update(protected=protected)
        done = f"{'Protected' if protected else 'No longer protected'}: {checkpoint.label}"
        _journal(checkpoint, "protect" if protected else "unprotect", done, actor, "")


def _journal(checkpoint: Checkpoint, verb: str, message: str, actor: str, reason: str) -> None:
    audit.record(action=f"checkpoint_{verb}", actor=actor, reason=reason, message=f"{message} ({checkpoint.pk})")


def checkpoint_events(checkpoint: Checkpoint) -> list[RunEvent]:
    """What people did with a checkpoint outside of runs, oldest first."""
    outside = RunEvent.objects.filter(run__isnull=True, plan__isnull=True, action__startswith="checkpoint_")
    return list(outside.filter(message__endswith=f"({checkpoint.pk})").order_by("id"))


def checkpoints_surplus(*, keep: int) -> list[Checkpoint]:
    """The oldest full checkpoints beyond the newest `keep`.

    Those that `checkpoints_needed` names and protected ones stay and do not count.
    """
    candidates = Checkpoint.objects.filter(
        kind=CheckpointKind.FULL, protected=False, state__in=[CheckpointState.COMPLETE, CheckpointState.CORRUPT]
    ).exclude(pk__in=checkpoints_needed())
    return list(candidates.order_by("-created_at")[keep:])


def checkpoints_needed() -> set[UUID]:
    """Ids of what unfinished runs made or restore, and of what the rollback of the newest restore needs."""
    runs = Run.objects.filter(state__in=ACTIVE_STATES)
    restored = Run.objects.filter(plan__kind=PlanKind.RESTORE, state=RunState.SUCCEEDED).order_by("-pk")[:1]
    made = Checkpoint.objects.filter(Q(run__in=runs) | Q(run__in=list(restored))).values_list("pk", flat=True)
    read = runs.filter(plan__kind=PlanKind.RESTORE).values_list("plan__options__checkpoint", flat=True)
    return {*made, *(UUID(key) for key in read)}


def checkpoints_trim(*, keep: int, actor: str, reason: str = "") -> list[Checkpoint]:
    """Delete what `checkpoints_surplus` names; returns what was deleted.

    Unfinished files that are older than a day are what a killed process left; they go too.
    """
    surplus = checkpoints_surplus(keep=keep)
    for checkpoint in surplus:
        checkpoint_delete(checkpoint=checkpoint, actor=actor, reason=reason)
    folder = Path(settings.OPS_CHECKPOINT_DIR)
    for leftover in folder.glob("*.part"):
        if time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS:
            leftover.unlink(missing_ok=True)
    return surplus


def checkpoints_space_needed() -> int:
    """Bytes that the next full checkpoint may take: the size of the last, or that of the database."""
    latest = Checkpoint.objects.filter(kind=CheckpointKind.FULL).order_by("-created_at").first()
    return max(latest.size_bytes if latest else 0, database_size() // 2)


def database_size() -> int:
    """Bytes that the site's database takes on disk."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
        else:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        return int(cursor.fetchone()[0])


def disk_free() -> int:
    """Bytes free where checkpoints are written."""
    folder = Path(settings.OPS_CHECKPOINT_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(folder).free
