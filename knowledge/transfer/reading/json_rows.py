"""Rows of JSON: a list of objects, the object of sections `{"kbEntries": [...]}`, or an object a line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from json import JSONDecoder
from pathlib import Path
from typing import Any, NoReturn

from knowledge.errors import ImportTooLargeError, ImportUnreadableError
from knowledge.transfer.limits import Limits
from knowledge.transfer.reading.rows import ENTRIES, SourceRow, column_named
from knowledge.transfer.reading.text import lines_bounded, text_opened

#: Sections by the names that exports give them.
SECTIONS = {
    "kbentries": ENTRIES,
    "kb_entries": ENTRIES,
    "entries": ENTRIES,
    "analytics": "analytics",
    "codeanalysis": "codeanalysis",
    "code_analysis": "codeanalysis",
    "templates": "templates",
    "idzprojects": "idz",
    "idz_projects": "idz",
    "settings": "settings",
}
_CHUNK = 256 * 1024


def json_rows(path: Path, encoding: str, limits: Limits) -> Iterator[SourceRow]:
    """The objects of a JSON file, one at a time; a row's number is its place in its list."""
    with text_opened(path, encoding, "JSON") as file:
        stream = _Stream(file, limits.row_chars)
        sign = stream.sign()
        if sign == "[":
            yield from _listed(stream, ENTRIES)
        elif sign == "{":
            yield from _sections(stream)
        else:
            _refuse("it is neither a list of objects nor an object")
        if stream.sign():
            _refuse("something follows after its end")


def jsonl_rows(path: Path, encoding: str, limits: Limits) -> Iterator[SourceRow]:
    """The objects of a file that has one on each line; a row's number is its line."""
    with text_opened(path, encoding, "JSONL") as file:
        for number, line in enumerate(lines_bounded(file, limits.row_chars), start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line, parse_constant=_constant)
            except RecursionError as error:
                raise ImportUnreadableError(format="JSONL", reason=f"line {number:,} is nested too deep.") from error
            except ValueError as error:
                raise ImportUnreadableError(format="JSONL", reason=f"line {number:,}: {error}.") from error
            yield _row(number, ENTRIES, value)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _refuse(reason: str) -> NoReturn:
    raise ImportUnreadableError(format="JSON", reason=f"{reason}.")


def _row(number: int, section: str, value: Any) -> SourceRow:
    if not isinstance(value, dict):
        return SourceRow(number, section, {}, f"this is no object but {json.dumps(value, default=str)[:40]}")
    return SourceRow(number, section, {column_named(name): item for name, item in value.items()})


class _Stream:
    """JSON text read as far as the next value needs; no value may be longer than a row."""

    def __init__(self, file: io.TextIOWrapper, most_chars: int) -> None:
        self.file, self.most_chars = file, most_chars
        self.text, self.at, self.ended = "", 0, False
        #: Of the value that was read last.
        self.value_chars = 0
        self.decoder = JSONDecoder(parse_constant=_constant)

    def sign(self) -> str:
        """The next character that is no blank, which stays; empty at the end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in " \t\r\n\ufeff":
                    return self.text[self.at]
                self.at += 1
            if not self._more():
                return ""

    def take(self, *expected: str) -> str:
        """Read one sign that must be one of these."""
        sign = self.sign()
        if sign not in expected or not sign:
            _refuse(f"“{expected[0]}” was expected and {f'“{sign}”' if sign else 'the end of the file'} was found")
        self.at += 1
        return sign

    def value(self) -> Any:
        """Read one value."""
        self.sign()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
            except RecursionError as error:
                raise ImportUnreadableError(format="JSON", reason="it is nested too deep.") from error
            except ValueError as error:
                self._longer(error)
                continue
            if end == len(self.text) and self._more():
                continue  # a number may go on
            self.value_chars, self.at = end - self.at, end
            return value

    def _longer(self, error: ValueError) -> None:
        if len(self.text) - self.at > self.most_chars:
            raise ImportTooLargeError(found=f"an object of more than {self.most_chars:,} characters", most="that")
        if not self._more():
            raise ImportUnreadableError(format="JSON", reason=f"it is cut off or damaged: {_plain(error)}.") from error

    def _more(self) -> bool:
        """Read on; what was read before the current place is forgotten. The buffer doubles, so that a long
        value is not tried again for every small piece of it."""
        if self.ended:
            return False
        rest = self.text[self.at :]
        piece = self.file.read(max(_CHUNK, len(rest)))
        self.text, self.at, self.ended = rest + piece, 0, not piece
        return bool(piece)


def _plain(error: ValueError) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def _listed(stream: _Stream, section: str) -> Iterator[SourceRow]:
    stream.take("[")
    if stream.sign() == "]":
        stream.take("]")
        return
    number = 0
    while True:
        number += 1
        yield _row(number, section, stream.value())
        if stream.take(",", "]") == "]":
            return


def _sections(stream: _Stream) -> Iterator[SourceRow]:
    """Rows of every list in an object; an object without lists of sections is itself one entry."""
    own = _Own(stream)
    stream.take("{")
    if stream.sign() == "}":
        stream.take("}")
        return
    while True:
        name = stream.value()
        if not isinstance(name, str):
            _refuse("a name was expected")
        stream.take(":")
        section = SECTIONS.get(column_named(name))
        if section and stream.sign() == "[":
            own.alone = False
            yield from _listed(stream, section)
        else:
            value = stream.value()
            own.keep(name, value)
            if section:
                own.alone = False
                yield from _one(section, value)
        if stream.take(",", "}") == "}":
            break
    if own.alone:
        yield from _single(own.whole())


class _Own:
    """What an object has before its first section: without any it is one entry, which is no longer than a row."""

    def __init__(self, stream: _Stream) -> None:
        self.stream, self.values, self.chars, self.alone = stream, dict[str, Any](), 0, True

    def keep(self, name: str, value: Any) -> None:
        """Keep the value that was read last; none of them when they are too long together."""
        self.chars += len(name) + self.stream.value_chars
        if self.alone and self.chars <= self.stream.most_chars:
            self.values[name] = value
        else:
            self.values.clear()

    def whole(self) -> dict[str, Any]:
        """All of them. Raises ImportTooLargeError."""
        if self.chars > self.stream.most_chars:
            found = f"an object of more than {self.stream.most_chars:,} characters"
            raise ImportTooLargeError(found=found, most="that")
        return self.values


def _one(section: str, value: Any) -> Iterator[SourceRow]:
    """A section that is no list."""
    if section == ENTRIES:
        _refuse("the entries are not a list")
    yield _row(1, section, value if isinstance(value, dict) else {"value": value})


def _single(own: dict[str, Any]) -> Iterator[SourceRow]:
    if "title" not in {column_named(name) for name in own}:
        _refuse(f"it has no “kbEntries”; its parts are {', '.join(sorted(own))[:200] or 'none'}")
    yield _row(1, ENTRIES, own)
