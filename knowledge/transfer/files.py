"""Where the files of imports and exports are kept, until their time is over."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Protocol

from django.conf import settings

from knowledge.models import Import
from knowledge.transfer.limits import bounded

ROWS = "rows.jsonl"
#: How the file was read: encoding, delimiter.
FACTS = "facts.json"
VERDICTS = "verdicts.jsonl"
SEEN = "seen.sqlite3"
#: Which versions of entries the preview has shown.
PREVIEWED = "previewed.sqlite3"
#: Folder of the pieces of an export, and what its search has found.
EXPORT_WORK, FOUND = "work", "found.json"
_CHUNK = 1024 * 1024


class Readable(Protocol):
    """A file opened for bytes, or an upload."""

    def read(self, size: int, /) -> bytes: ...


def import_folder(job: Import) -> Path:
    """The folder of an import, made when missing; only the site's account reads it."""
    folder: Path = settings.TRANSFER_DIR / "imports" / str(job.pk)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def export_folder(run_id: int) -> Path:
    """The folder of the file that an export run writes, made when missing."""
    folder: Path = settings.TRANSFER_DIR / "exports" / str(run_id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def export_path(run_id: int, name: str) -> Path | None:
    """The file of an export while it is kept."""
    path: Path = settings.TRANSFER_DIR / "exports" / str(run_id) / Path(name).name
    return path if name and path.is_file() else None


def export_remove(run_id: int) -> bool:
    """Remove the file of an export; what is known of it stays with its run. Whether the file is gone."""
    folder = settings.TRANSFER_DIR / "exports" / str(run_id)
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def import_files_remove(job: Import) -> None:
    """Remove what is kept of a file; the journal, and so the way back, stays."""
    shutil.rmtree(settings.TRANSFER_DIR / "imports" / str(job.pk), ignore_errors=True)


def file_copied(source: Readable, to: Path, *, most_bytes: int) -> tuple[int, str]:
    """Copy a file opened for bytes; its size and sha256. Raises ImportTooLargeError."""
    digest, size_bytes = hashlib.sha256(), 0
    with to.open("wb") as target:
        while chunk := source.read(_CHUNK):
            bounded(size_bytes + len(chunk), most_bytes, "bytes")
            digest.update(chunk)
            target.write(chunk)
            size_bytes += len(chunk)
    return size_bytes, digest.hexdigest()
