"""Text files: which encoding they have, and their lines, none longer than a row may be."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from knowledge.errors import ImportTooLargeError, ImportUnreadableError

_CHUNK = 1024 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: The one that spreadsheets on Windows write where they do not write UTF-8.
_WESTERN = "cp1252"


def encoding_of(path: Path) -> str:
    """The encoding of a text file. Raises ImportUnreadableError when it is no text, or two mixed.

    1. A byte order mark decides. 2. Zero bytes in every second place are UTF-16 without one. 3. What is
    UTF-8 to the last byte is UTF-8. 4. Else it is the Western code page, if nothing in it is UTF-8.
    """
    with path.open("rb") as file:
        head = file.read(4_096)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        return _wide(head)
    broken_at, has_utf8 = _first_broken_byte(path)
    if broken_at is None:
        return "utf-8"
    if has_utf8:
        raise ImportUnreadableError(
            format="text",
            reason=f"it mixes encodings: most of it is UTF-8, the byte at {broken_at:,} is not. "
            "Open it in an editor, mend the line and save it as UTF-8.",
        )
    return _WESTERN


def _wide(head: bytes) -> str:
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if zeros.count(0) > 0.7 * len(zeros):
            return name
    raise ImportUnreadableError(
        format="text", reason=f"it holds a NUL byte at {head.index(0):,}, so it is damaged or no text."
    )


def _first_broken_byte(path: Path) -> tuple[int | None, bool]:
    """Where the file stops being UTF-8, and whether it has characters that are UTF-8 and not ASCII.

    Raises ImportUnreadableError for a NUL byte.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    read, broken, has_utf8 = 0, None, False
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if b"\0" in chunk:
                at = read + chunk.index(0)
                raise ImportUnreadableError(format="text", reason=f"it holds a NUL byte at {at:,}. Mend the line.")
            if broken is None and not (chunk.isascii() and decoder.getstate()[0] == b""):
                broken, found = _decoded(decoder, chunk, read)
                has_utf8 |= found
            if broken is not None and _utf8_pairs(chunk):
                has_utf8 = True
            read += len(chunk)
    if broken is None and decoder.getstate()[0]:
        broken = read - len(decoder.getstate()[0])
    return broken, has_utf8


def _decoded(decoder: codecs.IncrementalDecoder, chunk: bytes, read: int) -> tuple[int | None, bool]:
    pending = len(decoder.getstate()[0])
    try:
        text = decoder.decode(chunk)
    except UnicodeDecodeError as error:
        return read - pending + error.start, not error.object[: error.start].isascii()
    return None, not text.isascii()


def _utf8_pairs(chunk: bytes) -> bool:
    """Whether there are characters of several bytes that are UTF-8; chance makes them seldom, so ten count."""
    return sum(not char.isascii() and char != "\ufffd" for char in chunk.decode("utf-8", "replace")) >= 10


@contextmanager
def text_opened(path: Path, encoding: str, format_name: str) -> Iterator[io.TextIOWrapper]:
    """The file as text, line ends as they are; what cannot be decoded becomes an ImportUnreadableError."""
    try:
        with path.open("r", encoding=encoding, newline="") as file:
            yield file
    except UnicodeError as error:
        reason = f"it is not the text that its beginning promises ({encoding}). Save it as UTF-8."
        raise ImportUnreadableError(format=format_name, reason=reason) from error


def lines_bounded(file: io.TextIOWrapper, most_chars: int) -> Iterator[str]:
    """The lines of a file. Raises ImportTooLargeError at one that is longer than a row may be."""
    number = 0
    while line := file.readline(most_chars + 1):
        number += 1
        if len(line) > most_chars:
            raise ImportTooLargeError(found=f"more than {most_chars:,} characters in line {number:,}", most="that")
        if "\0" in line:
            raise ImportUnreadableError(format="text", reason=f"line {number:,} holds a NUL character. Mend it.")
        yield line
