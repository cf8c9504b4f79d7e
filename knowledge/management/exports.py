"""`manage.py kb export`: the knowledge base as a file."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive, make_aware

from knowledge.errors import ExportOptionError
from knowledge.search import SearchFilters, entry_search
from knowledge.transfer.exporting import ExportFilter, ExportFormat, export_write
from knowledge.transfer.tables import Section

_PAGE_ENTRIES = 100


def export_arguments(parser: ArgumentParser) -> None:
    """Options of `kb export`."""
    parser.add_argument("file", type=Path, help="where to write; replaced if it is there")
    parser.add_argument("--format", choices=ExportFormat.values, default=ExportFormat.ARCHIVE.value)
    parser.add_argument("--section", action="append", choices=list(Section), default=[], help="for an archive")
    for name in ("category", "status", "tag"):
        parser.add_argument(f"--{name}", action="append", default=[], help="only entries with it; may be repeated")
    parser.add_argument("--since", default="", help="changed on this day (2024-05-31) or later")
    parser.add_argument("--until", default="", help="changed before this day")
    parser.add_argument("--query", default="", help="only what this search finds, published entries")
    parser.add_argument("--most", type=int, default=1_000, help="most results of a search (1000)")


def exported(options: dict[str, Any], progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Write an export. Raises KnowledgeError."""
    chosen = ExportFilter(
        categories=tuple(options["category"]),
        statuses=tuple(options["status"]),
        tags=tuple(options["tag"]),
        since=_moment(options["since"]),
        until=_moment(options["until"]),
        ids=tuple(_found(options["query"], options["most"])) if options["query"] else None,
    )
    try:
        result = export_write(
            path=options["file"],
            file_format=ExportFormat(options["format"]),
            chosen=chosen,
            sections=[Section(name) for name in options["section"]],
        )
    except OSError as error:
        raise ExportOptionError(reason=f"{options['file']}: {error.strerror}.") from error
    return result.as_dict()


def _moment(text: str) -> datetime | None:
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


def _found(query: str, most: int) -> list[Any]:
    found: dict[Any, None] = {}
    page = 1
    while len(found) < most:
        hits = entry_search(query, filters=SearchFilters(), page=page, page_size=_PAGE_ENTRIES).hits
        if not hits:
            break
        found |= dict.fromkeys(hit.entry.pk for hit in hits)
        page += 1
    return list(found)[:most]
