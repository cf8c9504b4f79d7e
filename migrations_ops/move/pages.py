"""How a process that passes over a whole SQLite file reads its pages.

The site's connections map the file (place.addresses), which serves searches: they come to the same pages again.
Who reads every row once would map all of it, and be taken for a process that needs as much memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.base.base import BaseDatabaseWrapper

#: SQLite's own cache during a pass, in KiB.
CACHE_KIB = 4_000


@contextmanager
def pages_unmapped(connection: BaseDatabaseWrapper, *, cache_kib: int = CACHE_KIB) -> Iterator[None]:
    """Read pages into a small cache of SQLite's own; inside a transaction that has begun the file stays mapped.

    Who writes them wants a larger one.
    """
    if connection.vendor != "sqlite":
        yield
        return
    before = {name: _pragma(connection, name) for name in ("mmap_size", "cache_size")}
    _pragmas_set(connection, {"mmap_size": 0, "cache_size": -cache_kib})
    try:
        yield
    finally:
        if connection.vendor == "sqlite":  # the site may have moved meanwhile
            _pragmas_set(connection, before)


def _pragma(connection: BaseDatabaseWrapper, name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        (value,) = cursor.fetchone() or (0,)  # nothing from a SQLite that cannot map
        return int(value)


def _pragmas_set(connection: BaseDatabaseWrapper, values: dict[str, int]) -> None:
    with connection.cursor() as cursor:
        for name, value in values.items():
            cursor.execute(f"PRAGMA {name}={value}")
        cursor.execute("PRAGMA shrink_memory")
