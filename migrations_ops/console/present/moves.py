"""A move of the database as the pages of its plan and of its run show it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from migrations_ops.checkpoints import database_size
from migrations_ops.console.access import permitted
from migrations_ops.console.present.badges import Badge
from migrations_ops.console.present.quantities import (
    age_text,
    count_text,
    duration_text,
    rate_text,
    size_text,
)
from migrations_ops.mending import repairs_offered
from migrations_ops.models import Direction, GoMode, Move, MoveState, Run, RunState
from migrations_ops.moves import AHEAD, move_open, place_here

TONES = {
    MoveState.PLANNED: "neutral",
    MoveState.COPYING: "running",
    MoveState.VERIFYING: "running",
    MoveState.READY: "warn",
    MoveState.MOVED: "ok",
    MoveState.CLOSED: "ok",
    MoveState.RETURNED: "warn",
    MoveState.WITHDRAWN: "neutral",
}
#: States in which one database follows the other.
FOLLOWED = {MoveState.COPYING, MoveState.VERIFYING, MoveState.READY, MoveState.MOVED}
#: The old database is brought up to date once a minute.
LAG_OLD = timedelta(minutes=3)
#: Lines of a report that a page shows; the download has all.
LINES_SHOWN = 50


def move_badge(move: Move) -> Badge:
    """Where a move is."""
    state = MoveState(move.state)
    return Badge(state.label, TONES[state])


def move_context(move: Move, run: Run, user: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
    """Everything that the panel of a move prints on the page of its run."""
    mine = move.run_id == run.pk
    forward = run.direction == Direction.FORWARD
    going = forward and run.state in {RunState.QUEUED, RunState.RUNNING}
    return {
        "move": move,
        "mine": mine,
        "badge": move_badge(move),
        "shows_copy": move.state != MoveState.WITHDRAWN,
        "waits": mine and going and move.state == MoveState.READY and move.go_asked_at is None,
        "may_go": mine and going and move.state in AHEAD and move.go_asked_at is None and permitted(user, "go_move"),
        "may_pace": mine
        and going
        and move.state in {MoveState.PLANNED, MoveState.COPYING, MoveState.VERIFYING}
        and permitted(user, "speed_move"),
        "may_close": mine
        and move.state == MoveState.MOVED
        and run.active is None
        and permitted(user, "close_return_path"),
        "may_go_back": mine
        and move.state == MoveState.MOVED
        and run.state == RunState.SUCCEEDED
        and permitted(user, "roll_back_run"),
        "is_moved": move.state == MoveState.MOVED,
        "go": go_text(move),
        "lag": lag_text(move),
        "lag_label": lag_label(move),
        "lag_age": age_text(move.lag_at),
        "lag_old": lag_is_old(move) and run.active is None,
        "hours": hours_text(move),
        "values": values_open(move, user) if run.state == RunState.FAILED else None,
        **copy_context(move),
        "ledger": ledger_context(move.ledger),
    }


def move_return_consequences(move: Move) -> list[str]:
    """What a rollback of a move does, before and after its cut-over."""
    if move.state != MoveState.MOVED:
        return [
            _("The site stays in the database where it is; people notice nothing."),
            _("The triggers go from it, and everything that the move has made goes from the new database."),
        ]
    return [
        _("What was written since is carried back, and every row of both databases is compared."),
        _("Then the site goes back to %(old)s; writers are held for some milliseconds, readers never wait.")
        % {"old": move.source_url},
        _("Nothing is lost. What the move has made is then dropped from the new database."),
    ]


def database_context(user: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
    """Where the site's database is, and the move that is open."""
    move = move_open()
    context = {"url": place_here().url, "move": move}
    if move is None:
        return context
    at_rest = move.run is not None and move.run.active is None and move.state == MoveState.MOVED
    return {
        **context,
        "badge": move_badge(move),
        "lag": lag_text(move),
        "lag_label": lag_label(move),
        "lag_age": age_text(move.lag_at),
        "lag_old": at_rest and lag_is_old(move),
        "old_url": move.source_url,
        "since": age_text(move.state_since),
        "way_back_open": at_rest,
        "may_go_back": at_rest and permitted(user, "roll_back_run"),
        "may_close": at_rest and permitted(user, "close_return_path"),
    }


