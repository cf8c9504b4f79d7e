"""Titles and passages with the found words marked, as safe HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from knowledge.search.analysis import Unit, units
from knowledge.search.query import Group

SNIPPET_CHARS = 240
#: How far before the first found word a passage may begin.
_LEAD_CHARS = 60

_MARKDOWN = re.compile(r"^```.*$|^#{1,6}\s+|^\s*[-*>]\s+|[`*]{1,3}|\|", re.MULTILINE)
_BLANKS = re.compile(r"\s+")


class Highlighter:
    """Marks what a query found; made once per search."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._exact = {one.token for group in groups for one in group.alternatives if not one.prefix}
        self._prefixes = tuple(one.token for group in groups for one in group.alternatives if one.prefix)
        rough = sorted({re.escape(part) for token in (*self._exact, *self._prefixes) for part in _rough(token)})
        self._rough = re.compile(rf"(?<![^\W_])(?:{'|'.join(rough)})", re.IGNORECASE) if rough else None

    def marked(self, text: str) -> SafeString:
        """The text, escaped, with <mark> around every found word."""
        pieces: list[str] = []
        position = 0
        for unit in self._hits(text):
            pieces += [escape(text[position : unit.start]), f"<mark>{escape(text[unit.start : unit.end])}</mark>"]
            position = unit.end
        pieces.append(escape(text[position:]))
        return mark_safe("".join(pieces))  # noqa: S308 - every piece is escaped above

    def snippet(self, texts: Sequence[str]) -> SafeString:
        """The passage with the most different found words, from the first text that has one."""
        plain = [plain_text(text) for text in texts]
        for text in plain:
            if start := self._best_start(text):
                return _cut(self, text, start - 1)
        return _cut(self, plain[0] if plain else "", 0)

    def _hits(self, text: str) -> Iterator[Unit]:
        for unit in units(text):
            names = (unit.token, *unit.parts)
            if any(name in self._exact or name.startswith(self._prefixes) for name in names):
                yield unit

    def _best_start(self, text: str) -> int:
        """1 + where the best passage begins; 0 when nothing is found."""
        if not self._rough:
            return 0
        hits = [(found.start(), found[0].lower()) for found in self._rough.finditer(text)][:200]
        best, best_count = 0, 0
        for number, (start, _word) in enumerate(hits):
            within = {word for at, word in hits[number : number + 30] if at < start + SNIPPET_CHARS - _LEAD_CHARS}
            if len(within) > best_count:
                best, best_count = start + 1, len(within)
        return best


def plain_text(markdown: str) -> str:
    """Markdown on one line, without its marks."""
    return _BLANKS.sub(" ", _MARKDOWN.sub(" ", markdown)).strip()


def _rough(token: str) -> Iterator[str]:
    """What to look for to find a token quickly; the analyser decides afterwards."""
    yield token
    yield from (part for part in re.findall(r"[^\W\d_]{3,}|\d{3,}", token) if part != token)


def _cut(marker: Highlighter, text: str, hit: int) -> SafeString:
    start = 0
    if hit > _LEAD_CHARS:
        start = text.find(" ", hit - _LEAD_CHARS) + 1
        start = start if 0 < start <= hit else hit
    end = start + SNIPPET_CHARS
    if end < len(text):
        end = max(text.rfind(" ", hit, end), hit + 1)
    lead, rest = ("\u2026 " if start else ""), (" \u2026" if end < len(text) else "")
    return mark_safe(f"{lead}{marker.marked(text[start:end])}{rest}")  # noqa: S308 - escaped by `marked`
