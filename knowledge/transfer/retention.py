"""How long the files of imports and exports are kept."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from knowledge.models import Import, ImportState
from migrations_ops.queue import schedule_ensure

SCHEDULE = "kb-transfer-retention"


def transfers_schedule() -> None:
    """Have the worker look once a day."""
    schedule_ensure(name=SCHEDULE, function="knowledge.transfer.retention.transfers_trim", every=timedelta(days=1))


def transfers_trim() -> int:
    """Remove the files that nothing has changed for KB_TRANSFER_DAYS; how many folders.

    What an import did stays known, and so does its way back. An import that is under way, or rests, keeps its file.
    """
    oldest = timezone.now() - timedelta(days=settings.TRANSFER_DAYS)
    under_way = set(Import.objects.filter(state=ImportState.RUNNING).values_list("pk", flat=True))
    over = [
        folder
        for kind in ("imports", "exports")
        for folder in sorted((settings.TRANSFER_DIR / kind).glob("*"))
        if folder.is_dir() and _last_change(folder) < oldest.timestamp()
        if kind == "exports" or folder.name not in map(str, under_way)
    ]
    for folder in over:
        shutil.rmtree(folder, ignore_errors=True)
    return sum(not folder.exists() for folder in over)


def _last_change(folder: Path) -> float:
    return max(path.stat().st_mtime for path in [folder, *folder.iterdir()])
