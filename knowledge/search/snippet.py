"""Titles and passages with the found words marked, as safe HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import islice

from django.utils.safestring import SafeString, mark_safe

from knowledge.codes import codes_find
from knowledge.search.analysis import PAIRS, code_unit, tokens
from knowledge.search.query import Group

SNIPPET_CHARS = 240
#: How far before the first found word a passage may begin.
_LEAD_CHARS = 60
#: Found words of a text that are looked at for its best passage.
_HITS_READ = 60

#: Where a word begins, and the rest of it.
_BEGIN = r"(?<![^\W_])(?<![$#@])"
_END = r"(?:[^\W_]|[$#@])*(?:[-._/](?:[^\W_]|[$#@])+)*"

_MARKDOWN = re.compile(r"^```.*$|^#{1,6}\s+|^\s*[-*>]\s+|[`*]{1,3}|\|", re.MULTILINE)
_BLANKS = re.compile(r"\s+")


class Highlighter:
    """Marks what a query found; made once per search."""

    def __init__(self, groups: Sequence[Group]) -> None:
        alternatives = [one for group in groups for one in group.alternatives]
        self._exact = {one.token for one in alternatives if not one.prefix}
        self._prefixes = tuple(one.token for one in alternatives if one.prefix)
        #: Words that stand in texts -> whether they are marked.
        self._words: dict[str, bool] = {}
        rough = sorted({part for token in (*self._exact, *self._prefixes) for part in _rough(token)})
        self._rough = re.compile(rf"{_BEGIN}(?:{'|'.join(rough)}){_END}", re.IGNORECASE) if rough else None

    def marked(self, text: str) -> SafeString:
        """The text, escaped, with <mark> around every found word."""
        pieces: list[str] = []
        position = 0
        for start, end in self._hits(text):
            pieces += [escape(text[position:start]), f"<mark>{escape(text[start:end])}</mark>"]
            position = end
        pieces.append(escape(text[position:]))
        return mark_safe("".join(pieces))  # noqa: S308 - every piece is escaped above

    def snippet(self, texts: Sequence[str]) -> SafeString:
        """The passage with the most different found words, from the first text that has one."""
        for text in texts:
            if start := self._best_start(text):
                return self._cut(text, start - 1)
        return self._cut(texts[0] if texts else "", 0)

    def _hits(self, text: str) -> Iterable[tuple[int, int]]:
        """Where the found words are, in order."""
        if not self._rough:
            return []
        found = [(hit.start(), hit.end(), hit[0]) for hit in self._rough.finditer(text)]
        # A code can take several words ("file status '35'"), which are no hits one by one.
        return [(start, end) for start, end, word in found if self._is_hit(word)] or (
            self._code_hits(text) if found else []
        )

    def _code_hits(self, text: str) -> Iterator[tuple[int, int]]:
        for match in codes_find(text):
            unit = code_unit(text, match)
            if any(map(self._wanted, (unit.token, *unit.parts))):
                yield match.start, match.end

    def _is_hit(self, word: str) -> bool:
        hit = self._words.get(word)
        if hit is None:
            hit = self._words[word] = any(map(self._wanted, tokens(word)))
        return hit

    def _wanted(self, token: str) -> bool:
        return token in self._exact or token.startswith(self._prefixes)

    def _best_start(self, text: str) -> int:
        """1 + where the best passage begins; 0 when nothing is found."""
        if not self._rough:
            return 0
        hits = [(found.start(), found[0].lower()) for found in islice(self._rough.finditer(text), _HITS_READ)]
        best, best_count = 0, 0
        for number, (start, _word) in enumerate(hits):
            within = {word for at, word in hits[number : number + 30] if at < start + SNIPPET_CHARS - _LEAD_CHARS}
            if len(within) > best_count:
                best, best_count = start + 1, len(within)
        return best

    def _cut(self, text: str, hit: int) -> SafeString:
        """The passage around a place of a Markdown text."""
        begin = max(0, hit - _LEAD_CHARS)
        begin = text.find(" ", begin, hit) + 1 or hit if begin else 0
        rest = text[hit : hit + 2 * SNIPPET_CHARS]
        passage = plain_text(f"{text[begin:hit]}{rest}")
        ends = len(passage) > SNIPPET_CHARS
        if ends:
            passage = passage[: max(passage.rfind(" ", 0, SNIPPET_CHARS), SNIPPET_CHARS // 2)]
        more = ends or hit + len(rest) < len(text)
        lead, rest = ("\u2026 " if begin else ""), (" \u2026" if more else "")
        return mark_safe(f"{lead}{self.marked(passage)}{rest}")  # noqa: S308 - escaped by `marked`


def plain_text(markdown: str) -> str:
    """Markdown on one line, without its marks."""
    return _BLANKS.sub(" ", _MARKDOWN.sub(" ", markdown)).strip()


def _rough(token: str) -> Iterator[str]:
    """Patterns of how words with a token begin; the analyser decides afterwards."""
    yield re.escape(token.removesuffix("y") if len(token) > 4 else token)  # "entry", "entries"
    yield from (part for part in re.findall(r"[^\W\d_]{3,}|\d{2,}", token) if part != token)
    if token.startswith("s0c"):
        yield f"s?[ -]?[0o]c{re.escape(token[3:])}"
    yield from (rf"{first}\s{{1,2}}{second}" for (first, second), both in PAIRS.items() if both == token)