def values_open(move: Move, user: AbstractBaseUser | AnonymousUser) -> dict[str, Any] | None:
    """What stops the move before its copy; None where nothing does."""
    if move.state != MoveState.PLANNED:
        return None
    values = assessment_context(move, user)
    return values if any(line["blocks"] for line in values["findings"]) else None


def copy_context(move: Move) -> dict[str, Any]:
    """How far the copy is, in rows and bytes."""
    figures = move.figures
    rows, total = int(figures.get("rows", 0)), int(figures.get("rows_total", 0))
    seconds = float(figures.get("seconds", 0.0))
    rate = rows / seconds if seconds else None
    left = (total - rows) / rate if rate and total > rows and move.state == MoveState.COPYING else None
    held_ms = figures.get("held_ms")
    return {
        "percent": int(100 * min(1.0, rows / total)) if total else 0,
        "rows": count_text(rows),
        "rows_total": count_text(total) if total else "",
        "bytes": size_text(int(figures.get("bytes", 0))),
        "rate": rate_text(rate),
        "left": duration_text(left),
        "held": duration_text(held_ms / 1000) if held_ms is not None else "",
        "disk_free": size_text(int(figures["disk_free_bytes"])) if "disk_free_bytes" in figures else "",
        "log": size_text(int(figures["log_bytes"])) if figures.get("log_bytes") else "",
        **target_room_context(figures),
        "verified": verified_text(move),
        "tables_open": move.state == MoveState.COPYING,
        "tables": [table_line(name, line) for name, line in sorted(figures.get("tables", {}).items())],
    }


def target_room_context(figures: dict[str, Any]) -> dict[str, str]:
    """What the server of the target tells of its room; empty texts before the copy and for a file."""
    if "target_log_bytes" not in figures:
        return {"target_free": "", "target_log": ""}
    free, log = figures["target_free_bytes"], size_text(int(figures["target_log_bytes"]))
    held = _("%(size)s, held by the replication slot %(slot)s") % {"size": log, "slot": figures["target_slot"]}
    return {
        "target_free": size_text(int(free)) if free is not None else _("the server does not tell; look there yourself"),
        "target_log": held if figures["target_slot"] else log,
    }


def table_line(name: str, line: dict[str, int]) -> dict[str, Any]:
    """One table of a copy: rows of how many, and whether it is all there."""
    ranges, ranges_total = line.get("ranges", 0), line.get("ranges_total", 0)
    badge = Badge(_("Waits"), "neutral")
    if ranges or line.get("begun"):
        badge = Badge(_("Copied"), "ok") if ranges >= ranges_total else Badge(_("Copying"), "running")
    return {
        "name": name,
        "rows": count_text(line["rows"]),
        "rows_total": count_text(line.get("rows_total", line["rows"])),
        "bytes": size_text(line["bytes"]),
        "badge": badge,
    }


def verified_text(move: Move) -> str:
    """How far the comparison is; empty unless it runs."""
    if move.state != MoveState.VERIFYING or "verified_rows" not in move.figures:
        return ""
    return _("%(done)s of %(total)s rows of %(table)s compared") % {
        "done": count_text(move.figures["verified_rows"]),
        "total": count_text(move.figures.get("verify_total")),
        "table": move.figures.get("verify_table", _("a table")),
    }


def hours_text(move: Move) -> str:
    """When it copies and verifies; empty for always."""
    if move.quiet_from is None or move.quiet_until is None:
        return ""
    return _("%(begin)s to %(end)s") % {"begin": f"{move.quiet_from:%H:%M}", "end": f"{move.quiet_until:%H:%M}"}


def go_text(move: Move) -> str:
    """When it cuts over, and who said so."""
    if move.go_asked_at is not None:
        return _("%(name)s said go, %(age)s") % {"name": move.go_asked_by, "age": age_text(move.go_asked_at)}
    if move.go_mode == GoMode.AT and move.go_at is not None:
        return _("at %(moment)s") % {"moment": f"{timezone.localtime(move.go_at):%Y-%m-%d %H:%M}"}
    return str(move.get_go_mode_display())


def lag_label(move: Move) -> str:
    """Which of the two databases is behind."""
    if move.state == MoveState.MOVED:
        return _("The old database is behind by")
    return _("Waits to be carried over")


