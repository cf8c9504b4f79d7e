"""Work of a phase that people start from its own pages, as a run: an import, an export, a cleanup.

A phase lists its kinds of task in `Phase.tasks`. A task is a plan of kind TASK whose options name it;
its steps are built from these options whenever the run needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migrations_ops.errors import LevelClosedError, OpsError
from migrations_ops.gate import site_level
from migrations_ops.phase import phases

if TYPE_CHECKING:
    from migrations_ops.steps.base import Step


class TaskUnknownError(OpsError):
    """No open phase of this release has a task “{task}”. Install the release that has it."""

    code = "task_unknown"


class RollbackRefusedError(OpsError):
    """Run {run} cannot be rolled back: {reason}"""

    code = "rollback_refused"


def _never_refused(options: Mapping[str, Any]) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class TaskKind:
    """One kind of task: its stable name, its steps, and who may do what with its runs."""

    #: As in the options of its plans; never renamed once released.
    name: str
    #: The steps of a task with these options; their names begin with the name of the kind.
    steps: Callable[[Mapping[str, Any]], tuple[Step, ...]]
    #: Permission (with its app) to start it, and to pause, resume, cancel and retry its runs.
    permission: str
    #: Permission to roll its runs back; that to start it when empty.
    permission_back: str = ""
    #: Why a run with these options can no longer be rolled back, as a sentence; empty when it can.
    rollback_refused: Callable[[Mapping[str, Any]], str] = _never_refused


def task_kind(name: str) -> TaskKind:
    """The kind of task with this name. Raises TaskUnknownError."""
    for phase in phases():
        for kind in phase.tasks:
            if kind.name == name:
                return kind
    raise TaskUnknownError(task=name)


def task_kind_open(name: str) -> TaskKind:
    """The same, if the level of its phase is open. Raises TaskUnknownError, LevelClosedError."""
    kind, level = task_kind(name), site_level()
    required = next(phase.level for phase in phases() if kind in phase.tasks)
    if required > level:
        raise LevelClosedError(feature=name, required=required, level=level)
    return kind
