"""Where the files of imports and exports are kept, until their time is over."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from django.conf import settings

from knowledge.models import Import

ROWS = "rows.jsonl"
VERDICTS = "verdicts.jsonl"
SEEN = "seen.sqlite3"
_CHUNK = 1024 * 1024


def import_folder(job: Import) -> Path:
    """The folder of an import, made when missing; only the site's account reads it."""
    folder: Path = settings.TRANSFER_DIR / "imports" / str(job.pk)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def import_files_remove(job: Import) -> None:
    """Remove what is kept of a file; the journal, and so the way back, stays."""
    shutil.rmtree(import_folder(job), ignore_errors=True)


def file_copied(path: Path, to: Path) -> tuple[int, str]:
    """Copy a file; its size in bytes and sha256."""
    digest, size_bytes = hashlib.sha256(), 0
    with path.open("rb") as source, to.open("wb") as target:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
            size_bytes += len(chunk)
    return size_bytes, digest.hexdigest()
