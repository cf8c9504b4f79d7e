"""How often someone may ask: requests in each minute of the clock, in every process of the site together.

Each request appends a byte to a file of its minute and key, whose size is the count. That is exact, since an
append is where every process agrees on the order, and takes microseconds where the file cache of Django takes
milliseconds: it replaces a file, which some file systems write to the disk before anything else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from knowledge.errors import RateLimitedError

WINDOW_SECONDS = 60
#: Keys that are counted in a minute; those of a flood beyond it are not, so that it cannot fill the disk.
MOST_KEYS = 20_000
#: Counts the keys of a minute.
_KEYS = "keys"
logger = logging.getLogger(__name__)


def rate_take(*, key: str, limit: int | None = None, at: datetime | None = None) -> int:
    """Count one request of `key`; how many are left in this minute. Raises RateLimitedError.

    Without a limit it counts for `rate_check`, and nothing is left. Where the disk takes no byte everyone may ask.
    """
    path, passed = _counter(key, at)
    try:
        count = _counted(path)
    except OSError as error:
        logger.warning("A request was not counted: %s", error)
        count = 1
    if limit is None:
        return 0
    if count > limit:
        raise RateLimitedError(limit=limit, seconds=WINDOW_SECONDS - passed)
    return limit - count


def rate_check(*, key: str, limit: int, at: datetime | None = None) -> None:
    """Raise RateLimitedError where `key` has been counted so often in this minute; counts nothing itself."""
    path, passed = _counter(key, at)
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size >= limit:
            raise RateLimitedError(limit=limit, seconds=WINDOW_SECONDS - passed)


def _counter(key: str, at: datetime | None) -> tuple[Path, int]:
    """The file that counts a minute of `key`, and how many seconds of the minute have passed."""
    window, passed = divmod(int((at or timezone.now()).timestamp()), WINDOW_SECONDS)
    name = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return settings.RATES_DIR / str(window) / name, passed


def _counted(path: Path) -> int:
    """One more; the number of this one."""
    try:
        return _appended(path, os.O_WRONLY | os.O_APPEND)
    except FileNotFoundError:
        _minute_begun(path.parent)
    known = _appended(path.with_name(_KEYS))
    return _appended(path) if known <= MOST_KEYS else 1


def _appended(path: Path, flags: int = os.O_WRONLY | os.O_APPEND | os.O_CREAT) -> int:
    file = os.open(path, flags, 0o600)
    try:
        os.write(file, b"1")
        return os.lseek(file, 0, os.SEEK_CUR)  # behind the own byte, whatever others have appended since
    finally:
        os.close(file)


def _minute_begun(folder: Path) -> None:
    """Make the folder of a minute; those before the last one go."""
    if folder.exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for other in folder.parent.iterdir():
        if other.name.isdecimal() and int(other.name) < int(folder.name) - 1:
            shutil.rmtree(other, ignore_errors=True)
