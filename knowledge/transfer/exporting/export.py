"""An export: what is asked for, written to a file that is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from knowledge.errors import ExportOptionError
from knowledge.transfer.exporting.archive import archive_write
from knowledge.transfer.exporting.bundle import bundle_write
from knowledge.transfer.exporting.rows import ExportFilter, Heartbeat
from knowledge.transfer.exporting.sheets import csv_write, is_entries_alone, xlsx_write
from knowledge.transfer.exporting.texts import markdown_write
from knowledge.transfer.tables import Section, sections_open
from migrations_ops.archive import file_sha256


class ExportFormat(TextChoices):
    """How an export is written."""

    ARCHIVE = "archive", _("Archive, for another site")
    CSV = "csv", _("CSV")
    XLSX = "xlsx", _("Workbook (XLSX)")
    MARKDOWN = "markdown", _("Markdown files (ZIP)")
    HTML = "html", _("Pages with a search, for reading without a network (ZIP)")


#: These are for reading, not for data.
ENTRIES_ONLY = frozenset({ExportFormat.MARKDOWN, ExportFormat.HTML})


@dataclass(frozen=True)
class ExportResult:
    """A finished export."""

    path: Path
    size_bytes: int
    sha256: str
    #: By table.
    rows: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "path": str(self.path)}


def _silent(rows: int) -> None:
    """Nobody waits for a sign of life."""


def export_write(
    *,
    path: Path,
    file_format: ExportFormat,
    chosen: ExportFilter,
    sections: Iterable[Section] = (),
    address: str = "",
    heartbeat: Heartbeat = _silent,
) -> ExportResult:
    """Write an export to `path`, replacing what is there.

    Without sections an archive has all that are open, every other format the entries. Raises ExportOptionError.
    """
    wanted = tuple(dict.fromkeys(sections))
    sections_check(file_format, wanted)
    temporary = path.with_name(f"{path.name}.part")
    try:
        with temporary.open("wb") as file:
            rows = _written(file, file_format, wanted, chosen, address, heartbeat)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return ExportResult(path, path.stat().st_size, file_sha256(path), rows)


def sections_check(file_format: ExportFormat, sections: Sequence[Section]) -> None:
    """Raise ExportOptionError for sections that this format cannot hold or that no open level has."""
    if file_format in ENTRIES_ONLY and not is_entries_alone(sections):
        raise ExportOptionError(reason=f"{file_format.label} can hold entries only.")
    if closed := set(sections) - set(sections_open()):
        raise ExportOptionError(reason=f"no open level has {', '.join(sorted(closed))}.")


def _written(
    file: Any,
    file_format: ExportFormat,
    sections: tuple[Section, ...],
    chosen: ExportFilter,
    address: str,
    heartbeat: Heartbeat,
) -> dict[str, int]:
    if file_format is ExportFormat.ARCHIVE:
        return archive_write(file, sections or sections_open(), chosen, heartbeat)
    if file_format is ExportFormat.MARKDOWN:
        return {"kb_entries": markdown_write(file, chosen, heartbeat, address=address)}
    if file_format is ExportFormat.HTML:
        return {"kb_entries": bundle_write(file, chosen, heartbeat)}
    write = csv_write if file_format is ExportFormat.CSV else xlsx_write
    return write(file, sections, chosen, heartbeat)
