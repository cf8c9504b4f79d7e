"""The verbs of `manage.py mvp move`."""

from __future__ import annotations

import datetime as dt
import getpass
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime, parse_time

from migrations_ops.management.reporting import OpsCommand
from migrations_ops.mending import move_repair, repair_confirmation_expected
from migrations_ops.models import GoMode, Move, MoveState, Plan
from migrations_ops.moves import (
    WORKERS_MAX,
    MoveOptions,
    close_confirmation_expected,
    go_confirmation_expected,
    move_get,
    move_go,
    move_hours_set,
    move_plan_create,
    move_speed_set,
    return_path_close,
)
from migrations_ops.reports import move_report


def moment(text: str) -> dt.datetime:
    """A moment such as 2030-01-31T22:00, in the site's time zone unless it names one. Raises ArgumentTypeError."""
    try:
        parsed = parse_datetime(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    if parsed is None:
        raise ArgumentTypeError("write a moment as 2030-01-31T22:00")
    return parsed if parsed.tzinfo else timezone.make_aware(parsed)


def hours(text: str) -> tuple[dt.time, dt.time]:
    """Hours such as 20:00-06:00. Raises ArgumentTypeError."""
    begin, _dash, end = text.partition("-")
    try:
        times = parse_time(begin), parse_time(end)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    if times[0] is None or times[1] is None:
        raise ArgumentTypeError("write hours as 20:00-06:00")
    return times[0], times[1]


def hours_or_always(text: str) -> tuple[dt.time | None, dt.time | None]:
    """Hours such as 20:00-06:00; two times None for "always". Raises ArgumentTypeError."""
    return (None, None) if text == "always" else hours(text)


class MoveVerbs(OpsCommand):
    """Plan a move of the database, give it its go, change its speed, end its way back."""

    def add_move_verbs(self, verbs: Any) -> None:
        """Add `move` with verbs of its own."""
        move = verbs.add_parser("move", help="move the database to another place, and back")
        below = move.add_subparsers(dest="move_verb", required=True, metavar="verb")
        plan = self.verb(below, "plan", "plan the move of the database, with checks, risks and estimate")
        self._add_plan_options(plan)
        show = self.verb(
            below, "show", "the move of a run: how far it is, what was verified, how far behind the old one is"
        )
        go = self.verb(below, "go", "let the move cut over as soon as every row is verified", waits=True)
        speed = self.verb(below, "speed", "change how fast rows are copied, at once")
        quiet = self.verb(below, "hours", "change the hours in which it copies and verifies, at once")
        close = self.verb(below, "close-return", "end the way back: the old database is no longer followed up")
        repair = self.verb(below, "repair", "mend the values that stand in the way of a move, as its report offers")
        for verb in (show, go, speed, quiet, close, repair):
            verb.add_argument("run")
        speed.add_argument("rows_per_second", type=int, help="rows a second; 0 is as fast as it can")
        quiet.add_argument("quiet_hours", type=hours_or_always, help="20:00-06:00, or always")
        for verb in (go, close, repair):
            verb.add_argument("--yes", action="store_true", help="answer the question for confirmation")

    def _add_plan_options(self, plan: ArgumentParser) -> None:
        plan.add_argument(
            "target",
            nargs="?",
            default="",
            help="postgresql://user@host:port/name or sqlite:///path; without it KB_TARGET_DATABASE_URL",
        )
        plan.add_argument("--password", action="store_true", help="ask for the password; else it is in the address")
        plan.add_argument("--cut-over", choices=GoMode.values, default=GoMode.MANUAL, help="when it cuts over")
        plan.add_argument("--at", type=moment, help="the moment for --cut-over at")
        plan.add_argument("--speed", type=int, default=0, help="rows a second; 0 is as fast as it can")
        plan.add_argument(
            "--quiet-hours", type=hours, default=(None, None), help="copy and verify only in these, 20:00-06:00"
        )
        plan.add_argument(
            "--workers", type=int, default=2, choices=range(1, WORKERS_MAX + 1), metavar=f"1..{WORKERS_MAX}"
        )

    def do_move(self, options: dict[str, Any]) -> dict[str, Any]:
        """Whatever stands behind `move`."""
        do: Callable[[dict[str, Any]], dict[str, Any]] = getattr(
            self, f"do_move_{options['move_verb'].replace('-', '_')}"
        )
        return do(options)

    def do_move_plan(self, options: dict[str, Any]) -> dict[str, Any]:
        """A plan, with its checks."""
        begin, end = options["quiet_hours"]
        plan = move_plan_create(
            target_url=options["target"],
            password=getpass.getpass("Password of the target: ") if options["password"] and sys.stdin.isatty() else "",
            options=MoveOptions(
                go_mode=GoMode(options["cut_over"]),
                go_at=options["at"],
                rows_per_second=options["speed"],
                quiet_from=begin,
                quiet_until=end,
                workers=options["workers"],
            ),
            actor=options["actor"],
            reason=options["reason"],
        )
        return self.plan_result(plan, options)

    def plan_result(self, plan: Plan, options: dict[str, Any]) -> dict[str, Any]:
        """The report of a plan."""
        raise NotImplementedError

    def do_move_show(self, options: dict[str, Any]) -> dict[str, Any]:
        """Where a move is."""
        return self._said(move_get(options["run"]), options)

    def do_move_go(self, options: dict[str, Any]) -> dict[str, Any]:
        """The operator's word."""
        move = move_get(options["run"])
        confirmation = self.confirmation(options, go_confirmation_expected(move))
        move = move_go(move=move, actor=options["actor"], confirmation=confirmation, reason=options["reason"])
        report = self._said(move, options)
        if options["wait"] and move.run is not None:
            return self.result_of_run(move.run, options)
        return report

    def do_move_speed(self, options: dict[str, Any]) -> dict[str, Any]:
        """Another speed."""
        changed = move_speed_set(
            move=move_get(options["run"]),
            rows_per_second=options["rows_per_second"],
            actor=options["actor"],
            reason=options["reason"],
        )
        return self._said(changed, options)

    def do_move_hours(self, options: dict[str, Any]) -> dict[str, Any]:
        """Other hours."""
        begin, end = options["quiet_hours"]
        changed = move_hours_set(
            move=move_get(options["run"]),
            quiet_from=begin,
            quiet_until=end,
            actor=options["actor"],
            reason=options["reason"],
        )
        return self._said(changed, options)

    def do_move_close_return(self, options: dict[str, Any]) -> dict[str, Any]:
        """No way back."""
        move = move_get(options["run"])
        confirmation = self.confirmation(options, close_confirmation_expected(move))
        changed = return_path_close(
            move=move, actor=options["actor"], confirmation=confirmation, reason=options["reason"]
        )
        return self._said(changed, options)

    def do_move_repair(self, options: dict[str, Any]) -> dict[str, Any]:
        """Values as the target takes them."""
        move = move_get(options["run"])
        confirmation = self.confirmation(options, repair_confirmation_expected(move))
        rows = move_repair(move=move, actor=options["actor"], confirmation=confirmation, reason=options["reason"])
        self.say(options, f"{rows} row(s) mended. Go on with `manage.py mvp retry {options['run']}`.")
        return {"rows": rows}

    def _said(self, move: Move, options: dict[str, Any]) -> dict[str, Any]:
        report = move_report(move)
        self.say(options, f"{report['source']} to {report['target']}: {move.get_state_display()}")
        if report["rows_total"]:
            self.say(options, f"Rows: {report['rows_done']} of {report['rows_total']}")
        if move.held_back:
            self.say(options, f"Held back: {move.held_back}")
        if move.lag_changes is not None:
            behind = "old" if move.state == MoveState.MOVED else "new"
            self.say(options, f"The {behind} database is {move.lag_changes} change(s) behind")
        return report
