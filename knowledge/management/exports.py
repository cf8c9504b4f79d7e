"""`manage.py kb export`: the knowledge base as a file."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from knowledge.errors import ExportOptionError
from knowledge.transfer.exporting import ExportFilter, ExportFormat, export_write
from knowledge.transfer.exporting.wanted import entries_found, moment_given
from knowledge.transfer.tables import Section


def export_arguments(parser: ArgumentParser) -> None:
    """Options of `kb export`."""
    parser.add_argument("file", type=Path, help="where to write; replaced if it is there")
    parser.add_argument("--format", choices=ExportFormat.values, default=ExportFormat.ARCHIVE.value)
    parser.add_argument(
        "--section",
        action="append",
        choices=list(Section),
        default=[],
        help="a part of the site, may be repeated; CSV of several is a ZIP",
    )
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
        since=moment_given(options["since"]),
        until=moment_given(options["until"]),
        ids=tuple(entries_found(options["query"], options["most"])) if options["query"] else None,
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
