"""How often someone may ask: requests in each minute of the clock, counted in a cache of their own.

Two requests at the same instant may be counted as one; the limit protects the site, it bills nobody.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from django.core.cache import caches
from django.utils import timezone

from knowledge.errors import RateLimitedError

CACHE = "rates"
WINDOW_SECONDS = 60


def rate_take(*, key: str, limit: int | None = None, at: datetime | None = None) -> int:
    """Count one request of `key`; how many are left in this minute. Raises RateLimitedError.

    Without a limit it counts for `rate_check`, and nothing is left.
    """
    name, passed = _window(key, at)
    cache = caches[CACHE]
    cache.add(name, 0, timeout=2 * WINDOW_SECONDS)
    try:
        count = cache.incr(name)
    except ValueError:  # thrown out between the two lines: it counts as the first
        count = 1
    if limit is None:
        return 0
    if count > limit:
        raise RateLimitedError(limit=limit, seconds=WINDOW_SECONDS - passed)
    return limit - count


def rate_check(*, key: str, limit: int, at: datetime | None = None) -> None:
    """Raise RateLimitedError where `key` has been counted so often in this minute; counts nothing itself."""
    name, passed = _window(key, at)
    if caches[CACHE].get(name, 0) >= limit:
        raise RateLimitedError(limit=limit, seconds=WINDOW_SECONDS - passed)


def _window(key: str, at: datetime | None) -> tuple[str, int]:
    """Name under which a minute of `key` is counted, and how many seconds of it have passed."""
    window, passed = divmod(int((at or timezone.now()).timestamp()), WINDOW_SECONDS)
    return f"{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}:{window}", passed
