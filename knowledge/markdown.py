"""Markdown of entries to safe HTML: no raw HTML, no images, no inline style; code coloured by classes."""

from __future__ import annotations

from functools import lru_cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from knowledge.markdown_usual import usual_html
from knowledge.remembered import remembered

#: Fence language -> Pygments lexer. Others are shown as they are.
LEXERS = {
    "cobol": "cobol",
    "cbl": "cobol",
    "jcl": "jcl",
    "sql": "sql",
    "rexx": "rexx",
    "xml": "xml",
    "json": "json",
    "bash": "bash",
    "sh": "bash",
}

_TAGS = {
    "h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "ul", "ol", "li", "strong", "em", "s", "code", "pre",
    "blockquote", "a", "table", "thead", "tbody", "tr", "th", "td", "span",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "code": {"class"}, "span": {"class"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}


def markdown_html(text: str) -> SafeString:
    """The HTML of a Markdown text, safe to print whatever the text holds."""
    rendered = markdown_rendered(text)
    return mark_safe(rendered)  # noqa: S308 - it has the tags and attributes above; what is escaped has none


@remembered
def markdown_rendered(text: str) -> str:
    """The same as a plain string: nh3 let through the tags and attributes above only, or the text was escaped."""
    whole = text.encode("utf-8", "ignore").decode()  # nh3 refuses half surrogate pairs
    usual = usual_html(whole, _inline_html)
    return parsed_html(whole) if usual is None else usual


def parsed_html(text: str) -> str:
    """The same HTML, made by the parser whatever the text is."""
    return _cleaned(_renderer().render(text))


def _inline_html(text: str) -> str:
    return _cleaned(_renderer().renderInline(text))


def _cleaned(html: str) -> str:
    return nh3.clean(
        html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel="noopener noreferrer nofollow"
    )


def markdown_tree(text: str) -> SyntaxTreeNode:
    """The same text as a tree of blocks and marks, for formats other than HTML."""
    return SyntaxTreeNode(_renderer().parse(text))


def _coloured(code: str, language: str, _attributes: str) -> str:
    """Spans with Pygments' short classes; empty for an unknown language, which is then only escaped."""
    lexer = LEXERS.get(language.lower())
    if not lexer:
        return ""
    return str(highlight(code, get_lexer_by_name(lexer, stripnl=False), HtmlFormatter(nowrap=True)))


@lru_cache(maxsize=1)
def _renderer() -> MarkdownIt:
    options = {"html": False, "linkify": False, "typographer": False, "maxNesting": 20, "highlight": _coloured}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"]).disable("image")
