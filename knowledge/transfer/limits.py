"""What an import takes at most, so that no file can fill memory or disk, or keep a worker busy for ever."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from knowledge.errors import ImportTooLargeError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The bounds of one file."""

    file_bytes: int
    rows: int
    #: What a compressed file may become, all of its parts together.
    unpacked_bytes: int
    #: A column of a workbook that repeats texts keeps each once, in memory.
    shared_text_bytes: int
    #: One row, in characters, however many cells it has.
    row_chars: int
    columns: int
    #: Empty rows in a row before a sheet counts as damaged.
    blank_rows: int = 100_000


def limits() -> Limits:
    """The bounds of this site."""
    return Limits(**settings.TRANSFER_LIMITS)


def bounded(found: int, most: int, what: str) -> None:
    """Raises ImportTooLargeError when there is more than the most."""
    if found > most:
        raise ImportTooLargeError(found=f"{found:,} {what}", most=f"{most:,}")
