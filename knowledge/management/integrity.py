"""`manage.py kb check`, `kb cleanup` and `kb undo --cleanup`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from migrations_ops.integrity.checking import checks_known, checks_run
from migrations_ops.integrity.cleaning import (
    cleanup_create,
    cleanup_get,
    cleanup_named,
    cleanup_preview,
    cleanup_run,
    cleanup_undo,
    cleanups_known,
)
from migrations_ops.management.reporting import name_short, user_name
from migrations_ops.models import CheckRun, CheckStatus, CleanupRecord

#: Exit code when a check has found a warning or an error; 1 is for a refusal, as with every command.
EXIT_FOUND = 3

Progress = Callable[[int, int], None]


def check_arguments(parser: ArgumentParser) -> None:
    """Options of `kb check`."""
    parser.add_argument("names", nargs="*", metavar="CHECK", help="only these; all without a name")
    parser.add_argument("--list", action="store_true", help="say which checks there are, and ask none")
    _journal_arguments(parser)


def cleanup_arguments(parser: ArgumentParser) -> None:
    """Options of `kb cleanup`."""
    parser.add_argument("name", nargs="?", metavar="CLEANUP", help="which one; without it, say which there are")
    parser.add_argument("--run", action="store_true", help="do it; without this, only say what it would do")
    parser.add_argument("--option", action="append", type=_pair, default=[], metavar="NAME=NUMBER")
    parser.add_argument("--resume", type=int, metavar="NUMBER", help="go on with a cleanup that was cut off")
    _journal_arguments(parser)


def _journal_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--actor", type=name_short, default=user_name(), help="name for the journal (default: yours)")
    parser.add_argument("--reason", default="", help="for the journal")


def checked(options: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Ask the checks and say what they found. Raises CheckUnknownError."""
    if options["list"]:
        return {check.name: str(check.title) for check in checks_known().values()}
    return check_report(checks_run(actor=options["actor"], names=options["names"]))


def check_report(check_run: CheckRun) -> dict[str, Any]:
    """A pass over the checks as data."""
    results = {
        result.name: {
            "status": result.status,
            "count": result.count,
            "evidence": result.evidence,
            "examples": [example["text"] for example in result.examples],
        }
        for result in check_run.results.all()
    }
    found = check_run.status not in {CheckStatus.OK, CheckStatus.NOTICE}
    return {
        "check": check_run.pk,
        "status": check_run.status,
        "results": results,
        **({"exit_code": EXIT_FOUND} if found else {}),
    }


def cleaned(options: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Say what a cleanup would do, or do it. Raises OpsError."""
    if options["resume"] is not None:
        return cleanup_report(cleanup_run(record=cleanup_get(options["resume"]), progress=progress))
    if not options["name"]:
        return {cleanup.name: str(cleanup.title) for cleanup in cleanups_known().values()}
    chosen = dict(options["option"])
    if not options["run"]:
        return _previewed(options["name"], chosen)
    record = cleanup_create(name=options["name"], options=chosen, actor=options["actor"], reason=options["reason"])
    return cleanup_report(cleanup_run(record=record, progress=progress))


def _previewed(name: str, chosen: dict[str, str]) -> dict[str, Any]:
    cleanup, found = cleanup_named(name), cleanup_preview(name=name, options=chosen)
    return {
        "cleanup": name,
        "would_change": found.count,
        "evidence": found.evidence,
        "examples": [example.text for example in found.examples],
        "consequences": [str(line) for line in cleanup.consequences],
        "can_be_undone": cleanup.undoable,
        "next": "Nothing was changed. Add --run to do it.",
    }


def cleanup_undone(options: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Undo a cleanup. Raises OpsError."""
    record = cleanup_undo(
        record=cleanup_get(options["number"]), actor=options["actor"], reason=options["reason"], progress=progress
    )
    return cleanup_report(record)


def cleanup_report(record: CleanupRecord) -> dict[str, Any]:
    """A cleanup as data."""
    return {
        "number": record.pk,
        "cleanup": record.name,
        "state": record.state,
        "done": record.done,
        "rows_changed": record.rows_changed,
        "can_be_undone_until": record.keep_until.isoformat() if record.keep_until else None,
        "kept": record.kept_count,
        "kept_rows": record.kept,
    }


def _pair(text: str) -> tuple[str, str]:
    name, sign, number = text.partition("=")
    if not sign:
        raise ArgumentTypeError("write NAME=NUMBER")
    return name, number