def lag_is_old(move: Move) -> bool:
    """Whether the old database has not been brought up to date for several of its turns."""
    return move.state == MoveState.MOVED and move.lag_at is not None and timezone.now() - move.lag_at > LAG_OLD


def lag_text(move: Move) -> str:
    """How far the database that follows is behind; empty while nothing follows."""
    if move.lag_changes is None or move.state not in FOLLOWED:
        return ""
    if not move.lag_changes:
        return _("nothing")
    return ngettext("%(n)s change", "%(n)s changes", move.lag_changes) % {"n": count_text(move.lag_changes)}


def ledger_context(ledger: dict[str, Any]) -> dict[str, Any] | None:
    """What the verification has shown; None before there was one."""
    if not ledger:
        return None
    return {
        "equal": ledger.get("sound"),
        "rows": count_text(ledger.get("rows")),
        "rate": rate_text(ledger.get("rows_per_second")),
        "seconds": duration_text(ledger.get("seconds")),
        "differences_count": ledger.get("differences", 0),
        "lines": ledger.get("lines", []),
    }


def assessment_context(move: Move, user: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
    """What the values of each table and column are, and what of them the target refuses or changes."""
    assessment = move.assessment
    tables = assessment.get("tables", [])
    findings = assessment.get("findings", [])
    may_repair = move.state == MoveState.PLANNED and permitted(user, "repair_move")
    return {
        **({} if assessment else size_expected(move)),
        "plan_id": move.plan_id,
        "repairs": may_repair and bool(repairs_offered(move)),
        "mended": all("repaired" in finding for finding in findings if finding["blocks"]),
        "assessed": bool(assessment),
        "rows": count_text(sum(int(table.get("rows", 0)) for table in tables)),
        "bytes": size_text(sum(int(table.get("bytes", 0)) for table in tables)),
        "tables": [
            {
                **table,
                "rows_text": count_text(table.get("rows")),
                "bytes_text": size_text(int(table.get("bytes", 0))),
                "columns": [
                    {**column, "nulls_text": count_text(column["nulls"]), "bytes_text": size_text(int(column["bytes"]))}
                    for column in table.get("columns", [])
                ],
            }
            for table in tables
        ],
        "findings": [finding_line(finding, may_repair) for finding in findings[:LINES_SHOWN]],
        "rate": rate_text(assessment.get("rows_per_second")),
    }


def size_expected(move: Move) -> dict[str, str]:
    """What would be copied, before any value was read."""
    estimates = {line["step"]: line for line in move.plan.assessment.get("estimates", [])}
    copy = estimates.get("move/copy", {})
    return {
        "rows_expected": count_text(copy.get("units")),
        "bytes_expected": size_text(database_size()),
        "time_expected": duration_text(copy.get("seconds")),
        "time_source": copy.get("source", ""),
    }


def finding_line(finding: dict[str, Any], may_repair: bool) -> dict[str, Any]:
    """One problem of one column, with what names it in the address of its repair."""
    offered = bool(finding["repairable"]) and "repaired" not in finding
    names = {name: finding[name] for name in ("table", "column", "code")}
    return {
        **finding,
        "count_text": count_text(finding["count"]),
        "repaired": count_text(finding["repaired"]) if "repaired" in finding else "",
        "repair_query": urlencode(names) if may_repair and offered else "",
    }


def ledger_page_context(move: Move, ledger: dict[str, Any]) -> dict[str, Any]:
    """A whole ledger: what was compared, and every difference."""
    return {
        **(ledger_context(ledger) or {}),
        "tables": [
            {
                "name": line["table"],
                "rows_source": count_text(line["rows_source"]),
                "rows_target": count_text(line["rows_target"]),
                "differences": line["differences"],
                "seconds": duration_text(line["seconds"]),
                "seal": line["seal"][:12],
            }
            for line in sorted(ledger.get("by_table", []), key=lambda line: line["table"])
        ],
        "sequences": ledger.get("by_sequence", []),
        "foreign_keys": ledger.get("foreign_keys", 0),
        "queries": ledger.get("queries", 0),
        "source": ledger.get("source", ""),
        "target": ledger.get("target", ""),
        "finished_at": parse_datetime(ledger.get("finished_at") or ""),
        "listed": len(ledger.get("by_difference", [])),
    }
