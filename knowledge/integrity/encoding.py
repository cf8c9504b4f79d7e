"""Texts that were read in another encoding than they were written in: "fÃ¼r" for "für"."""

from __future__ import annotations

import re

#: Characters that the bytes 80 to BF are in Windows-1252; they go on a letter of UTF-8.
_ON = "\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
#: Beginnings of the letters that damage is made of: Latin letters with marks, quotes, dashes, the euro sign, and
#: the mark at the start of a file. Others are left alone: "à »" in French would be one.
_DAMAGE = re.compile(f"[ÂÃ][{_ON}]|â[€‚ƒ„…†][{_ON}]|ï»¿")
#: What one of these has to be in, so that a database can look for it.
SIGNS = ("Â", "Ã", "â", "ï»¿", "\ufffd")
LOST = "\ufffd"


def damage_found(text: str) -> list[str]:
    """The damaged places of a text, and characters that are lost for good."""
    found = [match.group() for match in _DAMAGE.finditer(text) if _mended(match.group()) != match.group()]
    return found + [LOST] * text.count(LOST)


def text_mended(text: str) -> str:
    """The text with every damaged place as it was meant; lost characters stay."""
    return _DAMAGE.sub(lambda match: _mended(match.group()), text)


def _mended(part: str) -> str:
    try:
        return b"".join(_byte(letter) for letter in part).decode("utf-8").removeprefix("\ufeff")
    except UnicodeError:
        return part


def _byte(letter: str) -> bytes:
    """The byte that was read as this letter; five bytes that Windows-1252 lacks are read as they are."""
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("latin-1")
