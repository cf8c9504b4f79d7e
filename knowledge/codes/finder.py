"""Finding codes: one pass over a text with all forms of the table at once, tried where a code may begin."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from string import ascii_lowercase
from typing import NamedTuple

from knowledge.codes.table import FORMS, CodeForm, CodeKind, bounded
from knowledge.remembered import remembered

#: A code is shorter than this, context words included; longer input is no single code.
CODE_TEXT_CHARS = 64
#: Longest canonical form that the database keeps.
CODE_CHARS = 32

#: Letters as capitals, every dash and minus as "-", every blank as a space, curly quotes straight, what Asian
#: keyboards write in full width as ASCII: one character for one, so positions in the plain text are positions in
#: the text.
_PLAIN = str.maketrans(
    {chr(code): chr(code - 0xFEE0).upper() for code in range(0xFF01, 0xFF5F)}
    | {letter: letter.upper() for letter in ascii_lowercase}
    | dict.fromkeys(
        "\u00ad\u02d7\u058a\u1806\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u207b\u208b\u2212\u2796\u2e3a\u2e3b"
        "\ufe58\ufe63\uff0d",
        "-",
    )
    | dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f\u3000\t", " ")
    | dict.fromkeys("\u2018\u2019\u201a\u2032`", "'")
    | dict.fromkeys("\u201c\u201d\u201e", '"')
)

_RUNNING = tuple(form for form in FORMS if not form.whole)
#: All of them; the empty group at the end of each tells which one was found.
_ANYWHERE = re.compile(bounded("|".join(f"{form.pattern}()" for form in _RUNNING)), re.ASCII)

#: What may stand where a code begins, between characters that belong to no name.
_RUN = re.compile(r"[A-Z0-9@#$_]+")
_NAME_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@#$_")
#: Words, with the signs around them, at which no code can begin, which most are; so many are kept.
_PLAIN_WORDS: set[str] = set()
WORDS_KEPT = 100_000
#: Longer ones are no words and looked at each time: what anybody may send must not stay in memory.
WORD_CHARS_KEPT = 200
#: So many different beginnings are looked for one by one; more in one pass, which never takes longer than the text.
RUNS_LOOKED_FOR = 64
#: Words with which a form begins that goes on after a blank or another sign.
_INTRODUCTIONS = frozenset(
    [
        "ABEND",
        "ABENDED",
        "COMPLETION",
        "DB2",
        "DL",
        "DLI",
        "FILE",
        "FS",
        "IMS",
        "MQ",
        "MQRC",
        "PCB",
        "R15",
        "RC",
        "REASON",
        "REASONCODE",
        "RETURN",
        "S",
        "SQL",
        "SQLCODE",
        "STATUS",
        "SYSTEM",
        "USER",
        "VSAM",
    ]
)
#: The same for runs with a number in them ("RC08 FDBK(28)", "IGYPS2121-S").
_BEGINNINGS = (*sorted(_INTRODUCTIONS), "IGY")


def _forms_by_group() -> dict[int, CodeForm]:
    """Each form by the number of the empty group behind it in the joined pattern."""
    return dict(zip(accumulate(form.regex.groups + 1 for form in _RUNNING), _RUNNING, strict=True))


_FORM_OF_GROUP = _forms_by_group()


@dataclass(frozen=True)
class Code:
    """A code in canonical form (`S0C7`, `SQLCODE -803`, `FS 35`) and what sort of code it is."""

    code: str
    kind: str


class CodeMatch(NamedTuple):
    """A code found in a text, at `text[start:end]`."""

    code: str
    kind: str
    start: int
    end: int


@remembered
def codes_find(text: str, places: Collection[int] | None = None) -> tuple[CodeMatch, ...]:
    """The codes in a running text, in order, without overlaps.

    `places`: where one may begin, in order, from a caller who has asked `code_places` for each of its words already.
    """
    plain = _plain(text)
    return tuple(_matches(plain, sorted(_beginnings(plain)) if places is None else places))


def _plain(text: str) -> str:
    if text.isascii():
        return text.upper().replace("\t", " ").replace("`", "'")
    return text.translate(_PLAIN)


def code_places(words: str) -> tuple[int, ...]:
    """Where in a text without blanks a code may begin: at some of its runs of name characters, at a sign before them."""
    plain = _plain(words)
    if plain.isascii() and plain.isalnum():
        return (0,) if _begins_code(plain) else ()
    return tuple(_all_found(plain, {run for run in _RUN.findall(plain) if _begins_code(run)}))


def _matches(plain: str, places: Iterable[int]) -> Iterator[CodeMatch]:
    """Tries the joined pattern only where a code may begin, which is at few of the runs of a text."""
    end = 0
    for start in places:
        if start >= end and (found := _ANYWHERE.match(plain, start)):
            end = found.end()
            form = _FORM_OF_GROUP[found.lastindex or 0]
            if exact := form.regex.match(plain, start):
                yield CodeMatch(form.canonical(exact), form.kind, start, end)


def _beginnings(plain: str) -> Iterator[int]:
    """Places where a code may begin: at some runs, and at a sign before them."""
    runs = {run for words in set(plain.split()) - _PLAIN_WORDS for run in _beginning_runs(words)}
    return _each_found(plain, runs) if len(runs) <= RUNS_LOOKED_FOR else _all_found(plain, runs)


def _all_found(plain: str, runs: Collection[str]) -> Iterator[int]:
    for run in _RUN.finditer(plain):
        if run[0] in runs:
            start = run.start()
            if plain[start - 1 : start] == "-":
                yield start - 1
            yield start


def _each_found(plain: str, runs: Collection[str]) -> Iterator[int]:
    for run in runs:
        start = plain.find(run)
        while start >= 0:
            end = start + len(run)
            if plain[end : end + 1] not in _NAME_CHARS:
                before = plain[start - 1 : start]
                if before == "-":
                    yield start - 1
                if before not in _NAME_CHARS:
                    yield start
            start = plain.find(run, end)


def _beginning_runs(words: str) -> tuple[str, ...]:
    """The runs of a text without blanks at which a code may begin; texts without one are kept for next time."""
    if len(words) > WORD_CHARS_KEPT:
        return tuple(filter(_begins_code, _RUN.findall(words)))
    runs = _runs_kept(words)
    if not runs:
        if len(_PLAIN_WORDS) >= WORDS_KEPT:
            _PLAIN_WORDS.clear()
        _PLAIN_WORDS.add(words)
    return runs


@lru_cache(maxsize=20_000)
def _runs_kept(words: str) -> tuple[str, ...]:
    return tuple(filter(_may_begin, _RUN.findall(words)))


@lru_cache(maxsize=20_000)
def _may_begin(run: str) -> bool:
    return _begins_code(run)


def _begins_code(run: str) -> bool:
    """Whether a code can begin with this run of name characters: it is one, or it introduces one."""
    if run in _INTRODUCTIONS or _ANYWHERE.match(run) or (run[0].isdigit() and _ANYWHERE.match(f"-{run}")):
        return True
    return run.startswith(_BEGINNINGS) and any(char.isdigit() for char in run)


def code_normalize(text: str) -> Code | None:
    """The code that the whole of `text` names, if it names one."""
    plain = _plain(text).strip(" \r\n\t.,;:!?'\"()[]")
    if not plain or len(plain) > CODE_TEXT_CHARS:
        return None
    for form in FORMS:
        found = form.regex.fullmatch(plain)
        if found:
            return Code(form.canonical(found), form.kind)
    return None


def code_given(text: str) -> Code | None:
    """The code that a person entered as one: canonical when known, else as typed in capitals.

    None when nothing is left of it or it is longer than the database keeps.
    """
    known = code_normalize(text)
    if known:
        return known
    typed = " ".join(text.replace("\0", "").upper().split())
    return Code(typed, CodeKind.OTHER) if 0 < len(typed) <= CODE_CHARS else None
