"""A move of the database as the pages of its plan and of its run show it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from migrations_ops.console.access import permitted
from migrations_ops.console.present.badges import Badge
from migrations_ops.console.present.quantities import (
    age_text,
    count_text,
    duration_text,
    rate_text,
    size_text,
)
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
        "waits": mine and going and move.state == MoveState.READY and move.go_asked_at is None,
        "may_go": mine and going and move.state in AHEAD and move.go_asked_at is None and permitted(user, "go_move"),
        "may_speed": mine and move.state in {MoveState.PLANNED, MoveState.COPYING} and permitted(user, "speed_move"),
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
        "lag_age": age_text(move.lag_at),
        **copy_context(move),
        "ledger": ledger_context(move.ledger),
    }


def database_context() -> dict[str, Any]:
    """Where the site's database is, and the move that is open."""
    move = move_open()
    return {
        "url": place_here().url,
        "move": move,
        "badge": move_badge(move) if move else None,
        "lag": lag_text(move) if move else "",
    }


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
        "tables": [
            {"name": name, "rows": count_text(line["rows"]), "bytes": size_text(line["bytes"])}
            for name, line in sorted(figures.get("tables", {}).items())
        ],
    }


def go_text(move: Move) -> str:
    """When it cuts over, and who said so."""
    if move.go_asked_at is not None:
        return _("%(name)s said go, %(age)s") % {"name": move.go_asked_by, "age": age_text(move.go_asked_at)}
    if move.go_mode == GoMode.AT and move.go_at is not None:
        return _("at %(moment)s") % {"moment": f"{timezone.localtime(move.go_at):%Y-%m-%d %H:%M}"}
    return str(move.get_go_mode_display())


def lag_text(move: Move) -> str:
    """How far the old database is behind; empty while nothing follows."""
    if move.lag_changes is None:
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


def assessment_context(move: Move) -> dict[str, Any]:
    """What the values of each table and column are, and what of them the target refuses or changes."""
    assessment = move.assessment
    tables = assessment.get("tables", [])
    return {
        "assessed": bool(assessment),
        "rows": count_text(sum(int(table.get("rows", 0)) for table in tables)),
        "bytes": size_text(sum(int(table.get("bytes", 0)) for table in tables)),
        "tables": [
            {**table, "rows_text": count_text(table.get("rows")), "bytes_text": size_text(int(table.get("bytes", 0)))}
            for table in tables
        ],
        "findings": assessment.get("findings", [])[:LINES_SHOWN],
        "rate": rate_text(assessment.get("rows_per_second")),
    }
