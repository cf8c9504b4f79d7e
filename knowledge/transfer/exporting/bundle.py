"""Entries as pages that open from a disk, with a search that needs no network.

A browser lets a page on a disk load scripts beside it and nothing else, so the index is a script too. Without
JavaScript there are the lists of the categories.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from knowledge.models import Category, Entry, entry_slug
from knowledge.transfer.exporting.form import Form, Table
from knowledge.transfer.exporting.rows import Chunk

#: Entries of one script of the index.
SHARD_ENTRIES = 5_000
EXCERPT_CHARS = 160
_FILES = Path(__file__).with_name("bundle_files")
_INDEX = "index"
_COPY_BYTES = 1024 * 1024
#: `file:` because on a disk 'self' is nothing.
_POLICY = "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file: data:"


class BundleForm(Form):
    """A page an entry; the index by the shard; the lists and the index in files beside."""

    def begin(self, table: Table) -> None:
        self.state |= {"entries": 0, "shards": 0, "shard_from": 0, "categories": []}

    def add(self, table: Table, chunk: Chunk) -> None:
        for entry, row in zip(chunk.entries, chunk.rows, strict=True):
            self._entry(entry, row)

    def end(self, table: Table) -> None:
        self._shard()

    def finish(self) -> None:
        for name in ("search.js", "bundle.css"):
            self.zip.add(name, (_FILES / name).read_bytes())
        found = [(value, label) for value, label in Category.choices if value in self.state["categories"]]
        for value, label in found:
            self._list(value, str(label))
        self.zip.add("index.html", self._front(found).encode())
        super().finish()

    def _entry(self, entry: Entry, row: dict[str, Any]) -> None:
        address = f"entries/{entry_slug(entry.title) or 'entry'}-{entry.pk.hex[:12]}.html"
        self.zip.add(address, _entry_page(entry, row).encode("utf-8", "replace"))
        excerpt = " ".join(entry.problem.split())[:EXCERPT_CHARS]
        codes, tags = " ".join(row["codes"]), " ".join(row["tags"])
        facts = json.dumps({"t": entry.title, "u": address, "c": codes, "g": tags, "p": excerpt})
        self.work.append(_INDEX, b", " * bool(self.state["entries"] % SHARD_ENTRIES) + facts.encode())
        if entry.category not in self.state["categories"]:
            self.state["categories"].append(entry.category)
        line = format_html('<li><a href="{}">{}</a><p>{}</p></li>\n', address, entry.title, codes)
        self.work.append(_list_name(entry.category), line.encode("utf-8", "replace"))
        self.state["entries"] += 1
        if self.state["entries"] % SHARD_ENTRIES == 0:
            self._shard()

    def _shard(self) -> None:
        if index := self.work.behind(_INDEX, self.state["shard_from"]):
            script = b"window.KB_ENTRIES = (window.KB_ENTRIES || []).concat([" + index + b"]);\n"
            self.zip.add(f"index-{self.state['shards']}.js", script)
            self.state["shards"] += 1
            self.state["shard_from"] = self.work.end(_INDEX)

    def _list(self, category: str, label: str) -> None:
        body = format_html('{}<h1>{}</h1><ul class="entries">\n</ul>', _home(""), label)
        head, end, foot = _page(label, body).partition("</ul>")
        name = _list_name(category)
        lines = self.work.file(name)
        lines.seek(0)
        self.zip.begin(name)
        self.zip.write(head.encode())
        while part := lines.read(_COPY_BYTES):
            self.zip.write(part)
        self.zip.write((end + foot).encode())
        self.zip.end()

    def _front(self, categories: list[tuple[str, Any]]) -> str:
        links = format_html_join(
            "\n", '<li><a href="{}">{}</a></li>', ((_list_name(value), label) for value, label in categories)
        )
        names = [*(f"index-{number}.js" for number in range(self.state["shards"])), "search.js"]
        scripts = format_html_join("\n", '<script src="{}"></script>', ((name,) for name in names))
        body = format_html(
            '<h1>{}</h1>\n<div id="search" hidden><label for="query">{}</label>\n'
            '<input id="query" type="search" autocomplete="off" autofocus>\n'
            '<p id="said" role="status" data-found="{}"></p></div>\n'
            '<ul id="results" class="entries"></ul>\n<h2>{}</h2>\n<ul>{}</ul>\n{}',
            _("Mainframe knowledge base"),
            _("Code, message or symptom"),
            _("{n} found"),
            _("%(n)d entries by category") % {"n": self.state["entries"]},
            links,
            scripts,
        )
        return _page(_("Mainframe knowledge base"), body)


def _list_name(category: str) -> str:
    return f"category-{category.lower()}.html"


def _home(up: str) -> SafeString:
    return format_html('<p><a href="{}index.html">{}</a></p>', up, _("Search"))


def _entry_page(entry: Entry, row: dict[str, Any]) -> str:
    facts = (
        (_("Category"), entry.get_category_display()),
        (_("Severity"), entry.get_severity_display()),
        (_("Status"), entry.get_status_display()),
        (_("Codes"), ", ".join(row["codes"])),
        (_("Tags"), ", ".join(row["tags"])),
        (_("Changed"), f"{entry.updated_at:%Y-%m-%d %H:%M}"),
    )
    body = format_html(
        "{}<h1>{}</h1><dl>{}</dl>\n<h2>{}</h2>\n{}\n<h2>{}</h2>\n{}",
        _home("../"),
        entry.title,
        format_html_join("", "<dt>{}</dt><dd>{}</dd>", ((label, value) for label, value in facts if value)),
        _("Problem"),
        # Rendered and cleaned when the entry was saved.
        mark_safe(entry.problem_html),  # noqa: S308
        _("Solution"),
        mark_safe(entry.solution_html),  # noqa: S308
    )
    return _page(entry.title, body, up="../")


def _page(title: str, body: SafeString, *, up: str = "") -> str:
    return format_html(
        '<!doctype html>\n<html lang="{}">\n<head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="{}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>{}</title>'
        '<link rel="stylesheet" href="{}bundle.css"></head>\n<body>\n<main>\n{}\n</main>\n</body>\n</html>\n',
        get_language() or "en",
        _POLICY,
        title,
        up,
        body,
    )
