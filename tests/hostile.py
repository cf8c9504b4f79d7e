"""Texts that somebody might write to break a page: seeded, so that a failure comes again."""

from __future__ import annotations

import random
import sys

#: Markup, half markup, Markdown around it, and spellings that once got past a filter somewhere.
PIECES = [
    "<script>alert(1)</script>", "<script", "</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>",
    "<svg><style><!--</style><img src=x onerror=alert(1)>-->", "<math><mtext><table><mglyph><style>", "<iframe srcdoc='",
    "<a href='javascript:alert(1)'>", "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">", "<!--", "-->",
    "<![CDATA[", "]]>", "<?xml", "?>", "</textarea>", "</title>", "</pre>", "</code>", "</section>", "<style>*{}</style>",
    "<base href=//evil.example>", "<form action=//evil.example>", "<object data=x>", "<body onload=alert(1)>",
    "[x](javascript:alert(1))", "[x](JaVa\tScRiPt:alert(1))", "[x](&#106;avascript:alert(1))", "[x](javascript&colon;alert(1))",
    "[x](\x01javascript:alert(1))", "[x](vbscript:x)", "[x](data:text/html;base64,PHNjcmlwdD4=)", "[x](<javascript:a b>)",
    "[x](//evil.example)", "[x][r]\n\n[r]: javascript:alert(1) 'onmouseover=x'\n\n", "<javascript:alert(1)>",
    "<https://a.example/\"onmouseover=alert(1)>", "[x](https://a.example \"t' onclick='alert(1)\")", "![x](x \"onerror=\")",
    "![x](javascript:alert(1))", "[![x](y)](z)", "`", "```", "```sql onmouseover=alert(1)\n", "~~~\"><script>\n", "```jcl\n//A EXEC <b>\n",
    "```cobol\n", "    <b>indented</b>\n", "# ", "## <b id=x>Fix</b>\n", "### [S0C7](javascript:x)\n", "> ", "- ", "1. ",
    "| a | b |\n|---|:-:|\n| <script> | ' onclick=x |\n", "*", "**", "_", "~~", "\\", "&lt;script&gt;", "&#0;", "&#x110000;",
    "&quot;onclick=", "\"", "'", "=", "<", ">", "&", "\n", "\n\n", "\t", "\r\n", " ", "\u2028", "\u202e", "\ufeff", "\u0000",
    "\x0b", "\x1b[31m", "\ufffe", "\ud800", "\U0001f600", "\u6c4e\u7528", "\u05d0\u05d1", "\u0301" * 9, "S0C7 ", "SQLCODE -803 ", "IEF450I ",
    "code:S0C7<b>", "S0C7</code><script>", "x" * 90,
]  # fmt: skip


def hostile_text(seed: int, pieces: int = 40) -> str:
    """Pieces in random order, some cut, with characters from anywhere between them."""
    chance = random.Random(seed)
    out = []
    for piece in chance.choices(PIECES, k=pieces):
        cut = piece[: chance.randint(1, len(piece))] if chance.random() < 0.2 else piece
        out += [cut, chr(chance.randint(0, sys.maxunicode))] if chance.random() < 0.1 else [cut]
    return "".join(out)
