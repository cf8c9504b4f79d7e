"""Entries as Markdown files in folders of their categories."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from knowledge.exports.markdown import sheet_markdown
from knowledge.exports.sheet import EntrySheet
from knowledge.models import Entry, entry_slug
from knowledge.transfer.exporting.form import Form, Table
from knowledge.transfer.exporting.rows import Chunk


class MarkdownForm(Form):
    """A file an entry."""

    def add(self, table: Table, chunk: Chunk) -> None:
        for entry, row in zip(chunk.entries, chunk.rows, strict=True):
            name = f"{entry.category}/{entry_slug(entry.title) or 'entry'}-{entry.pk.hex[:12]}.md"
            self.zip.add(name, sheet_markdown(_sheet(entry, row, self.order.address)).encode("utf-8", "replace"))


def _sheet(entry: Entry, row: dict[str, Any], address: str) -> EntrySheet:
    facts = (
        (_("Category"), entry.get_category_display()),
        (_("Severity"), entry.get_severity_display()),
        (_("Status"), entry.get_status_display()),
        (_("Codes"), ", ".join(row["codes"])),
        (_("Tags"), ", ".join(row["tags"])),
        (_("Changed"), f"{entry.updated_at:%Y-%m-%d %H:%M}"),
    )
    return EntrySheet(
        title=entry.title,
        permalink=address + entry.get_absolute_url(),
        facts=tuple((label, str(value)) for label, value in facts if value),
        problem=entry.problem,
        solution=entry.solution,
    )
