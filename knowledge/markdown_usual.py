"""HTML of the Markdown that most texts keep to, made without the parser, in a fraction of its time.

Paragraphs, headings, flat lists, plain fences and indented code. Whatever else a text holds is left to the
parser, so that every text has the HTML that the parser gives it; a test holds both against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable

#: Signs and blanks that the parser or the cleaner changes, definitions of links.
_ODD = re.compile(r"[^\S \n]|[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff]|\]:")
#: What begins a block of its own, wherever a line begins.
_BLOCK = re.compile(r"[-+*](?: |$)|\d{1,9}[.)](?: |$)|#{1,6}(?: |$)|>|```|~~~")
#: A rule, an underline of a heading, the second line of a table, an empty item.
_SIGNS = re.compile(r"[-=*_+|: ]+$")
_ITEM = re.compile(r"(?:([-*+])|(\d{1,9})\.) (?=[^ ])")
_HEADING = re.compile(r"(#{1,6}) +([^ ].*)")
#: What may mean something inside a line, besides a code span.
_MARKS = re.compile(r"[*_\[\]\\~]|``|&[#\w]|<[\w/!?]")
_STRONG = re.compile(r"(?<![^ \n])\*\*([A-Za-z0-9](?:[^*_\[\]\\~&<>]*[A-Za-z0-9])?)\*\*(?![^ \n.,:;])")
#: Signs that begin no mark: between letters, before blanks.
_LONE = re.compile(r"(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])|\*+(?=[ \n])")
_INDENT = re.compile(r"\n +")
_FENCE_END = re.compile(r" {0,3}`{3,} *$")
_CODE_INDENT = 4
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class _UnusualError(Exception):
    """The text holds something that is left to the parser."""


def usual_html(text: str, inline: Callable[[str], str]) -> str | None:
    """The clean HTML of a text; None when the parser has to be asked.

    `inline` gives the clean HTML of the inside of one block, where there are marks in it.
    """
    if _ODD.search(text):
        return None
    try:
        return _Blocks(text, inline).html()
    except _UnusualError:
        return None


class _Blocks:
    """The lines of a text, and how far they are read."""

    def __init__(self, text: str, inline: Callable[[str], str]) -> None:
        self.lines, self.inline = text.split("\n"), inline
        self.at = 0

    def html(self) -> str:
        found = []
        while self.at < len(self.lines):
            found.append(self._block(self.lines[self.at]))
        return "".join(found)

    def _block(self, line: str) -> str:
        bare = line.lstrip(" ")
        if not bare:
            self.at += 1
            return ""
        if len(line) - len(bare) >= _CODE_INDENT:
            return self._code()
        if line == "```":
            return self._fence()
        if heading := _HEADING.fullmatch(line):
            return self._heading(heading)
        if item := _ITEM.match(line):
            return self._list(item)
        _refuse_block(bare)
        self.at += 1
        return f"<p>{self._inside(self._paragraph(bare, 0))}</p>\n"

    def _heading(self, found: re.Match[str]) -> str:
        self.at += 1
        text = found[2].rstrip(" ")
        if text.endswith("#"):
            raise _UnusualError
        level = len(found[1])
        return f"<h{level}>{self._inside(text)}</h{level}>\n"

    def _fence(self) -> str:
        start = self.at + 1
        end = next((at for at in range(start, len(self.lines)) if _FENCE_END.match(self.lines[at])), None)
        if end is None and self.lines[-1].isspace():
            raise _UnusualError
        text = "\n".join(self.lines[start:end])
        self.at = len(self.lines) if end is None else end + 1
        last = "\n" if end is not None and end > start else ""
        return f"<pre><code>{text.translate(_ESCAPED)}{last}</code></pre>\n"

    def _code(self) -> str:
        found = []
        while self.at < len(self.lines) and self._indented():
            found.append(self.lines[self.at][_CODE_INDENT:])
            self.at += 1
        self._skip_blank_lines()
        if self.at < len(self.lines) and self._indented():
            raise _UnusualError
        text = "\n".join(found).translate(_ESCAPED)
        return f"<pre><code>{text}\n</code></pre>\n"

    def _indented(self) -> bool:
        line = self.lines[self.at]
        return line.startswith(" " * _CODE_INDENT) and not line.isspace()

    def _skip_blank_lines(self) -> bool:
        start = self.at
        while self.at < len(self.lines) and not self.lines[self.at].strip(" "):
            self.at += 1
        return self.at > start

    def _list(self, item: re.Match[str]) -> str:
        sign, number, found = item[1], item[2], []
        opened = "ul" if sign else "ol" if int(number) == 1 else f'ol start="{int(number)}"'
        while self.at < len(self.lines):
            line = self.lines[self.at]
            here = _ITEM.match(line)
            if here is None or here[1] != sign:  # another sign begins another list
                break
            bare = line[here.end() :]
            _refuse_block(bare)
            self.at += 1
            found.append(f"<li>{self._inside(self._paragraph(bare, here.end()))}</li>\n")
            if self._skip_blank_lines():
                self._list_over(sign)
                break
        return f"<{opened}>\n{''.join(found)}</{opened[:2]}>\n"

    def _list_over(self, sign: str | None) -> None:
        """After a blank line only what begins a line and is no item of the list does not belong to it."""
        if self.at < len(self.lines):
            line = self.lines[self.at]
            item = _ITEM.match(line)
            if line[0] == " " or (item and item[1] == sign):
                raise _UnusualError

    def _paragraph(self, first: str, width: int) -> str:
        """The text that begins with `first` and goes on in the next lines; `width` is that of the item around it."""
        found = [first]
        while self.at < len(self.lines):
            line = self.lines[self.at]
            bare = line.lstrip(" ")
            indent = len(line) - len(bare)
            if not bare or self._ends_paragraph(bare, indent, width):
                break
            found.append(line[min(indent, width) :])
            self.at += 1
        text = "\n".join(found)
        # Blanks at the end of a line can break it.
        if " \n" in text or text.endswith(" "):
            raise _UnusualError
        return text

    def _ends_paragraph(self, bare: str, indent: int, width: int) -> bool:
        if _SIGNS.match(bare):
            raise _UnusualError
        if indent >= width + _CODE_INDENT or not (block := _BLOCK.match(bare)):
            return False
        if indent:
            raise _UnusualError
        number = block[0].rstrip(" ")[:-1]
        # A list that follows a text begins with 1; inside a list, any item ends the text.
        return bool(width or not number.isdigit() or int(number) == 1)

    def _inside(self, text: str) -> str:
        """The inside of a block: text, code, text, code ...; a last sign without its second one stays as it is."""
        parts = text.split("`")
        plain = [*parts[:-1:2], f"{parts[-1]} "]
        if "``" in text or any(map(_marked, plain)):
            return self.inline(text)
        parts = text.translate(_ESCAPED).split("`")
        single = f"`{_text(parts.pop())}" if len(parts) % 2 == 0 else ""
        return "".join(_span(part) if number % 2 else _text(part) for number, part in enumerate(parts)) + single


def _marked(text: str) -> bool:
    """Whether a text without code holds what may be a mark; words in ** and signs that stand alone are known."""
    if not _MARKS.search(text):
        return False
    return _MARKS.search(_LONE.sub(" ", _STRONG.sub(" ", _INDENT.sub("\n", text)))) is not None


def _text(text: str) -> str:
    """Blanks before a line are no part of a text, unlike in code."""
    if "\n " in text:
        text = _INDENT.sub("\n", text)
    return _STRONG.sub(r"<strong>\1</strong>", text) if "**" in text else text


def _span(code: str) -> str:
    code = code.replace("\n", " ")
    if code[0] == code[-1] == " " and code.strip(" "):
        code = code[1:-1]
    return f"<code>{code}</code>"


def _refuse_block(bare: str) -> None:
    if _BLOCK.match(bare) or _SIGNS.match(bare):
        raise _UnusualError
