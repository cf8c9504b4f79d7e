"""Entries as pages that open from a disk, with a search that needs no network.

A browser lets a page on a disk load scripts beside it and nothing else, so the index is a script too. Without
JavaScript there are the lists of the categories.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from knowledge.models import Category, Entry, entry_slug
from knowledge.transfer.exporting.rows import ExportFilter, Heartbeat, entry_rows

#: Entries of one script of the index.
SHARD_ENTRIES = 5_000
EXCERPT_CHARS = 160
_FILES = Path(__file__).with_name("bundle_files")
_COPY_BYTES = 1024 * 1024
#: `file:` because on a disk 'self' is nothing.
_POLICY = "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file: data:"


def bundle_write(file: Any, chosen: ExportFilter, heartbeat: Heartbeat) -> int:
    """Write a ZIP of pages to a file opened for bytes; how many entries."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        bundle = _Bundle(archive)
        for entry, row in entry_rows(chosen, heartbeat):
            bundle.add(entry, row)
        bundle.finish()
    return bundle.entries


class _Bundle:
    """The archive, and what is known of its pages so far: the index by the shard, the lists on the disk."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive, self.entries, self.shards = archive, 0, 0
        self.index: list[dict[str, str]] = []
        self.lists: dict[str, Any] = {}

    def add(self, entry: Entry, row: dict[str, Any]) -> None:
        address = f"entries/{entry_slug(entry.title) or 'entry'}-{entry.pk.hex[:12]}.html"
        self.archive.writestr(address, _entry_page(entry, row))
        excerpt = " ".join(entry.problem.split())[:EXCERPT_CHARS]
        codes, tags = " ".join(row["codes"]), " ".join(row["tags"])
        self.index.append({"t": entry.title, "u": address, "c": codes, "g": tags, "p": excerpt})
        if entry.category not in self.lists:
            self.lists[entry.category] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `finish`
        line = format_html('<li><a href="{}">{}</a><p>{}</p></li>\n', address, entry.title, codes)
        self.lists[entry.category].write(line.encode())
        self.entries += 1
        if len(self.index) == SHARD_ENTRIES:
            self._shard()

    def finish(self) -> None:
        self._shard()
        for name in ("search.js", "bundle.css"):
            self.archive.writestr(name, (_FILES / name).read_text("utf-8"))
        found = [(value, label) for value, label in Category.choices if value in self.lists]
        for value, label in found:
            self._list(value, str(label))
        self.archive.writestr("index.html", self._front(found))

    def _shard(self) -> None:
        if self.index:
            script = f"window.KB_ENTRIES = (window.KB_ENTRIES || []).concat({json.dumps(self.index)});\n"
            self.archive.writestr(f"index-{self.shards}.js", script)
            self.index, self.shards = [], self.shards + 1

    def _list(self, category: str, label: str) -> None:
        body = format_html('{}<h1>{}</h1><ul class="entries">\n</ul>', _home(""), label)
        head, end, foot = _page(label, body).partition("</ul>")
        with self.lists[category] as lines, self.archive.open(_list_name(category), "w", force_zip64=True) as page:
            lines.seek(0)
            page.write(head.encode())
            while part := lines.read(_COPY_BYTES):
                page.write(part)
            page.write((end + foot).encode())

    def _front(self, categories: list[tuple[str, Any]]) -> str:
        links = format_html_join(
            "\n", '<li><a href="{}">{}</a></li>', ((_list_name(value), label) for value, label in categories)
        )
        names = [*(f"index-{number}.js" for number in range(self.shards)), "search.js"]
        scripts = format_html_join("\n", '<script src="{}"></script>', ((name,) for name in names))
        body = format_html(
            '<h1>{}</h1>\n<div id="search" hidden><label for="query">{}</label>\n'
            '<input id="query" type="search" autocomplete="off" autofocus>\n'
            '<p id="said" role="status" data-found="{}"></p></div>\n'
            '<ul id="results" class="entries"></ul>\n<h2>{}</h2>\n<ul>{}</ul>\n{}',
            _("Mainframe knowledge base"),
            _("Code, message or symptom"),
            _("{n} found"),
            _("%(n)d entries by category") % {"n": self.entries},
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
