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


def rate_take(*, key: str, limit: int, at: datetime | None = None) -> int:
    """Count one request of `key`; how many are left in this minute. Raises RateLimitedError."""
    seconds = int((at or timezone.now()).timestamp())
    window, passed = divmod(seconds, WINDOW_SECONDS)
    name = f"{sha256(key.encode()).hexdigest()}:{window}"
    cache = caches[CACHE]
    cache.add(name, 0, timeout=2 * WINDOW_SECONDS)
    try:
        count = cache.incr(name)
    except ValueError:  # thrown out between the two lines: it counts as the first
        count = 1
    if count > limit:
        raise RateLimitedError(limit=limit, seconds=WINDOW_SECONDS - passed)
    return limit - count
