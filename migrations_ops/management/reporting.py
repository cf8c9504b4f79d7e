"""What the commands of the engine share: output as text or JSON, waiting, exit codes."""

from __future__ import annotations

import getpass
import json
import os
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from migrations_ops.errors import DatabaseGoneError, OpsError
from migrations_ops.models import Run, RunEvent, RunState
from migrations_ops.place.follow import place_follow
from migrations_ops.reports import run_report
from migrations_ops.runs import run_get

#: Exit codes, for scripts: argparse itself ends with 2.
EXIT_ERROR = 1
EXIT_BLOCKED = 3
EXIT_RUN_FAILED = 4

POLL_SECONDS = 0.5
BAR_CHARS = 30
RESTING = {
    RunState.PAUSED,
    RunState.FAILED,
    RunState.ROLLED_BACK,
    RunState.CANCELLED,
    RunState.SUCCEEDED,
}


def user_name() -> str:
    """The name of who runs this process; the number where the system knows no name, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def name_short(text: str) -> str:
    """A name that fits the journal. Raises ArgumentTypeError."""
    longest: int = RunEvent._meta.get_field("actor").max_length or 150
    if not text.strip() or len(text) > longest:
        raise ArgumentTypeError(f"must have 1 to {longest} characters")
    return text


class OpsCommand(BaseCommand):
    """A command with verbs. A verb is a method `do_<verb>(options)` that returns a JSON object.

    Exit codes: 0 done; 1 the operation was refused; 2 wrong arguments; 3 a prerequisite failed;
    4 the run that was waited for failed.
    """

    def add_verbs(self, verbs: Any) -> None:
        """Add one sub-parser per verb."""
        raise NotImplementedError

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_verbs(parser.add_subparsers(dest="verb", required=True, metavar="verb"))

    def verb(self, verbs: Any, name: str, text: str, *, waits: bool = False) -> ArgumentParser:
        """A sub-parser with the options that every verb has."""
        parser: ArgumentParser = verbs.add_parser(name, help=text, description=text)
        parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
        parser.add_argument(
            "--actor", type=name_short, default=user_name(), help="name for the journal (default: yours)"
        )
        parser.add_argument("--reason", default="", help="why, for the journal")
        if waits:
            parser.add_argument("--wait", action="store_true", help="show the progress until the run rests")
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        do: Callable[[dict[str, Any]], dict[str, Any]] = getattr(self, f"do_{options['verb'].replace('-', '_')}")
        try:
            result = do(options)
        except OpsError as error:
            self._refuse(options, error)
        except (DatabaseError, InterfaceError) as error:
            self._refuse(options, DatabaseGoneError(reason=str(error).strip()))
        else:
            if options["json"]:
                self.stdout.write(json.dumps(result, indent=2, default=str))
            if code := result.get("exit_code"):
                sys.exit(code)

    def _refuse(self, options: dict[str, Any], error: OpsError) -> None:
        code = EXIT_BLOCKED if error.code == "plan_blocked" else EXIT_ERROR
        if options["json"]:
            self.stdout.write(json.dumps({"error": {"code": error.code, "message": str(error)}}, indent=2))
            sys.exit(code)
        raise CommandError(str(error), returncode=code) from error

    def say(self, options: dict[str, Any], text: str) -> None:
        """Print a line for people; nothing with --json."""
        if not options["json"]:
            self.stdout.write(text)

    def confirmation(self, options: dict[str, Any], expected: str) -> str:
        """What the person types; nothing, which is refused with what would have to be typed, without a terminal."""
        if options["yes"] or not expected:
            return expected
        if options["json"] or not sys.stdin.isatty():
            return ""
        try:
            return input(f"Type {expected} to go on: ")
        except EOFError:
            return ""

    def result_of_run(self, run: Run, options: dict[str, Any], wanted: RunState | None = None) -> dict[str, Any]:
        """The report of a run, waited for if asked; exit code 4 when it ended badly and not as `wanted`."""
        if options.get("wait"):
            run = self._wait(run, options)
        report = run_report(run)
        self.say(options, f"Run {run.pk}: {run.get_state_display()}. {report['meaning']}")
        if run.error:
            self.say(options, run.error)
        bad = run.state in {RunState.FAILED, RunState.PAUSED, RunState.CANCELLED} and run.state != wanted
        if options.get("wait") and bad:
            report["exit_code"] = EXIT_RUN_FAILED
        return report

    def _wait(self, run: Run, options: dict[str, Any]) -> Run:
        shown = ""
        while True:
            place_follow()  # a run may take the database elsewhere
            run = run_get(run.pk)
            line = self._bar(run)
            if line != shown and not options["json"]:
                self._show(line)
                shown = line
            if run.state in RESTING:
                if shown and self.stdout.isatty():
                    self.stdout.write("")
                return run
            time.sleep(POLL_SECONDS)

    def _show(self, line: str) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r\x1b[K{line}", ending="")
            self.stdout.flush()
        else:
            self.stdout.write(line)

    def _bar(self, run: Run) -> str:
        report = run_report(run)
        filled = round(report["progress"] * BAR_CHARS)
        now = next((step for step in report["steps"] if step["state"] in {"running", "reverting"}), None)
        rows = f" {now['title']}" if now else ""
        if now and now["rows_total"]:
            rows += f" {now['rows_done']}/{now['rows_total']}"
        bar = "#" * filled + "." * (BAR_CHARS - filled)
        return f"[{bar}] {report['progress']:4.0%} {run.get_state_display()}{rows}"
