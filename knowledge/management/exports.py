"""`manage.py kb export`: the knowledge base as a file."""

from __future__ import annotations

import os
import shutil
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from knowledge.errors import ExportOptionError
from knowledge.transfer.exporting import ExportFormat
from knowledge.transfer.exporting.wanted import FOUND_MOST, ExportWanted
from knowledge.transfer.files import export_path
from knowledge.transfer.tables import Section
from knowledge.transfer.tasks import export_enqueue, export_resume
from migrations_ops.management.following import RunProgress, run_facts, run_followed
from migrations_ops.management.reporting import name_short, user_name
from migrations_ops.models import Run, RunState
from migrations_ops.runs import run_get


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
    parser.add_argument("--most", type=int, default=FOUND_MOST, help=f"most results of a search ({FOUND_MOST})")
    parser.add_argument("--address", default="", help="of the site, for links in Markdown (default: KB_SITE_URL)")
    parser.add_argument("--resume", type=int, metavar="RUN", help="go on with an export that rests")
    parser.add_argument("--actor", type=name_short, default=user_name(), help="name for the journal (default: yours)")


def exported(options: dict[str, Any], progress: RunProgress) -> dict[str, Any]:
    """Write an export as a run, and a copy of its file to where it is wanted. Raises KnowledgeError, OpsError."""
    path, actor = options["file"], options["actor"]
    with _refused_by_system(path):
        (part := _part(path)).touch()
    try:
        resumed = options["resume"]
        run = export_resume(run=run_get(resumed), actor=actor) if resumed else _started(options)
        ended = run_followed(run, progress, actor=actor)
        facts = run_facts(ended)
        if ended.state == RunState.SUCCEEDED:
            return facts | _copied(ended, path)
        return facts | {"next": f"manage.py kb export {path} --resume {ended.pk}"}
    finally:
        part.unlink(missing_ok=True)


def _started(options: dict[str, Any]) -> Run:
    wanted = {
        "format": options["format"],
        "sections": options["section"],
        "categories": options["category"],
        "statuses": options["status"],
        "tags": options["tag"],
        **{name: options[name] for name in ("since", "until", "query", "most", "address")},
    }
    return export_enqueue(wanted=ExportWanted.of(wanted), actor=options["actor"], inline=True)


def _copied(run: Run, to: Path) -> dict[str, Any]:
    """The facts of the export, whose file is now at `to`, whole; the console keeps its own."""
    facts = run.steps.get().result
    kept = export_path(run.pk, facts["file"])
    if kept is None:
        raise ExportOptionError(reason=f"the file of run {run.pk} is kept no longer.")
    part = _part(to)
    with _refused_by_system(to):
        shutil.copyfile(kept, part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(to)
    return {"path": str(to), **{name: facts[name] for name in ("size_bytes", "sha256", "rows")}}


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


@contextmanager
def _refused_by_system(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportOptionError(reason=f"{path}: {error.strerror}.") from error
