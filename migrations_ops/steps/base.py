"""What a step is: one reversible unit of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from migrations_ops.models import Finding, Run, StepRecord

#: What a generator yields and gets back: JSON, small.
Cursor = Any


class StepKind(models.TextChoices):
    """What a step works on."""

    SCHEMA = "schema", _("Schema")
    DATA = "data", _("Data")
    PLUGIN = "plugin", _("Plugin")
    COMPONENT = "component", _("Component")
    FEATURE = "feature", _("Feature")
    DATABASE = "database", _("Database")
    ASSESSMENT = "assessment", _("Assessment")
    CHECKPOINT = "checkpoint", _("Checkpoint")
    VERIFICATION = "verification", _("Verification")


class Commit(models.TextChoices):
    """In which transaction a batch runs.

    ROWS: the batch and its journal row commit together. DDL: the same, with foreign key checks
    off, which SQLite asks for before a table may change. OUTSIDE: the batch touches files or other
    processes, holds no lock, and may be done twice after a crash; such a step must be idempotent
    and is not cut into slices.
    """

    ROWS = "rows"
    DDL = "ddl"
    OUTSIDE = "outside"


@dataclass(frozen=True)
class Batch:
    """The end of one batch: where to go on after a crash, and how many rows it did."""

    cursor: Cursor = None
    rows: int = 0
    #: What the run waits for from here on; the worker is given back and comes again within a minute,
    #: or at once when `Step.wakes` says so.
    waiting_for: str = ""


@dataclass
class StepContext:
    """What a step gets from the runner."""

    run: Run
    record: StepRecord
    #: Journal lines, saved with the batch.
    lines: list[str] = field(default_factory=list)
    #: Called inside long work without a yield: keeps the lease, raises LeaseLostError.
    heartbeat: Callable[[], None] = lambda: None
    #: Whether a person asked the run to stop; for long batches, which then end early.
    stop_asked: Callable[[], bool] = lambda: False
    #: Until when, on the monotonic clock, the batches that are journaled have taken.
    counted_until: float = field(default_factory=time.monotonic)

    @property
    def options(self) -> dict[str, Any]:
        """The options of the plan."""
        return dict(self.run.plan.options)

    def log(self, line: str) -> None:
        """Add a line to the run's journal; committed with the batch."""
        self.lines.append(line)

    def remember(self, **facts: Any) -> None:
        """Keep facts in the step's journal row, for later steps, the revert, and the page."""
        self.record.result = {**self.record.result, **facts}

    def result_of(self, step_name: str) -> dict[str, Any]:
        """What an earlier step of this run remembered."""
        result: dict[str, Any] = self.run.steps.get(name=step_name).result
        return result


@dataclass(frozen=True, kw_only=True)
class RollbackOperation:
    """One line of a rollback plan."""

    kind: str  # plugin-disable, schema-drop, data-restore, config-revert, feature-close
    description: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One reversible unit of a run.

    `apply` and `revert` are generators. Each yield ends a batch: the runner commits the batch, the
    yielded cursor and the journal row in one transaction. After a crash the generator starts again
    from the last committed cursor, so a batch is done once or not at all (but see Commit.OUTSIDE).
    The crash may come after the last batch: a step that is done in one batch ends at once when it
    is given a cursor.
    """

    #: Journal key, unique in the run, never renamed or reused once released.
    name: str
    title: str
    kind: StepKind
    #: False: a failure is recorded as a warning and the run goes on.
    critical: bool = True
    #: Names of steps that must be done before; the plan refuses another order.
    requires: tuple[str, ...] = ()
    reversible: ClassVar[bool] = True
    commit: ClassVar[Commit] = Commit.ROWS
    #: How long the step keeps its worker where that is longer than a slice: for work that costs much to begin again.
    slice_seconds: ClassVar[float] = 0.0

    def commit_for(self, direction: str, cursor: Cursor) -> Commit:
        """The transaction of the batch that comes after `cursor`."""
        return self.commit

    def precheck(self) -> Iterable[Finding]:
        """Read-only findings of this step; at plan time and again right before the run."""
        return ()

    def wakes(self, run: Run) -> bool:
        """Whether what the step waits for has come, so that it need not wait for the next look."""
        return False

    def estimate(self) -> int | None:
        """Work units (rows, mostly) that `apply` will do; None where nothing can be counted."""
        return None

    def rows_before(self) -> int | None:
        """Rows of the tables to which `apply` adds, where a row costs more the more there are; None where it does not."""
        return None

    def rate(self) -> tuple[float, str] | None:
        """Work units a second and where that was measured; None for a step that knows none of its own."""
        return None

    def rollback_operation(self) -> RollbackOperation | None:
        """The line of the rollback plan that `revert` carries out; None if it has nothing to undo."""
        return None

    def loss(self) -> str | None:
        """What people lose sight of when the step is reverted; None for nothing."""
        return None

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        """Do the work from `cursor` (None at the start) on."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is applied")

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        """Undo the work, finished or not, from `cursor` (None at the start) on."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is reverted")
