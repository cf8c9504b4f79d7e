"""Which version of each entry the last preview has shown, so that no edit made since is overwritten unseen."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

#: In place of a version when there was no such entry.
NOT_THERE = 0
_PARAMETERS = 500


class Previewed:
    """The file; see `previewed_opened`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database

    def remember(self, shown: Iterable[tuple[UUID, int]]) -> None:
        """Keep entries with the versions that were shown, in place of what was kept of them."""
        with self.database:
            rows = ((pk.bytes, version) for pk, version in shown)
            self.database.executemany("INSERT OR REPLACE INTO versions VALUES (?, ?)", rows)

    def versions(self, ids: Iterable[UUID]) -> dict[UUID, int]:
        """The versions that were shown of these entries; none of those that no preview has looked at."""
        keys = [one.bytes for one in ids]
        found: dict[UUID, int] = {}
        for first in range(0, len(keys), _PARAMETERS):
            some = keys[first : first + _PARAMETERS]
            marks = ", ".join("?" * len(some))
            rows = self.database.execute(f"SELECT entry, version FROM versions WHERE entry IN ({marks})", some)
            found |= {UUID(bytes=key): version for key, version in rows}
        return found


@contextmanager
def previewed_opened(path: Path, *, anew: bool) -> Iterator[Previewed]:
    """What the preview of a file has shown; empty when there was none, or when a preview begins anew."""
    if anew:
        path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    try:
        # Like the file of what was seen: a process may be killed at any moment, only the machine must not.
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE IF NOT EXISTS versions (entry BLOB PRIMARY KEY, version INTEGER) WITHOUT ROWID")
        yield Previewed(database)
    finally:
        database.close()
