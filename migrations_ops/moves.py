"""What people do with a move of the database, beside what they do with every run.

Console, commands and tests call these. Planning takes the password of the target once; it is kept
sealed and is in no plan, page, journal line or error.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.utils import timezone

from migrations_ops import audit, queue
from migrations_ops.errors import ConfirmationError, MoveStateError, MoveTargetError, RunNotFoundError
from migrations_ops.gate import site_level
from migrations_ops.models import GoMode, Move, MoveState, Plan, PlanKind, Run, RunState
from migrations_ops.move.ends import connection_to, data_dir, ends_open, place_of_target
from migrations_ops.move.return_path import return_close, return_drain
from migrations_ops.place.addresses import database_settings, database_url
from migrations_ops.place.pointer import Place, place_of_settings, place_read, site_id
from migrations_ops.place.secrets import password_seal
from migrations_ops.planning import plan_save
from migrations_ops.steps.move.cutover import FOLLOW

WORKERS_MAX = 8
#: States in which the way to the target is still ahead.
AHEAD = (MoveState.PLANNED, MoveState.COPYING, MoveState.VERIFYING, MoveState.READY)
TARGET_VARIABLE = "KB_TARGET_DATABASE_URL"
#: How the name of a typed SQLite file ends, so that nobody makes other programs' files into databases.
FILE_ENDINGS = (".sqlite3", ".sqlite", ".db")
#: Options of a typed address that name a secret, which plans and pages would show, or a file of the server's to read.
OPTIONS_REFUSED = {"passfile", "service", "servicefile", "sslpassword"}


@dataclass(frozen=True, kw_only=True)
class MoveOptions:
    """What a person chooses beside the target."""

    go_mode: GoMode = GoMode.MANUAL
    go_at: dt.datetime | None = None
    #: 0 is as fast as it can.
    rows_per_second: int = 0
    quiet_from: dt.time | None = None
    quiet_until: dt.time | None = None
    workers: int = 2


def move_plan_create(
    *, target_url: str, password: str = "", options: MoveOptions, actor: str, reason: str = "", inline: bool = False
) -> Plan:
    """Plan the move of the site's database to `target_url`, checked and assessed.

    Without an address it goes where KB_TARGET_DATABASE_URL says. Raises MoveTargetError.
    """
    here = place_here()
    url, secret = target_of(target_url, password)
    if url == here.url:
        raise MoveTargetError(target=url, reason="the site is there already.")
    plan = Plan(kind=PlanKind.MOVE, from_level=site_level(), to_level=site_level(), options={"inline": inline})
    move = Move(
        plan=plan,
        site=here.site,
        source_url=here.url,
        source_secret=here.secret,
        target_url=url,
        target_secret=secret,
        epoch=here.epoch,
        **vars(options),
    )
    plan.options |= {"target": url}
    return plan_save(plan, actor, reason, move=move)


def target_of(typed_url: str, typed_password: str) -> tuple[str, str]:
    """Address without password, and secret, of the target that a person typed or the environment names."""
    typed = typed_url.strip()
    if not typed:
        given = target_given()
        if not given:
            raise MoveTargetError(target="nowhere", reason=f"type its address, or set {TARGET_VARIABLE}.")
        return given, f"env:{TARGET_VARIABLE}"
    url, in_url = _split(typed)
    if problem := _option_problem(url):  # its address is not repeated: it may hold the secret
        raise MoveTargetError(target="this address", reason=problem)
    if url != place_here().url and (problem := _file_problem(url)):
        raise MoveTargetError(target=url, reason=problem)
    return url, password_seal(typed_password or in_url, secret_key=settings.SECRET_KEY)


def _option_problem(url: str) -> str:
    """Why an option of this address is not taken; empty where every one is."""
    named = {name for name, _value in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    refused = {name for name in named if name.lower() in OPTIONS_REFUSED or name != name.lower()}
    if not refused:
        return ""
    return f"{', '.join(sorted(refused))} cannot be typed here; set {TARGET_VARIABLE} on the server."


def _file_problem(url: str) -> str:
    """Why a SQLite file of this address is no place for a database; empty where nothing speaks against it."""
    facts = database_settings(url, data_dir())
    if not facts["ENGINE"].endswith("sqlite3"):
        return ""
    path = Path(facts["NAME"]).resolve()
    if path.suffix not in FILE_ENDINGS:
        return f"the name of a SQLite file must end in {', '.join(FILE_ENDINGS)}."
    if path.is_relative_to(Path(settings.STATIC_ROOT).resolve()):
        return "everybody can read what lies in that folder."
    return ""


def _split(url: str) -> tuple[str, str]:
    """Address without password as the pointer has it, and the password.

    Raises MoveTargetError, whose text repeats neither: what cannot be read may be a password.
    """
    try:
        return database_url(database_settings(url, data_dir()), data_dir())
    except (ImproperlyConfigured, ValueError) as error:
        reason = "it must be postgresql://user@host:port/name, or sqlite:/// and a path."
        raise MoveTargetError(target="this address", reason=reason) from error


def target_given() -> str:
    """The address in KB_TARGET_DATABASE_URL, without its password; empty where none is set."""
    return _split(settings.TARGET_DATABASE_URL)[0] if settings.TARGET_DATABASE_URL else ""


def place_here() -> Place:
    """Where the site's database is now."""
    folder = data_dir()
    here = place_read(folder)
    return here or place_of_settings(connection.settings_dict, folder, epoch=0, site=site_id(folder))


def move_get(run_id: int | str) -> Move:
    """The move of the run with this number. Raises RunNotFoundError."""
    found = Move.objects.select_related("run", "plan").filter(run_id=int(run_id)) if str(run_id).isdecimal() else None
    move = found.first() if found is not None else None
    if move is None:
        raise RunNotFoundError(run=run_id)
    return move


