"""Titles and passages with the found words marked, as safe HTML."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape

from django.utils.safestring import SafeString

from knowledge.codes import codes_find
from knowledge.search.analysis import PAIRS, code_unit
from knowledge.search.query import Group
from knowledge.search.tokens import tokens

SNIPPET_CHARS = 240
#: How far before the first found word a passage may begin.
_LEAD_CHARS = 60
#: Found words of a text that are looked at for its best passage.
_HITS_READ = 60

#: What may stand between two words that are one.
_GAPS = (" ", "  ", "\n", " \n", "\n ")
#: What comes before the beginning of no word, and the rest of a word.
_BEFORE = re.compile(r"[^\W_]|[$#@]")
_REST = re.compile(r"(?:[^\W_]|[$#@])*(?:[-._/](?:[^\W_]|[$#@])+)*")

#: Marks at the beginning of a line of Markdown, and those that stand anywhere.
_LINE_MARK = re.compile(r"#{1,6}\s+|\s*[-*>]\s+")
_LINE_BEGINS = frozenset("#-*> \t")
_MARKS = str.maketrans("`*|", "   ")


class Highlighter:
    """Marks what a query found; made once per search."""

    def __init__(self, groups: Sequence[Group]) -> None:
        alternatives = [one for group in groups for one in group.alternatives]
        self._exact = {one.token for one in alternatives if not one.prefix}
        self._prefixes = tuple(one.token for one in alternatives if one.prefix)
        #: Words that stand in texts -> whether they are marked.
        self._words: dict[str, bool] = {}
        #: What such a word begins with, in lower case; the analyser decides afterwards.
        begin = {part for token in (*self._exact, *self._prefixes) for part in _beginnings(token)}
        self._begin = sorted(begin, key=len)

    def marked(self, text: str) -> SafeString:
        """The text, escaped, with <mark> around every found word."""
        pieces: list[str] = []
        position = 0
        for start, end in self._hits(text):
            pieces += [escape(text[position:start]), f"<mark>{escape(text[start:end])}</mark>"]
            position = end
        pieces.append(escape(text[position:]))
        return SafeString("".join(pieces))  # every piece is escaped above

    def snippet(self, texts: Sequence[str]) -> SafeString:
        """The passage with the most different found words, from the first text that has one."""
        for text in texts:
            if start := self._best_start(text):
                return self._cut(text, start - 1)
        return self._cut(texts[0] if texts else "", 0)

    def _hits(self, text: str) -> list[tuple[int, int]]:
        """Where the found words are, in order."""
        rough = self._rough(text)
        found = [(start, end) for start, end, word in rough if self._is_hit(word)]
        # A code can take several words ("file status '35'"), which are no hits one by one.
        return found or (list(self._code_hits(text)) if rough else [])

    def _rough(self, text: str) -> list[tuple[int, int, str]]:
        """The words of a text that may be hits, in order."""
        found: list[tuple[int, int, str]] = []
        end = 0
        for start, least in sorted(self._places(_lower(text)).items()):
            if start >= end and (rest := _REST.match(text, least)):
                end = rest.end()
                found.append((start, end, text[start:end]))
        return found

    def _places(self, lower: str) -> dict[int, int]:
        """Where a word may be a hit, and where its known beginning ends."""
        places: dict[int, int] = {}
        for begin in self._begin:
            at = lower.find(begin)
            while at >= 0:
                end = at + len(begin)
                if not at or not _BEFORE.match(lower, at - 1):
                    places[at] = end
                at = lower.find(begin, end)
        return places

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
        hits = [(start, word.lower()) for start, _, word in self._rough(text)[:_HITS_READ]]
        if len(hits) == 1:
            return hits[0][0] + 1
        best, best_count, last = 0, 0, 0
        within: Counter[str] = Counter()
        for start, word in hits:
            while last < len(hits) and hits[last][0] < start + SNIPPET_CHARS - _LEAD_CHARS:
                within[hits[last][1]] += 1
                last += 1
            if len(within) > best_count:
                best, best_count = start + 1, len(within)
            within[word] -= 1
            if not within[word]:
                del within[word]
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
        return SafeString(f"{lead}{self.marked(passage)}{rest}")  # escaped by `marked`


def plain_text(markdown: str) -> str:
    """Markdown on one line, without its marks."""
    lines = (_LINE_MARK.sub("", line, count=1) if line[:1] in _LINE_BEGINS else line for line in markdown.split("\n"))
    return " ".join(" ".join(line for line in lines if not line.startswith("```")).translate(_MARKS).split())


def _lower(text: str) -> str:
    """The text in lower case, as long as it was."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(char.lower()[:1] for char in text)


def _beginnings(token: str) -> Iterator[str]:
    """How words with a token begin."""
    yield token.removesuffix("y") if len(token) > 4 else token  # "entry", "entries"
    yield from (part for part in re.findall(r"[^\W\d_]{3,}|\d{2,}", token) if part != token)
    if token.startswith("s0c"):
        yield from (f"{first}{zero}c{token[3:]}" for first in ("", "s", "s ", "s-") for zero in "0o")
    yield from (f"{first}{gap}{second}" for (first, second), both in PAIRS.items() if both == token for gap in _GAPS)
