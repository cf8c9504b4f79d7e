"""Writes to the row of a move, wherever the site is by now."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from migrations_ops.models import Move, MoveState


def move_note(move: Move, **changes: Any) -> None:
    """Write these fields and read the row again, for what people changed meanwhile.

    In a transaction, because that is where a process that has not followed yet goes to the new database.
    """
    with transaction.atomic():
        if changes:
            Move.objects.filter(pk=move.pk).update(**changes)
        move.refresh_from_db()


def move_state(move: Move, state: MoveState, **changes: Any) -> None:
    """The move has come to this state."""
    since = {"state_since": timezone.now()} if move.state != state else {}
    move_note(move, state=state, **since, **changes)
