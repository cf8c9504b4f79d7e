"""The rows of a file, read once to its end, as lines that any later pass can begin at.

A file that breaks off in the middle is refused here, before anything is written to the database.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from knowledge.transfer.reading import Source, SourceRow

_HEARTBEAT_ROWS = 5_000


@dataclass(frozen=True)
class SpoolFacts:
    """What the whole file holds."""

    rows: int
    sections: dict[str, int]


class SpooledRow(NamedTuple):
    """A row, which one of all it is (from 1), and where the next one begins."""

    place: int
    offset: int
    row: SourceRow


def spool_write(source: Source, path: Path, heartbeat: Callable[[], None] = lambda: None) -> SpoolFacts:
    """Read a source to its end and keep its rows in `path`, which is there whole or not at all.

    Raises ImportUnreadableError, ImportTooLargeError.
    """
    sections: Counter[str] = Counter()
    temporary = path.with_suffix(".part")
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False, default=str).encode
    try:
        with temporary.open("wb") as file:
            for place, row in enumerate(source.rows(), start=1):
                file.write(encode(list(row)).encode("utf-8", "surrogatepass") + b"\n")
                sections[row.section] += 1
                if place % _HEARTBEAT_ROWS == 0:
                    heartbeat()
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return SpoolFacts(sections.total(), dict(sections))


def spool_rows(path: Path, *, place: int = 0, offset: int = 0) -> Iterator[SpooledRow]:
    """The rows after the first `place`, which end at `offset`."""
    decode = json.JSONDecoder().decode
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            place += 1
            offset += len(line)
            yield SpooledRow(place, offset, SourceRow(*decode(line.decode("utf-8", "surrogatepass"))))