def move_begin(move: Move, run: Run) -> None:
    """Tie the move to a new run of its plan; in the transaction that makes the run."""
    Move.objects.filter(pk=move.pk).update(
        run=run,
        state=MoveState.PLANNED,
        state_since=timezone.now(),
        go_asked_by="",
        go_asked_at=None,
        held_back="",
        figures={},
        ledger={},
        lag_changes=None,
        lag_at=None,
    )


def move_open() -> Move | None:
    """The move that has triggers on a database of the site, if one has."""
    return Move.objects.select_related("run").filter(is_open=True).first()


def go_confirmation_expected(move: Move) -> str:
    """What a person types to let a move cut over."""
    return f"GO {move.run_id}"


def close_confirmation_expected(move: Move) -> str:
    """What a person types before the way back is closed."""
    return f"CLOSE {move.run_id}"


def move_go(*, move: Move, actor: str, confirmation: str, reason: str = "") -> Move:
    """Let the move cut over as soon as every row is copied and verified, which it may be already.

    Raises ConfirmationError, MoveStateError.
    """
    confirm(confirmation, go_confirmation_expected(move))
    with transaction.atomic():
        _change(move, "go", AHEAD, "the cut-over is still ahead", go_asked_by=actor, go_asked_at=timezone.now())
        audit.record(run=move.run, action="go", actor=actor, reason=reason, message="Said go: cut over when verified")
        _wake(move)
    return move


def move_speed_set(*, move: Move, rows_per_second: int, actor: str, reason: str = "") -> Move:
    """Copy no faster than this from the next range on; 0 is as fast as it can. Raises MoveStateError."""
    with transaction.atomic():
        _change(move, "a change of speed", AHEAD, "it still copies", rows_per_second=max(0, rows_per_second))
        said = f"{rows_per_second} rows a second" if rows_per_second > 0 else "as fast as it can"
        audit.record(run=move.run, action="speed", actor=actor, reason=reason, message=f"Speed of the copy: {said}")
        _wake(move)
    return move


def move_hours_set(
    *, move: Move, quiet_from: dt.time | None, quiet_until: dt.time | None, actor: str, reason: str = ""
) -> Move:
    """Copy and verify only between these times of day, or always where one is missing. Raises MoveStateError."""
    if quiet_from is None or quiet_until is None:
        quiet_from = quiet_until = None
    with transaction.atomic():
        _change(
            move, "a change of hours", AHEAD, "its cut-over is ahead", quiet_from=quiet_from, quiet_until=quiet_until
        )
        said = f"{quiet_from:%H:%M} until {quiet_until:%H:%M}" if quiet_from and quiet_until else "always"
        audit.record(run=move.run, action="hours", actor=actor, reason=reason, message=f"Copies and verifies: {said}")
        _wake(move)
    return move


def return_path_close(*, move: Move, actor: str, confirmation: str, reason: str = "") -> Move:
    """End the way back: the old database stays as it was last, fenced, and is no longer followed up.

    Raises ConfirmationError, MoveStateError.
    """
    confirm(confirmation, close_confirmation_expected(move))
    expect(move, "closing the way back", (MoveState.MOVED,), "the database has moved and the way back is open")
    if move.run is not None and move.run.active:
        raise MoveStateError(
            run=move.run_id, state="being moved", action="closing the way back", allowed="its run is over"
        )
    with connection_to(place_of_target(move)) as live:
        return_close(live=live)
    with transaction.atomic():
        queue.schedule_remove(name=FOLLOW)
        _change(
            move,
            "closing the way back",
            (MoveState.MOVED,),
            "the database has moved and the way back is open",
            state=MoveState.CLOSED,
            state_since=timezone.now(),
            is_open=None,
        )
        audit.record(run=move.run, action="close_return", actor=actor, reason=reason, message="Closed the way back")
    return move


def confirm(given: str, expected: str) -> None:
    """Raise ConfirmationError unless a person typed what was expected."""
    if given.strip() != expected:
        raise ConfirmationError(expected=expected)


def expect(move: Move, action: str, states: tuple[MoveState, ...], allowed: str) -> None:
    """Raise MoveStateError unless the move is in one of these states."""
    if move.state not in states:
        state = move.get_state_display().lower()
        raise MoveStateError(run=move.run_id, state=state, action=action, allowed=allowed)


def _change(move: Move, action: str, states: tuple[MoveState, ...], allowed: str, **changes: object) -> None:
    """Guarded update: one row changed, or the move is elsewhere. Raises MoveStateError."""
    changed = Move.objects.filter(pk=move.pk, state__in=states).update(**changes)
    move.refresh_from_db()
    if not changed:
        expect(move, action, (), allowed)


def _wake(move: Move) -> None:
    """Have the run look at once, if it has begun."""
    if move.run is not None and move.run.state in {RunState.QUEUED, RunState.RUNNING}:
        queue.kick(move.run.pk)


def return_path_follow() -> int:
    """Carry what was written since the cut-over to the old database; how many changes wait. Runs every minute."""
    move = Move.objects.filter(state=MoveState.MOVED, is_open=True).select_related("run").first()
    if move is None or (move.run is not None and move.run.active):
        return 0  # closed meanwhile, or a run goes back and carries them itself
    with ends_open(move) as ends:
        lag = return_drain(live=ends.target, old=ends.source, tables=ends.turned.tables, data_dir=data_dir())
    Move.objects.filter(pk=move.pk).update(lag_changes=lag.changes, lag_at=lag.drained_at)
    return lag.changes
