"""The stored HTML of an entry made ready to read: headings with addresses, parts, codes as links.

It takes what knowledge.markdown lets through and nothing else: balanced elements, text escaped,
attributes in double quotes. The stored HTML stays as it is, so a new code or address needs no new rendering.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape, unescape

from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify

from knowledge.codes import codes_find

#: Ids of headings begin with this, so that no title can take the id of something else on the page.
ID_PREFIX = "s-"
#: Headings that a table of contents shows.
LISTED_LEVELS = (2, 3)
#: Headings of parts whose points are steps to do one after the other, as a run-sheet ticks them off.
STEP_HEADINGS = frozenset({"diagnose", "diagnosis", "fix", "resolution", "steps", "what-to-do", "workaround"})

_TAG = re.compile(r'(<[^<>"]*(?:"[^"]*"[^<>"]*)*>)')
_NAME = re.compile(r"</?([a-z0-9]+)")
_ALONE = frozenset({"br", "hr"})
#: No link inside: it would be copied with a listing, or stand inside another link.
_UNLINKED = frozenset({"a", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})


@dataclass(frozen=True)
class Heading:
    """A heading and the id under which the page has it."""

    id: str
    text: str
    level: int


@dataclass(frozen=True)
class ReadingText:
    """HTML ready to print, and its headings in order."""

    html: SafeString
    headings: tuple[Heading, ...]


@dataclass
class _Reader:
    """One pass over the tokens."""

    links: Mapping[str, str]
    prefix: str
    out: list[str] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    ids: Counter[str] = field(default_factory=Counter)
    open: list[str] = field(default_factory=list)
    #: Codes linked since the last heading: each is a link once a part.
    linked: set[str] = field(default_factory=set)
    in_part: bool = False


def reading_text(html: str, links: Mapping[str, str], *, prefix: str = ID_PREFIX) -> ReadingText:
    """The HTML with ids on headings, a <section> for each part, and the codes of `links` as links.

    `links` has the address of each canonical code that has a page. Two texts on one page need two prefixes.
    """
    reader = _Reader(links, prefix)
    tokens = iter(_TAG.split(html))
    for token in tokens:
        if not token.startswith("<"):
            reader.out.append(token if _UNLINKED.intersection(reader.open) else _linked(reader, token))
        elif re.match(r"<h[1-6]>", token):
            _heading(reader, int(token[2]), _until(tokens, f"</{token[1:3]}>"))
        else:
            _nested(reader, token)
            reader.out.append(token)
    if reader.in_part:
        reader.out.append("</section>")
    # Pieces of clean HTML, ids made of letters and digits, escaped addresses.
    return ReadingText(mark_safe("".join(reader.out)), tuple(reader.headings))  # noqa: S308


def _until(tokens: Iterator[str], end: str) -> list[str]:
    inner = []
    for token in tokens:
        if token == end:
            break
        inner.append(token)
    return inner


def _nested(reader: _Reader, token: str) -> None:
    found = _NAME.match(token)
    name = found[1] if found else ""
    if token.startswith("</"):
        if reader.open and reader.open[-1] == name:
            reader.open.pop()
    elif name not in _ALONE:
        reader.open.append(name)


def _heading(reader: _Reader, level: int, inner: list[str]) -> None:
    text = unescape("".join(piece for piece in inner if not piece.startswith("<"))).strip()
    name = slugify(text)[:60] or "part"
    reader.ids[name] += 1
    anchor = f"{reader.prefix}{name}" + (f"-{reader.ids[name]}" if reader.ids[name] > 1 else "")
    reader.linked.clear()
    if not reader.open:
        if level <= LISTED_LEVELS[0]:
            _part(reader, steps=name in STEP_HEADINGS)
        if level in LISTED_LEVELS:
            reader.headings.append(Heading(anchor, text, level))
    reader.out.append(f'<h{level} id="{anchor}">{"".join(inner)}</h{level}>')


def _part(reader: _Reader, *, steps: bool) -> None:
    if reader.in_part:
        reader.out.append("</section>")
    reader.out.append(f'<section class="part{" part--steps" if steps else ""}">')
    reader.in_part = True


def _linked(reader: _Reader, token: str) -> str:
    text, done, pieces = unescape(token), 0, []
    for match in codes_find(text):
        url = reader.links.get(match.code)
        if url is None or match.code in reader.linked:
            continue
        reader.linked.add(match.code)
        inside = escape(text[match.start : match.end], quote=False)
        pieces += [
            escape(text[done : match.start], quote=False),
            f'<a class="codelink" href="{escape(url)}">{inside}</a>',
        ]
        done = match.end
    return "".join([*pieces, escape(text[done:], quote=False)]) if pieces else token
