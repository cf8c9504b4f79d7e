"""An export: what is asked for, written to a file that is there whole or not at all.

The work is done in pieces. Between two of them it may stop, or be killed, and goes on from the last piece that was
committed; the file is the same, byte for byte, as one that was written without a stop.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import TextChoices
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.errors import ExportOptionError
from knowledge.models import Entry, ErrorCode
from knowledge.transfer.exporting.archive import ArchiveForm
from knowledge.transfer.exporting.bundle import BundleForm
from knowledge.transfer.exporting.form import Form, Order, Table
from knowledge.transfer.exporting.growing import Growing
from knowledge.transfer.exporting.packing import PART
from knowledge.transfer.exporting.rows import EntryKeys, ExportFilter, Rows
from knowledge.transfer.exporting.sheets import CsvForm, CsvZipForm, XlsxForm, is_entries_alone
from knowledge.transfer.exporting.texts import MarkdownForm
from knowledge.transfer.tables import Section, models_of, sections_open
from migrations_ops.archive import file_sha256

#: Between two places where an export can go on.
COMMIT_SECONDS = 1.0
_ENTRIES, _CODES = Entry._meta.db_table, ErrorCode._meta.db_table


class ExportFormat(TextChoices):
    """How an export is written."""

    ARCHIVE = "archive", _("Archive, for another site")
    CSV = "csv", _("CSV")
    XLSX = "xlsx", _("Workbook (XLSX)")
    MARKDOWN = "markdown", _("Markdown files (ZIP)")
    HTML = "html", _("Pages with a search, for reading without a network (ZIP)")


#: These are for reading, not for data.
ENTRIES_ONLY = frozenset({ExportFormat.MARKDOWN, ExportFormat.HTML})
_FORMS: dict[ExportFormat, type[Form]] = {
    ExportFormat.ARCHIVE: ArchiveForm,
    ExportFormat.CSV: CsvZipForm,
    ExportFormat.XLSX: XlsxForm,
    ExportFormat.MARKDOWN: MarkdownForm,
    ExportFormat.HTML: BundleForm,
}


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


@dataclass(frozen=True)
class ExportPlace:
    """Where an export can go on, as JSON, and how many rows it has written since the place before."""

    cursor: dict[str, Any]
    rows: int


def export_write(
    *,
    path: Path,
    file_format: ExportFormat,
    chosen: ExportFilter,
    sections: Iterable[Section] = (),
    address: str = "",
) -> ExportResult:
    """Write an export to `path` in one go, replacing what is there.

    Without sections an archive has all that are open, every other format the entries. Raises ExportOptionError.
    """
    wanted = tuple(dict.fromkeys(sections))
    sections_check(file_format, wanted)
    work = path.with_name(f"{path.name}.work")
    cursor: dict[str, Any] = {}
    try:
        places = export_places(
            work=work, path=path, file_format=file_format, chosen=chosen, sections=wanted, address=address
        )
        for place in places:
            cursor = place.cursor
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return export_result(path, cursor)


def export_result(path: Path, cursor: dict[str, Any]) -> ExportResult:
    """What was written, of an export that has come to its end."""
    return ExportResult(path, path.stat().st_size, file_sha256(path), cursor["rows"])


def export_places(
    *,
    work: Path,
    path: Path,
    file_format: ExportFormat,
    chosen: ExportFilter,
    sections: Sequence[Section],
    address: str,
    cursor: dict[str, Any] | None = None,
    heartbeat: Callable[[], None] = lambda: None,
) -> Iterator[ExportPlace]:
    """Write an export in the folder `work`, from the place of the cursor on, and move it to `path`.

    The last place is that of all rows and comes before the move; a work that was moved is over at once. Raises
    WorkLostError when what was written up to the cursor is no longer there, WorkBusyError.
    """
    if cursor and cursor.get("whole") and not (work / PART).exists() and path.exists():
        shutil.rmtree(work, ignore_errors=True)
        return
    at = deepcopy(cursor) or {
        "files": {},
        "form": {},
        "table": 0,
        "begun": False,
        "after": None,
        "rows": {},
        "codes": None,
    }
    at.setdefault("made_at", timezone.now().isoformat(timespec="seconds"))
    order = Order(
        tables=tuple(_tables(file_format, sections)),
        chosen=chosen,
        address=address,
        made_at=datetime.fromisoformat(at["made_at"]),
        entries_alone=is_entries_alone(sections),
    )
    with Growing(work, at["files"]) as files:
        alone = file_format is ExportFormat.CSV and order.entries_alone
        form = (CsvForm if alone else _FORMS[file_format])(files, order, at["form"])
        yield from _pieces(files, form, order, at)
        form.finish()
        heartbeat()
        files.synced()
    (work / PART).replace(path)
    shutil.rmtree(work, ignore_errors=True)


def _pieces(files: Growing, form: Form, order: Order, at: dict[str, Any]) -> Iterator[ExportPlace]:
    """The rows of every table from the place on."""
    committed, rows = time.monotonic(), 0
    with closing(EntryKeys(files)) as keys:
        for table in order.tables[at["table"] :]:
            if not at["begun"]:
                form.begin(table)
                at |= {"begun": True, "after": None}
                at["rows"][table.name] = 0
            known = keys if _ENTRIES in at["rows"] and table.name != _ENTRIES else None
            for chunk in Rows(table.model, order.chosen, known, at["codes"]).chunks(at["after"]):
                form.add(table, chunk)
                if table.name == _ENTRIES:
                    keys.add(chunk.entries)
                at["after"] = str(chunk.last) if isinstance(chunk.last, UUID) else chunk.last
                at["rows"][table.name] += len(chunk.rows)
                rows += len(chunk.rows)
                if time.monotonic() - committed >= COMMIT_SECONDS:
                    yield ExportPlace(deepcopy({**at, "files": files.synced()}), rows)
                    committed, rows = time.monotonic(), 0
            form.end(table)
            if table.name == _CODES:
                at["codes"] = at["after"] or 0
            at |= {"table": at["table"] + 1, "begun": False}
    if not at.get("whole"):
        at["whole"] = True
        yield ExportPlace(deepcopy({**at, "files": files.synced()}), rows)


def sections_check(file_format: ExportFormat, sections: Sequence[Section]) -> None:
    """Raise ExportOptionError for sections that this format cannot hold or that no open level has."""
    if file_format in ENTRIES_ONLY and not is_entries_alone(sections):
        raise ExportOptionError(reason=f"{file_format.label} can hold entries only.")
    if closed := set(sections) - set(sections_open()):
        raise ExportOptionError(reason=f"no open level has {', '.join(sorted(closed))}.")


def _tables(file_format: ExportFormat, sections: Sequence[Section]) -> Iterator[Table]:
    """The tables, those first that others name; of tables for people, entries first."""
    if file_format is not ExportFormat.ARCHIVE and is_entries_alone(sections):
        yield Table(Section.ENTRIES, Entry)
        return
    wanted = sections or sections_open()
    found = [Table(section, model) for section in Section if section in wanted for model in models_of(section)]
    if file_format is not ExportFormat.ARCHIVE:
        found.sort(key=lambda table: table.model is not Entry)
    yield from found
