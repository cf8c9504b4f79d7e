"""Mends in the site's database what stands in the way of a move, as the assessment of the move offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connection, transaction

from migrations_ops import audit
from migrations_ops.errors import RepairRefusedError
from migrations_ops.gate import site_level
from migrations_ops.models import Move, MoveState
from migrations_ops.move.repairs import repair_apply
from migrations_ops.move.tables import Table, tables_moved
from migrations_ops.moves import confirm, expect
from migrations_ops.phase import phases_open


@dataclass(frozen=True)
class FindingName:
    """Which line of an assessment is meant."""

    table: str
    column: str
    code: str


def repair_confirmation_expected(move: Move) -> str:
    """What a person types before values are changed."""
    return f"REPAIR {move.run_id}" if move.run_id else f"REPAIR PLAN {move.plan_id}"


def repairs_offered(move: Move, only: FindingName | None = None) -> list[dict[str, Any]]:
    """The findings that a repair can mend and has not yet: what blocks, or the one that is named."""
    offered = [one for one in move.assessment.get("findings", []) if one["repairable"] and "repaired" not in one]
    if only is None:
        return [one for one in offered if one["blocks"]]
    return [one for one in offered if FindingName(one["table"], one["column"], one["code"]) == only]


def move_repair(*, move: Move, actor: str, confirmation: str, reason: str = "", only: FindingName | None = None) -> int:
    """Mend what blocks the move, or one finding alone, in the database of the site; how many rows were changed.

    What hangs on the rows (Phase.after_repair) follows in the same transactions. Raises ConfirmationError,
    MoveStateError, RepairRefusedError.
    """
    confirm(confirmation, repair_confirmation_expected(move))
    expect(move, "a repair", (MoveState.PLANNED,), "nothing has been copied yet")
    followers = Followers()
    tables, rows = tables_moved(connection), 0
    for finding in repairs_offered(move, only):
        changed = _mended(tables, finding, followers)
        finding["repaired"] = changed
        rows += changed
        said = f"{finding['table']}.{finding['column']}: {finding['repair']}, {changed} row(s)"
        with transaction.atomic():
            Move.objects.filter(pk=move.pk).update(assessment=move.assessment)
            audit.record(run=move.run, plan=move.plan, action="repair", actor=actor, reason=reason, message=said)
    if left := followers.catch_up():
        said = f"{left} repaired row(s) hold another value that cannot be read; afterwards: kb index rebuild"
        audit.record(run=move.run, plan=move.plan, action="repair", actor=actor, message=said)
    return rows


def _mended(tables: tuple[Table, ...], finding: dict[str, Any], followers: Followers) -> int:
    names = {name: finding[name] for name in ("table", "column", "code")}
    try:
        return repair_apply(connection, tables, **names, follow=followers.follow)
    except DatabaseError as error:
        raise RepairRefusedError(place=f"{finding['table']}.{finding['column']}", reason=str(error).strip()) from error


@dataclass
class Followers:
    """What the open phases do after a repair."""

    #: Rows that could not be read yet, because another of their values is still bad.
    late: list[tuple[str, Sequence[Any]]] = field(default_factory=list)

    def follow(self, table: str, keys: Sequence[Any]) -> None:
        """Bring along what hangs on these rows, in the transaction that has changed them."""
        try:
            with transaction.atomic():
                _follow(table, keys)
        except (ValueError, TypeError, DatabaseError):
            self.late.append((table, keys))

    def catch_up(self) -> int:
        """The same for rows that another repair had to mend first; how many still cannot be read."""
        waiting, self.late = self.late, []
        for table, keys in waiting:
            self.follow(table, keys)
        return sum(len(keys) for _, keys in self.late)


def _follow(table: str, keys: Sequence[Any]) -> None:
    for phase in phases_open(site_level()):
        for bring_along in phase.after_repair:
            bring_along(table, keys)
