"""What the steps of a database move have in common.

They touch two databases, so no transaction holds a batch together with its journal row: every step can
be done again from its start. Before the pointer is renamed the source is the truth, after it the
target; only the cut-over renames it.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from migrations_ops.checkpoints import disk_free
from migrations_ops.errors import CopierError, DatabaseMovedError, TargetSchemaError
from migrations_ops.models import Move
from migrations_ops.move.brakes import held_back, target_room
from migrations_ops.move.diary import move_note
from migrations_ops.move.ends import Ends
from migrations_ops.place.pointer import Place
from migrations_ops.steps.base import Batch, Commit, Cursor, Step, StepContext, StepKind

#: How long a copy or a verification keeps its worker before it gives other tasks a turn.
LONG_SLICE_SECONDS = 600.0
#: Errors of a database that is away, as a process names them.
GONE = ("OperationalError", "InterfaceError")
#: Errors of a disk that is full, or of which this account may have no more.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TRACEBACK = "Traceback (most recent call last):"
#: An exception and the first line of what it says.
RAISED = re.compile(r"^([A-Za-z_][\w.]*): .*", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class MoveStep(Step):
    """A step between two databases."""

    #: Where the database goes.
    target: Place
    kind: StepKind = StepKind.DATABASE
    commit: ClassVar[Commit] = Commit.OUTSIDE
    slice_seconds: ClassVar[float] = LONG_SLICE_SECONDS

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        # What the step has left in either database goes with the steps that made its tables and triggers.
        yield Batch()


def move_of(ctx: StepContext) -> Move:
    """The move of the run that asks, as it is now."""
    return Move.objects.get(plan_id=ctx.run.plan_id)


def brake(move: Move, ends: Ends) -> str:
    """Why the move holds back just now, noted in its row; empty when it may go on."""
    room = target_room(ends.target)
    reason = held_back(move, ends.source, now=timezone.localtime(), free_bytes=disk_free(), room=room)
    if reason != move.held_back:
        move_note(move, held_back=reason)
    return reason


def patiently(batches: Iterator[Batch], cursor: Cursor) -> Iterator[Batch]:
    """The batches of a step; when a database goes away, one that waits for it and keeps the place.

    If it is the site's own, the runner finds that out when it writes the journal.
    """
    last = cursor
    try:
        for batch in batches:
            last = batch.cursor
            yield batch
    except DatabaseMovedError:
        raise
    except (OperationalError, InterfaceError, CopierError, TargetSchemaError) as error:
        said = gone(error)
        if not said:
            raise
        yield Batch(last, waiting_for=f"a database, which said: {said}")
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        yield Batch(last, waiting_for=f"room on a disk: {error}")


def gone(error: Exception) -> str:
    """What a database said that does not answer; empty for another failure of a process that works for us."""
    if isinstance(error, (CopierError, TargetSchemaError)):
        # The last exception of the process; what it says may go on for more lines.
        last = str(error.facts["reason"]).rpartition(TRACEBACK)[2]
        raised = RAISED.search(last)
        return raised[0] if raised and raised[1].rpartition(".")[2] in GONE else ""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
