"""`manage.py kb import` and `kb undo`: files in, and back out."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User

from knowledge.errors import ImportOptionError
from knowledge.models import Import, ImportState
from knowledge.transfer.files import import_folder
from knowledge.transfer.jobs import import_create, import_get, import_refused, import_remove, rows_kept
from knowledge.transfer.options import (
    DateOrder,
    Duplicates,
    Existing,
    ImportOptions,
    OnError,
    UnknownColumns,
)
from knowledge.transfer.reports import Report
from knowledge.transfer.tasks import import_enqueue, import_resume, preview_enqueue, undo_resume
from migrations_ops.errors import OpsError
from migrations_ops.management.following import RunProgress, run_facts, run_followed
from migrations_ops.management.reporting import name_short, user_name
from migrations_ops.models import Direction, Run, RunState
from migrations_ops.runs import run_cancel
from migrations_ops.task_runs import run_none_active

#: Exit code when rows were not imported; 1 is for a refusal, as with every command.
EXIT_INVALID = 3

_CHOICES = {
    "duplicates": Duplicates,
    "existing": Existing,
    "on-error": OnError,
    "unknown-columns": UnknownColumns,
    "dates": DateOrder,
}
_MAPS = {"column": "columns", "category": "categories", "severity": "severities", "author": "authors"}


def import_arguments(parser: ArgumentParser) -> None:
    """Options of `kb import`."""
    parser.add_argument("file", type=Path, nargs="?", help="CSV, XLSX, JSON, JSONL or an archive that was exported")
    parser.add_argument("--resume", type=int, metavar="IMPORT", help="go on with an import that was cut off")
    parser.add_argument("--preview", action="store_true", help="say what each row would do, and write nothing")
    for name, choices in _CHOICES.items():
        parser.add_argument(f"--{name}", choices=choices.values, help="; ".join(_described(choices)))
    parser.add_argument("--status", choices=["draft", "published", "archived"], help="of new entries without one")
    parser.add_argument("--system", default="", help="where the ids of the file come from")
    for name in _MAPS:
        parser.add_argument(f"--{name}", action="append", type=_pair, default=[], metavar="WORD=OURS")
    parser.add_argument(
        "--user", default="", help="author of entries without one, by user name; with that person's rights"
    )
    parser.add_argument("--actor", type=name_short, default=user_name(), help="name for the journal (default: yours)")


def undo_arguments(parser: ArgumentParser) -> None:
    """Options of `kb undo`."""
    parser.add_argument("number", type=int, help="the number of the import, or of the cleanup")
    parser.add_argument("--cleanup", action="store_true", help="a cleanup and not an import")
    parser.add_argument("--actor", type=name_short, default=user_name(), help="name for the journal (default: yours)")
    parser.add_argument("--reason", default="", help="for the journal")


def imported(options: dict[str, Any], progress: RunProgress) -> dict[str, Any]:
    """Import a file as a run, or only look at it. Raises KnowledgeError, OpsError."""
    if (options["file"] is None) == (options["resume"] is None):
        raise ImportOptionError(option="file", value="", known="a file, or --resume with the number of an import")
    actor = options["actor"]
    if options["resume"]:
        job = import_get(options["resume"])
        run = (preview_enqueue if options["preview"] else import_resume)(job=job, actor=actor, inline=True)
    else:
        job, run = _started(options, progress)
    ended = run_followed(run, progress, actor=actor)
    job.refresh_from_db()
    if ended.state == RunState.FAILED and (refused := import_refused(job)):
        run_cancel(run=ended, actor=actor, reason=str(refused))
        raise refused
    return _result(job, job.preview if options["preview"] else job.report, ended)


def _started(options: dict[str, Any], progress: RunProgress) -> tuple[Import, Run]:
    """The import of a file that was read to its end, and its run; nothing is kept of one that cannot begin."""
    run_none_active()
    job = _created(options, lambda: progress.say("Reading the file"))
    progress.end()
    enqueue = preview_enqueue if options["preview"] else import_enqueue
    try:
        return job, enqueue(job=job, actor=options["actor"], inline=True)
    except OpsError:
        import_remove(job)
        raise


def undone(options: dict[str, Any], progress: RunProgress) -> dict[str, Any]:
    """Take an import back as a run. Raises KnowledgeError, OpsError."""
    job, actor = import_get(options["number"]), options["actor"]
    run = undo_resume(job=job, actor=actor, reason=options["reason"], inline=True)
    ended = run_followed(run, progress, actor=actor)
    job.refresh_from_db()
    # An import without a run of its own is taken back by a run that goes forward.
    wanted = RunState.ROLLED_BACK if ended.direction == Direction.BACK else RunState.SUCCEEDED
    return {"import": job.pk, "state": job.state, "kept": rows_kept(job), **run_facts(ended, wanted=wanted)}


def _created(options: dict[str, Any], heartbeat: Callable[[], None]) -> Import:
    values: dict[str, Any] = {name: dict(options[option]) for option, name in _MAPS.items()}
    for name in (*_CHOICES, "status"):
        if chosen := options[name.replace("-", "_")]:
            values[name.replace("-", "_")] = chosen
    chosen_options = ImportOptions.of({**values, "system": options["system"]})
    return import_create(
        path=options["file"],
        options=chosen_options,
        actor=options["actor"],
        user=_user(options["user"]),
        heartbeat=heartbeat,
    )


def _user(name: str) -> User | None:
    if not name:
        return None
    user = User.objects.filter(username=name).first()
    if user is None:
        raise ImportOptionError(option="user", value=name, known="people who have an account")
    return user


def _result(job: Import, report: dict[str, Any], run: Run) -> dict[str, Any]:
    facts: dict[str, Any] = {"import": job.pk, "state": job.state, **report, **run_facts(run)}
    if run.state == RunState.PAUSED:
        facts["next"] = f"manage.py kb import --resume {job.pk}, or manage.py kb undo {job.pk}"
    name = "invalid" if job.state == ImportState.READY else "failed"
    failed = next((path for path in import_folder(job).glob(f"{name}.*") if path.stat().st_size), None)
    if failed:
        facts["failed_rows"] = str(failed)
    if failed or Report(report).invalid:
        facts.setdefault("exit_code", EXIT_INVALID)
    return facts


def _pair(text: str) -> tuple[str, str]:
    word, sign, ours = text.partition("=")
    if not sign:
        raise ArgumentTypeError("write WORD=OURS")
    return word, ours


def _described(choices: Any) -> list[str]:
    return [f"{value}: {json.dumps(str(label))}" for value, label in choices.choices]
