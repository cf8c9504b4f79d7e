"""The analyser: one way to turn text into tokens, for the index and for queries, on every database.

Tokens hold lower-case letters, digits and `-._@#$/` only, so they can be quoted in any index syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from knowledge.codes import CodeKind, CodeMatch, codes_find

#: Longer runs are cut; no word, code or data set name is longer.
TOKEN_CHARS = 64

_CHAR = r"(?:[^\W_]|[$#@])"
_WORD = re.compile(rf"{_CHAR}+(?:[-._/]{_CHAR}+)*")
_PART = re.compile(rf"{_CHAR}+")
_FOREIGN = re.compile(r"[^\w.$#@/-]")
_DIGITS = re.compile(r"\d+")
_SUFFIXED_MESSAGE = re.compile(r"([a-z]+\d+)[a-z]")

#: Words that say nothing about a problem; neither indexed nor searched.
STOPWORDS = frozenset(
    word
    for line in (
        "a an and are as at be been but by can do does for from had has have how i if in into is it its me my of on or",
        "our so such than that the their them then there these they this to was we were what when where which who",
        "why will with you your",
    )
    for word in line.split()
)

#: Pairs that are written as one word as often as two.
PAIRS = {
    ("data", "set"): "dataset",
    ("data", "sets"): "dataset",
    ("time", "out"): "timeout",
    ("time", "outs"): "timeout",
    ("job", "log"): "joblog",
    ("dead", "lock"): "deadlock",
    ("roll", "back"): "rollback",
    ("check", "point"): "checkpoint",
}


class UnitKind(Enum):
    """What a unit is."""

    CODE = "code"
    WORD = "word"
    COMPOUND = "compound"


@dataclass(frozen=True, slots=True)
class Unit:
    """One word, compound or code of a text, at `text[start:end]`."""

    kind: UnitKind
    #: What a query looks for.
    token: str
    #: Further tokens that the index holds for it: parts of a compound, the number of a code.
    parts: tuple[str, ...]
    start: int
    end: int


def word_tokens(text: str) -> tuple[str, ...]:
    """The tokens of text without blanks and codes: a word with its signs."""
    if text.isascii() and text.isalnum():
        raw = text.lower()[:TOKEN_CHARS]
        return (stem(raw),) if _tells(raw) else ()
    found = filter(None, map(_word_unit, _WORD.finditer(text)))
    return tuple(token for unit in found for token in (unit.token, *unit.parts))


def _tells(raw: str) -> bool:
    """Whether a word in lower case can tell entries apart: no stop word, no single letter."""
    return raw not in STOPWORDS and (len(raw) > 1 or raw.isdigit())


def units(text: str) -> Iterator[Unit]:
    """The units of a text in order; stop words and single letters are left out."""
    position = 0
    for match in codes_find(text):
        yield from _words(text, position, match.start)
        yield code_unit(text, match)
        position = match.end
    yield from _words(text, position, len(text))


@lru_cache(maxsize=20_000)
def code_token(code: str) -> str:
    """The token of a code in canonical form."""
    return "".join(_token_chars(code))[:TOKEN_CHARS]


@lru_cache(maxsize=20_000)
def code_parts(code: str, kind: str) -> tuple[str, ...]:
    """What people type of a code besides the whole: its number, the message id without its type letter."""
    token = code_token(code)
    if kind == CodeKind.SYSTEM_ABEND or kind == CodeKind.USER_ABEND:
        return (token[1:],)
    if kind == CodeKind.MESSAGE:
        short = _SUFFIXED_MESSAGE.fullmatch(token)
        return (short[1],) if short else ()
    if kind == CodeKind.COMPILE:
        return (token.split("-")[0],)
    if kind == CodeKind.IMS_STATUS:
        return (token.removeprefix("ims"),)
    return tuple(_DIGITS.findall(token))


def code_unit(text: str, match: CodeMatch) -> Unit:
    """The unit of a code found in a text; the words around its number are parts ("file status 35")."""
    token, *parts = code_tokens(text[match.start : match.end], match.code, match.kind)
    return Unit(UnitKind.CODE, token, tuple(parts), match.start, match.end)


@lru_cache(maxsize=20_000)
def code_tokens(written: str, code: str, kind: str) -> tuple[str, ...]:
    """The token of a code and its parts, as they stand for what was written."""
    parts = code_parts(code, kind)
    token = code_token(code)
    words = [unit.token for unit in _words(written, 0, len(written))]
    return (token, *parts, *(word for word in words if word not in parts and word != token and word.isalpha()))


def _token_chars(text: str) -> Iterator[str]:
    for word in _WORD.finditer(text.replace(" -", "-").replace(" +", "")):
        yield folded(word[0])


def _words(text: str, start: int, end: int) -> Iterator[Unit]:
    pending: Unit | None = None
    for found in _WORD.finditer(text, start, end):
        unit = _word_unit(found)
        if unit is None:
            continue
        pair = pending and _paired(text, pending, unit)
        if pair:
            yield pair
            pending = None
            continue
        if pending:
            yield pending
        pending = unit
    if pending:
        yield pending


def _paired(text: str, first: Unit, second: Unit) -> Unit | None:
    """One unit for two words that belong together, when only a blank or line end is between them."""
    if second.start - first.end > 2 or not text[first.end : second.start].isspace():
        return None
    both = PAIRS.get((text[first.start : first.end].lower(), text[second.start : second.end].lower()))
    return Unit(UnitKind.WORD, both, (), first.start, second.end) if both else None


def _word_unit(found: re.Match[str]) -> Unit | None:
    raw = folded(found[0])[:TOKEN_CHARS]
    if not raw:
        return None
    parts = _PART.findall(raw)
    if len(parts) == 1:
        if not _tells(raw):
            return None
        return Unit(UnitKind.WORD, stem(raw), (), found.start(), found.end())
    if len(parts) == 2 and (pair := PAIRS.get((parts[0], parts[1]))):
        return Unit(UnitKind.WORD, pair, (), found.start(), found.end())
    kept = tuple(stem(part) for part in parts if len(part) > 1 and part not in STOPWORDS)
    together = "".join(parts)
    return Unit(UnitKind.COMPOUND, raw.strip("-._/"), (*kept, together), found.start(), found.end())


def compound_words(raw: str) -> list[str]:
    """The stems of a compound of plain words ("end-of-file"), which is often written without dashes.

    Empty for names and for compounds with numbers or single letters ("COMP-3", "I/O", "PAY.V1").
    """
    parts = _PART.findall(raw)
    words = [stem(part) for part in parts if len(part) > 2 and part not in STOPWORDS]
    return words if len(words) > 1 and all(part.isalpha() for part in parts) and "." not in raw else []


def folded(word: str) -> str:
    """Lower case, without the marks that lower case of some letters adds (\u0130)."""
    return word.lower() if word.isascii() else _FOREIGN.sub("", word.lower())


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The word without plural, -ed, -ing, final e and doubled end; -ise becomes -ize.

    Light on purpose: words of one family fall together, codes and names stay as they are.
    """
    if len(word) < 4 or not (word.isascii() and word.isalpha()):
        return word
    base = _without_ending(_singular(word))
    if len(base) > 3 and base.endswith("e"):
        base = base[:-1]
    if len(base) > 3 and base[-1] == base[-2]:
        base = base[:-1]
    if len(base) > 5 and base.endswith("is"):
        base = f"{base[:-1]}z"
    return "catalog" if base == "catalogu" else base


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _without_ending(word: str) -> str:
    for ending in ("ing", "ed"):
        base = word.removesuffix(ending)
        if base != word and len(base) >= 3 and not word.endswith("eed") and any(c in "aeiouy" for c in base):
            return base
    return word
