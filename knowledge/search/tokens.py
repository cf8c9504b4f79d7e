"""The tokens of a text, its words looked up: most texts have most of their words in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase

from knowledge.codes import CodeMatch, code_places, codes_find
from knowledge.remembered import remembered
from knowledge.search.analysis import PAIRS, code_tokens, stem, units, word_tokens

#: Words that are kept with their tokens, some 20 MB.
WORDS_KEPT = 100_000
#: Longer ones are no words: what anybody may send must not stay in memory.
WORD_CHARS_KEPT = 200

_FOREIGN_LETTER = re.compile(r"[^\W\x00-\x7f]")
_SPACE = re.compile(r"\s")
#: Blanks for what stands between words and in none, small letters for capitals; of bytes, which are replaced in a
#: tenth of the time of characters.
_BETWEEN = b"!\"%&'()*+,:;<=>?[\\]^`{|}~\t\n\v\f\r\x1c\x1d\x1e\x1f"
_PLAIN = bytes.maketrans(_BETWEEN + ascii_uppercase.encode(), b" " * len(_BETWEEN) + ascii_lowercase.encode())

_FIRSTS, _SECONDS = ("|".join(sorted(words)) for words in map(set, zip(*PAIRS, strict=True)))
_PAIR = re.compile(
    rf"(?<![A-Za-z0-9$#@])(?<![A-Za-z0-9$#@][-._/])({_FIRSTS})\s{{1,2}}"
    rf"({_SECONDS})(?![A-Za-z0-9$#@]|[-._/][A-Za-z0-9$#@])",
    re.IGNORECASE,
)
#: Where lower-case text may have one; much faster, and seldom wrong.
_MAY_PAIR = re.compile(rf"(?:{_FIRSTS})\s{{1,2}}(?:{_SECONDS})")

#: Where in a text a code may begin -> number and beginning of the word in which that is.
_Places = dict[int, tuple[int, int]]
#: A code or pair: where it starts and ends, and its tokens.
_Part = tuple[int, int, tuple[str, ...]]


class _LongWordError(Exception):
    """A text has something that is too long for a word."""


class _Words(dict[str, str]):
    """Text without blanks, a word with its signs -> its tokens with a blank between them.

    A dictionary is asked in half the time of lru_cache.
    """

    def __init__(self) -> None:
        super().__init__()
        #: Words in which a code may begin -> where.
        self.places: dict[str, tuple[int, ...]] = {}

    def __missing__(self, text: str) -> str:
        if len(text) > WORD_CHARS_KEPT:
            raise _LongWordError
        if places := code_places(text):
            self.places[text] = places
        bare = text.strip("-./")
        self[text] = found = " ".join(word_tokens(text)) if bare == text else self[bare] if bare else ""
        return found

    def all_of(self, text: str) -> Iterator[str]:
        """The tokens of each word of a text."""
        return map(self.__getitem__, text.split())


class _Memory:
    """The words that were looked up so far."""

    def __init__(self) -> None:
        self._words = _Words()

    def words(self) -> _Words:
        """For one text; when they are full there are new ones for the next."""
        if len(self._words) >= WORDS_KEPT:
            self._words = _Words()
        return self._words


_memory = _Memory()


def tokens(text: str) -> list[str]:
    """What the index holds for a text, in order, repetitions kept: the tokens of its `units`."""
    return tokens_joined(text).split()


@remembered
def tokens_joined(text: str) -> str:
    """The same with a blank between them."""
    text = text.replace("\0", " ")
    if text.isascii() or not _FOREIGN_LETTER.search(text):
        try:
            return _looked_up(text)
        except _LongWordError:
            pass
    return _tokens_of_units(text)


def _tokens_of_units(text: str) -> str:
    return " ".join(token for unit in units(text) for token in (unit.token, *unit.parts))


def _looked_up(text: str) -> str:
    words = _memory.words()
    spaced = _spaced(text)
    written = spaced.split()
    found = list(map(words.__getitem__, written))
    places = _places(spaced, written, words)
    codes = codes_find(text, places) if places else ()
    parts = [(start, end, code_tokens(text[start:end], code, kind)) for code, kind, start, end in codes]
    joined = _joined(found, spaced, parts, places, words)
    if any(map(joined.__contains__, _pairs_stemmed())) and (pairs := list(_pairs(text, codes))):
        number = before = 0
        for begin, _, _ in pairs:
            start = spaced.rfind(" ", 0, begin) + 1
            number += len(spaced[before:start].split())
            places[begin] = number, start
            before = start
        joined = _joined(found, spaced, sorted([*parts, *pairs]), places, words)
    return joined


def _spaced(text: str) -> str:
    """The text with a blank in the place of each character that is between words, and one behind.

    Words at the beginning and end of a sentence are the same as within it.
    """
    plain = text.encode("utf-8", "surrogatepass").translate(_PLAIN) + b" "
    spaced = plain.replace(b". ", b"  ").decode("utf-8", "surrogatepass")
    return spaced if text.isascii() else _SPACE.sub(" ", spaced)


def _places(spaced: str, written: Sequence[str], words: _Words) -> _Places:
    places: _Places = {}
    padded, start, number = f" {spaced}", 0, 0
    for word in filter(words.places.__contains__, written):
        number, start = written.index(word, number), padded.index(f" {word} ", start)
        for offset in words.places[word]:
            places[start + offset] = number, start
        number, start = number + 1, start + len(word)
    return places


def _joined(found: list[str], spaced: str, parts: Iterable[_Part], places: _Places, words: _Words) -> str:
    """The tokens of each word, those of parts in the place of the words, or pieces of words, that they are."""
    #: So many words are told, but for what is from `rest` to `end`: behind the last part, where another may be.
    told = rest = end = 0
    tokens: list[str] = []
    for begin, behind, part in parts:
        number, start = places[begin]
        if number >= told:
            if rest < end:
                tokens += words.all_of(spaced[rest:end])
            tokens += found[told:number]
            rest = start
        if rest < begin:
            tokens += words.all_of(spaced[rest:begin])
        tokens += part
        rest, end = behind, spaced.index(" ", behind)
        told = number + len(spaced[start:end].split())
    tokens += words.all_of(spaced[rest:end])
    tokens += found[told:]
    return " ".join(filter(None, tokens))


@lru_cache(maxsize=1)
def _pairs_stemmed() -> list[str]:
    return sorted({f"{stem(first)} {stem(second)}" for first, second in PAIRS})


def _pairs(text: str, codes: Iterable[CodeMatch]) -> Iterator[_Part]:
    """The pairs in what is between the codes."""
    position = 0
    for end, behind in (*((code.start, code.end) for code in codes), (len(text), len(text))):
        between = text[position:end]
        for near in _MAY_PAIR.finditer(between.lower()):
            found = _PAIR.match(between, near.start())
            if found and (word := PAIRS.get((found[1].lower(), found[2].lower()))):
                yield position + found.start(), position + found.end(), (word,)
        position = behind
