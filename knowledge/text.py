"""Text as every database can store it."""

from __future__ import annotations


def storable(text: str) -> str:
    """The text without NUL characters and half surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()


def text_line(text: str) -> str:
    """The text on one line, storable, with single blanks."""
    return " ".join(storable(text).split())


def text_block(text: str) -> str:
    """The text with plain line ends, storable, without blanks around it."""
    return storable(text).replace("\r\n", "\n").replace("\r", "\n").strip()
