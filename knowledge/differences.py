"""How two texts differ: line beside line, and the words that changed within a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

#: Unchanged lines shown around a change; longer stretches become one gap.
LINES_AROUND = 3

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True)
class Piece:
    """A stretch of a line, changed or not."""

    text: str
    changed: bool = False


@dataclass(frozen=True, kw_only=True)
class DiffRow:
    """Two lines beside each other; a number is None where that side has no line."""

    old_number: int | None = None
    new_number: int | None = None
    old: tuple[Piece, ...] = ()
    new: tuple[Piece, ...] = ()
    changed: bool = False
    #: How many unchanged lines this row stands for; it then has no text.
    skipped: int = 0


def difference_rows(old: str, new: str) -> tuple[DiffRow, ...]:
    """The rows of a side-by-side comparison; none when the texts are equal."""
    if old == new:
        return ()
    return tuple(_rows(old.splitlines(), new.splitlines()))


def _rows(old: list[str], new: list[str]) -> Iterator[DiffRow]:
    blocks = SequenceMatcher(None, old, new).get_opcodes()
    for number, (tag, i, i_end, j, j_end) in enumerate(blocks):
        if tag == "equal":
            yield from _unchanged(old, i, j, i_end - i, first=number == 0, last=number == len(blocks) - 1)
        else:
            yield from _changed(old[i:i_end], new[j:j_end], i, j)


def _unchanged(lines: list[str], i: int, j: int, count: int, *, first: bool, last: bool) -> Iterator[DiffRow]:
    head = 0 if first else LINES_AROUND
    tail = 0 if last else LINES_AROUND
    skipped = count - head - tail
    for offset in range(count):
        if skipped > 1 and offset == head:
            yield DiffRow(skipped=skipped)
        if skipped <= 1 or offset < head or offset >= count - tail:
            text = (Piece(lines[i + offset]),)
            yield DiffRow(old_number=i + offset + 1, new_number=j + offset + 1, old=text, new=text)


def _changed(old: list[str], new: list[str], i: int, j: int) -> Iterator[DiffRow]:
    for offset in range(max(len(old), len(new))):
        was = old[offset] if offset < len(old) else None
        now = new[offset] if offset < len(new) else None
        old_pieces, new_pieces = line_pieces(was or "", now or "")
        yield DiffRow(
            old_number=None if was is None else i + offset + 1,
            new_number=None if now is None else j + offset + 1,
            old=old_pieces,
            new=new_pieces,
            changed=True,
        )


def line_pieces(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both lines in pieces, compared word by word; lines with little in common are changed as a whole."""
    was, now = _WORDS.findall(old), _WORDS.findall(new)
    matcher = SequenceMatcher(None, was, now)
    if not was or not now or matcher.ratio() < 0.3:
        return _whole(old), _whole(new)
    left: list[Piece] = []
    right: list[Piece] = []
    changed = False
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        # A blank after a changed word counts as changed, so that a changed phrase is one mark.
        changed = tag != "equal" or (changed and "".join(was[i:i_end]).isspace())
        _joined(left, "".join(was[i:i_end]), changed)
        _joined(right, "".join(now[j:j_end]), changed)
    return tuple(left), tuple(right)


def _whole(text: str) -> tuple[Piece, ...]:
    return (Piece(text, changed=True),) if text else ()


def _joined(pieces: list[Piece], text: str, changed: bool) -> None:
    if not text:
        return
    if pieces and pieces[-1].changed == changed:
        pieces[-1] = Piece(pieces[-1].text + text, changed)
    else:
        pieces.append(Piece(text, changed))
