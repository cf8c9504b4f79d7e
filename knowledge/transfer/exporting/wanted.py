"""What somebody wants exported, as options of a run: kept as JSON, read again when the run needs it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive, make_aware

from knowledge.errors import ExportOptionError
from knowledge.search import SearchFilters, entry_search
from knowledge.transfer.exporting.export import ExportFormat, sections_check
from knowledge.transfer.exporting.rows import ExportFilter
from knowledge.transfer.exporting.sheets import is_entries_alone
from knowledge.transfer.files import FOUND
from knowledge.transfer.tables import Section, models_of, sections_open

_PAGE_ENTRIES = 100
#: Results of a search that an export takes at most.
FOUND_MOST = 10_000
_FILE_NAMES = {
    ExportFormat.ARCHIVE: "kb-archive.zip",
    ExportFormat.CSV: "kb-entries.csv",
    ExportFormat.XLSX: "kb-entries.xlsx",
    ExportFormat.MARKDOWN: "kb-markdown.zip",
    ExportFormat.HTML: "kb-pages.zip",
}
#: The same with other sections than entries.
_SEVERAL_NAMES = {ExportFormat.CSV: "kb-csv.zip", ExportFormat.XLSX: "kb.xlsx"}


@dataclass(frozen=True, kw_only=True)
class ExportWanted:
    """The choices of one export. Raises ExportOptionError for what is unknown."""

    file_format: ExportFormat
    sections: tuple[Section, ...] = ()
    categories: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    query: str = ""
    #: Results of the search at most.
    most: int = FOUND_MOST
    #: Of the site, for links in the files.
    address: str = ""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ExportWanted:
        """The choices from JSON or from the fields of a form."""
        try:
            file_format = ExportFormat(options.get("format", ExportFormat.ARCHIVE))
            sections = tuple(Section(name) for name in options.get("sections", ()))
        except ValueError as error:
            raise ExportOptionError(reason=f"{error}.") from error
        given: dict[str, Any] = {name: tuple(options.get(name, ())) for name in ("categories", "statuses", "tags")}
        given |= {name: str(options.get(name, "")) for name in ("since", "until", "query", "address")}
        given["most"] = int(options.get("most", FOUND_MOST))
        if given["most"] < 1:
            raise ExportOptionError(reason="at least one result of a search is needed.")
        wanted = cls(file_format=file_format, sections=sections, **given)
        wanted._filter()
        sections_check(file_format, sections)
        return wanted

    def as_dict(self) -> dict[str, Any]:
        names = ("categories", "statuses", "tags", "since", "until", "query", "most", "address")
        return {
            "format": self.file_format.value,
            "sections": [one.value for one in self.sections],
            **{name: getattr(self, name) for name in names},
        }

    def chosen(self, folder: Path) -> ExportFilter:
        """The filter. What a search finds is found once and kept in the folder, for when the export goes on."""
        if not self.query:
            return self._filter()
        kept = folder / FOUND
        if not kept.exists():
            part = kept.with_suffix(".part")
            part.write_text(json.dumps([key.hex for key in entries_found(self.query, self.most)]))
            part.replace(kept)
        return self._filter(tuple(map(UUID, json.loads(kept.read_text()))))

    def rows_count(self) -> int:
        """How many rows the file will have, nearly: a filter by search is not asked."""
        entries = self._filter().entries().count()
        if self.file_format is not ExportFormat.ARCHIVE and is_entries_alone(self.sections):
            return entries
        models = [model for section in self.sections or sections_open() for model in models_of(section)]
        return sum(
            entries if model._meta.db_table == "kb_entries" else model._default_manager.count() for model in models
        )

    def file_name(self) -> str:
        several = {} if is_entries_alone(self.sections) else _SEVERAL_NAMES
        return several.get(self.file_format, _FILE_NAMES[self.file_format])

    def _filter(self, ids: tuple[UUID, ...] | None = None) -> ExportFilter:
        return ExportFilter(
            categories=self.categories,
            statuses=self.statuses,
            tags=self.tags,
            since=moment_given(self.since),
            until=moment_given(self.until),
            ids=ids,
        )


def moment_given(text: str) -> datetime | None:
    """A day or a moment that somebody typed; None for nothing. Raises ExportOptionError."""
    if not text:
        return None
    try:
        day = parse_date(text)
        found = datetime(day.year, day.month, day.day) if day else parse_datetime(text)  # noqa: DTZ001 - see below
    except ValueError as error:
        raise ExportOptionError(reason=f"{text}: {error}.") from error
    if found is None:
        raise ExportOptionError(reason=f"“{text}” is no date; write 2024-05-31.")
    return make_aware(found) if is_naive(found) else found


def entries_found(query: str, most: int) -> list[UUID]:
    """The keys of the entries that a search finds, best first."""
    found: dict[UUID, None] = {}
    page = 1
    while len(found) < most:
        hits = entry_search(query, filters=SearchFilters(), page=page, page_size=_PAGE_ENTRIES).hits
        if not hits:
            break
        found |= dict.fromkeys(hit.entry.pk for hit in hits)
        page += 1
    return list(found)[:most]
