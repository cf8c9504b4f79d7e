"""What entries there are already, by title and problem, and which ids a file has had: on disk, so that a
million of them take no memory. Made again from the database when it is lost."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import UUID

from knowledge.models import Entry

_SIGNS = re.compile(r"[\W_]+")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS texts (
    digest BLOB PRIMARY KEY, entry BLOB NOT NULL, place INTEGER NOT NULL, number INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ids (id BLOB PRIMARY KEY, place INTEGER NOT NULL, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS made (key BLOB PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS complete (since TEXT);
"""
_HEARTBEAT_ROWS = 5_000
_PARAMETERS = 500


def text_digest(title: str, problem: str) -> bytes:
    """Equal for entries that say the same, however it is spaced, spelled in capitals or punctuated."""
    folded = [_SIGNS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip() for text in (title, problem)]
    return blake2b("\0".join(folded).encode("utf-8", "ignore"), digest_size=16).digest()


class Seen:
    """The file; see `seen_opened`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database

    def texts(self, digests: Iterable[bytes]) -> dict[bytes, tuple[UUID, int]]:
        """The entry that has each of these texts, and the row of the file that it stands in (0: the database)."""
        found = self._found("SELECT digest, entry, number FROM texts WHERE digest IN ({})", list(digests))
        return {digest: (UUID(bytes=entry), number) for digest, entry, number in found}

    def ids(self, ids: Iterable[UUID]) -> dict[UUID, int]:
        """The rows of the file that these ids stand in."""
        found = self._found("SELECT id, number FROM ids WHERE id IN ({})", [one.bytes for one in ids])
        return {UUID(bytes=one): number for one, number in found}

    def add(self, rows: Iterable[tuple[int, int, UUID | None, UUID | None, bytes]]) -> None:
        """Remember rows of the file: place, row, id in the file, entry with this text, digest of the text."""
        ids, texts = [], []
        for place, number, pk, entry, digest in rows:
            if pk:
                ids.append((pk.bytes, place, number))
            if entry:
                texts.append((digest, entry.bytes, place, number))
        with self._together():
            self.database.executemany("INSERT OR IGNORE INTO ids VALUES (?, ?, ?)", ids)
            self.database.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?, ?, ?)", texts)

    def made(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of these keys that the rows of the file have made or taken."""
        return {key for (key,) in self._found("SELECT key FROM made WHERE key IN ({})", list(keys))}

    def make(self, keys: Iterable[tuple[bytes, int]]) -> None:
        """Remember keys that rows of the file make or take: key, place."""
        with self._together():
            self.database.executemany("INSERT OR IGNORE INTO made VALUES (?, ?)", keys)

    @contextmanager
    def _together(self) -> Iterator[None]:
        self.database.execute("BEGIN")
        yield
        self.database.execute("COMMIT")

    def forget_after(self, place: int) -> None:
        """Forget rows of the file that come after a place."""
        self.database.execute("DELETE FROM texts WHERE place > ?", [place])
        self.database.execute("DELETE FROM ids WHERE place > ?", [place])
        self.database.execute("DELETE FROM made WHERE place > ?", [place])

    def _found(self, sql: str, keys: list[bytes]) -> Iterator[Any]:
        for first in range(0, len(keys), _PARAMETERS):
            some = keys[first : first + _PARAMETERS]
            yield from self.database.execute(sql.format(", ".join("?" * len(some))), some)


@contextmanager
def seen_opened(
    path: Path,
    *,
    place: int | None,
    heartbeat: Callable[[], None] = lambda: None,
    own: Callable[[], Iterable[tuple[int, UUID]]] = list,
    own_made: Callable[[], Iterable[bytes]] = list,
) -> Iterator[Seen]:
    """What was there before a file, and what its rows up to `place` have had; made anew without a place.

    `own` gives row and id of the entries that this import has written already, `own_made` the keys of rows that it
    has added, for the case that the file is lost.
    """
    database = sqlite3.connect(path, isolation_level=None)
    try:
        # A process may be killed at any moment; only the machine itself must not, and then it is made again.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(_SCHEMA)
        seen = Seen(database)
        if place is None or not database.execute("SELECT 1 FROM complete").fetchone():
            _filled(seen, own(), place or 0, heartbeat)
            seen.make((key, place or 0) for key in own_made())
        seen.forget_after(place or 0)
        yield seen
    finally:
        database.close()


def _filled(seen: Seen, own: Iterable[tuple[int, UUID]], place: int, heartbeat: Callable[[], None]) -> None:
    rows_of = {pk: number for number, pk in own}
    seen.database.execute("BEGIN")
    for table in ("texts", "ids", "made", "complete"):
        seen.database.execute(f"DELETE FROM {table}")
    entries = Entry.objects.order_by("pk").values_list("pk", "title", "problem")
    texts = (
        (text_digest(title, problem), pk.bytes, place if pk in rows_of else 0, rows_of.get(pk, 0))
        for pk, title, problem in _beating(entries.iterator(chunk_size=2_000), heartbeat)
    )
    seen.database.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?, ?, ?)", texts)
    ids = [(pk.bytes, place, number) for pk, number in rows_of.items()]
    seen.database.executemany("INSERT OR IGNORE INTO ids VALUES (?, ?, ?)", ids)
    seen.database.execute("INSERT INTO complete VALUES (datetime('now'))")
    seen.database.execute("COMMIT")


def _beating(rows: Iterable[tuple[UUID, str, str]], heartbeat: Callable[[], None]) -> Iterator[tuple[UUID, str, str]]:
    for number, row in enumerate(rows):
        if number % _HEARTBEAT_ROWS == 0:
            heartbeat()
        yield row
