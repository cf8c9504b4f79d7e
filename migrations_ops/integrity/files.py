"""Checkpoints and parked rows on disk: rows without their file, damaged files, files without a row."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from migrations_ops.archive import file_sha256
from migrations_ops.checkpoints import checkpoint_path
from migrations_ops.errors import CleanupDamagedError
from migrations_ops.integrity.aside import Homes, files_put_back, files_set_aside
from migrations_ops.integrity.check import Example, Found
from migrations_ops.integrity.cleanup import Options
from migrations_ops.integrity.journal import Work
from migrations_ops.integrity.parking import parked_check
from migrations_ops.models import Checkpoint, CheckpointState, CleanupRecord
from migrations_ops.steps.base import Batch, Cursor

#: A file without a row may be one that is just being written.
STRAY_SECONDS = 24 * 3600


def archives_checked(limit: int) -> Found:
    """Checkpoints and parked rows whose file is gone or is not the one that was written; reads all of them."""
    damaged = [*_checkpoints_damaged(), *_parked_damaged()]
    return Found(len(damaged), tuple(damaged[:limit]))


def _checkpoints_damaged() -> Iterator[Example]:
    for checkpoint in Checkpoint.objects.exclude(state=CheckpointState.DELETED).defer("manifest"):
        path = checkpoint_path(checkpoint)
        if not path.exists():
            damage = _("the file is gone")
        elif file_sha256(path) != checkpoint.sha256:
            damage = _("its sha256 is not the recorded one")
        else:
            continue
        yield Example(f"{checkpoint.label}: {damage}", reverse("console:checkpoint", args=[checkpoint.pk]))


def _parked_damaged() -> Iterator[Example]:
    for record in CleanupRecord.objects.exclude(sha256=""):
        try:
            parked_check(record)
        except CleanupDamagedError as error:
            yield Example(f"{record}: {error.facts['damage']}")


def strays_checked(limit: int) -> Found:
    """Files beside the checkpoints and parked rows that no row knows, older than a day."""
    found = [Example(f"{home}/{path.name}") for home, path in _strays()]
    return Found(len(found), tuple(found[:limit]))


def strays_preview(options: Options, limit: int) -> Found:
    """The same, for the cleanup that sets them aside."""
    return strays_checked(limit)


def strays_set_aside(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Move them to where the cleanup keeps them."""
    yield from files_set_aside(work, list(_strays()))


def strays_put_back(record: CleanupRecord) -> Iterator[Batch]:
    """Move them back."""
    yield from files_put_back(record, _homes())


def _homes() -> Homes:
    return {"checkpoints": Path(settings.OPS_CHECKPOINT_DIR), "cleanups": Path(settings.OPS_CLEANUP_DIR)}


def _strays() -> Iterator[tuple[str, Path]]:
    known = {
        *Checkpoint.objects.values_list("file_name", flat=True),
        *CleanupRecord.objects.values_list("file_name", flat=True),
    }
    for home, folder in _homes().items():
        for path in sorted(folder.glob("*")):
            old = time.time() - path.stat().st_mtime > STRAY_SECONDS
            if path.is_file() and path.name not in known and old:
                yield home, path
