"""Files that a cleanup sets aside: in a folder of its own, until the cleanup can no longer be undone."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from migrations_ops.integrity.journal import Work
from migrations_ops.models import CleanupRecord
from migrations_ops.steps.base import Batch

#: What a folder of files is called here, and where it is.
Homes = Mapping[str, Path]


def aside_folder(record: CleanupRecord) -> Path:
    """Where the files of a cleanup are kept."""
    return Path(settings.OPS_CLEANUP_DIR) / f"cleanup-{record.pk}-files"


def files_set_aside(work: Work, found: Iterable[tuple[str, Path]]) -> Iterator[Batch]:
    """Move files or folders out of the way, each with the name of its home; as a cleanup's `apply`."""
    for home, path in found:
        _moved(path, aside_folder(work.record) / home / path.name)
        work.record.units = len(_aside(work.record))
        yield Batch(None, 1)
    # What was moved before a crash counts, too.
    work.record.units = len(_aside(work.record))
    yield Batch()


def files_put_back(record: CleanupRecord, homes: Homes) -> Iterator[Batch]:
    """Move them back; what has a namesake there by now stays aside and is listed."""
    for path in _aside(record):
        home, place = path.parent.name, homes[path.parent.name] / path.name
        kept = {"table": home, "key": path.name, "rows": 1, "reason": _("its place is taken")}
        if not place.exists():
            _moved(path, place)
        elif kept not in record.kept:
            record.kept = [*record.kept, kept]
            record.kept_count += 1
        yield Batch({"file": f"{home}/{path.name}"}, 1)


def aside_discard(record: CleanupRecord) -> None:
    """Delete what a cleanup has set aside; its time is over."""
    if aside_folder(record).exists():
        shutil.rmtree(aside_folder(record))


def _aside(record: CleanupRecord) -> list[Path]:
    return sorted(aside_folder(record).glob("*/*"))


def _moved(path: Path, place: Path) -> None:
    """Move a file or folder, also to another disk; what a killed copy has left is made again."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if place.is_dir():
        shutil.rmtree(place)
    shutil.move(path, place)
