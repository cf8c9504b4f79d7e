"""`manage.py kb check`, `kb cleanup` and `kb undo --cleanup`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from migrations_ops.cleanup_runs import cleanup_enqueue, cleanup_undo_enqueue, undo_confirmation
from migrations_ops.integrity.checking import checks_known, checks_run
from migrations_ops.integrity.cleaning import (
    cleanup_confirmation,
    cleanup_get,
    cleanup_named,
    cleanup_preview,
    cleanups_known,
)
from migrations_ops.integrity.reports import check_report, cleanup_report
from migrations_ops.management.following import RunProgress, run_facts, run_followed
from migrations_ops.management.reporting import name_short, user_name
from migrations_ops.models import CheckStatus, CleanupRecord, Run, RunState

#: Exit code when a check has found a warning or an error; 1 is for a refusal, as with every command.
EXIT_FOUND = 3


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
    _journal_arguments(parser)


def _journal_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--actor", type=name_short, default=user_name(), help="name for the journal (default: yours)")
    parser.add_argument("--reason", default="", help="for the journal")


def checked(options: dict[str, Any], progress: RunProgress) -> dict[str, Any]:
    """Ask the checks and say what they found. Raises CheckUnknownError."""
    if options["list"]:
        return {"checks": {check.name: str(check.title) for check in checks_known().values()}}
    check_run = checks_run(actor=options["actor"], names=options["names"])
    found = check_run.status not in {CheckStatus.OK, CheckStatus.NOTICE}
    return {**check_report(check_run), **({"exit_code": EXIT_FOUND} if found else {})}


def cleaned(options: dict[str, Any], progress: RunProgress) -> dict[str, Any]:
    """Say what a cleanup would do, or do it. Raises OpsError."""
    if not options["name"]:
        return {"cleanups": {cleanup.name: str(cleanup.title) for cleanup in cleanups_known().values()}}
    chosen = dict(options["option"])
    if not options["run"]:
        return _previewed(options["name"], chosen)
    typed = cleanup_confirmation(cleanup_named(options["name"]))
    who = {"actor": options["actor"], "reason": options["reason"]}
    record, run = cleanup_enqueue(name=options["name"], options=chosen, confirmation=typed, inline=True, **who)
    return _moved(record, run_followed(run, progress, actor=options["actor"]), RunState.SUCCEEDED)


def _moved(record: CleanupRecord, run: Run, wanted: RunState) -> dict[str, Any]:
    """What came of the run of a cleanup."""
    record.refresh_from_db()
    return {**cleanup_report(record), **run_facts(run, wanted=wanted)}


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


def cleanup_undone(options: dict[str, Any], progress: RunProgress) -> dict[str, Any]:
    """Undo a cleanup. Raises OpsError."""
    record = cleanup_get(options["number"])
    who = {"actor": options["actor"], "reason": options["reason"]}
    run = cleanup_undo_enqueue(record=record, confirmation=undo_confirmation(record), **who)
    return _moved(record, run_followed(run, progress, actor=options["actor"]), RunState.ROLLED_BACK)


def _pair(text: str) -> tuple[str, str]:
    name, sign, number = text.partition("=")
    if not sign:
        raise ArgumentTypeError("write NAME=NUMBER")
    return name, number
