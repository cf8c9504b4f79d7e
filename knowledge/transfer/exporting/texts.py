"""Entries as Markdown files in folders of their categories."""

from __future__ import annotations

import zipfile
from typing import Any

from django.utils.translation import gettext as _

from knowledge.exports.markdown import sheet_markdown
from knowledge.exports.sheet import EntrySheet
from knowledge.models import Entry, entry_slug
from knowledge.transfer.exporting.rows import ExportFilter, Heartbeat, entry_rows


def markdown_write(file: Any, chosen: ExportFilter, heartbeat: Heartbeat, *, address: str = "") -> int:
    """Write a ZIP of Markdown files to a file opened for bytes; how many. `address` is the site's own."""
    entries = 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for entry, row in entry_rows(chosen, heartbeat):
            name = f"{entry.category}/{entry_slug(entry.title) or 'entry'}-{entry.pk.hex[:12]}.md"
            archive.writestr(name, sheet_markdown(_sheet(entry, row, address)))
            entries += 1
    return entries


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
