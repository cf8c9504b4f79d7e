"""Builders of plans, runs and rows for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from knowledge.models import Entry, SearchQuery
from migrations_ops.models import Plan, PlanKind, Run, StepRecord
from migrations_ops.planning import plan_create
from migrations_ops.runner import run_inline
from migrations_ops.runs import confirmation_expected, rollback_confirmation_expected, run_enqueue, run_rollback
from migrations_ops.steps.base import Batch, Cursor, Step, StepContext, StepKind


def entry_made(**fields: Any) -> Entry:
    """A published entry."""
    given = {
        "title": "S0C7 in step 20",
        "problem": "The job ends with a data exception.",
        "solution": "Initialise the packed field first.",
        "category": "COBOL",
        "status": "published",
    }
    return Entry.objects.create(**{**given, **fields})


def searches_made(count: int, **fields: Any) -> None:
    """Searches in the history, without the signals of an open level."""
    SearchQuery.objects.bulk_create(
        SearchQuery(
            query=f"s0c7 {number % 5}",
            normalized=f"s0c7 {number % 5}",
            result_count=number % 3,
            searcher=f"session:{number % 7}",
            **fields,
        )
        for number in range(count)
    )


def run_up(to_level: int = 2) -> Run:
    """A finished run up."""
    return run_inline(run_queued(to_level).pk)


def run_queued(to_level: int = 2) -> Run:
    """A run up that no worker has taken yet."""
    plan = plan_create(to_level=to_level, actor="ada", inline=True)
    return run_enqueue(plan=plan, actor="ada", confirmation=confirmation_expected(plan))


def run_back(run: Run) -> Run:
    """The run, rolled back."""
    run_rollback(run=run, actor="ada", confirmation=rollback_confirmation_expected(run))
    return run_inline(run.pk)


@dataclass(frozen=True, kw_only=True)
class TagStep(Step):
    """Makes tags `<name>-<number>`, one a batch; `trouble` is called before each and may raise."""

    count: int = 3
    kind: StepKind = StepKind.DATA
    trouble: Callable[[int, StepContext], None] = field(default=lambda number, ctx: None)
    trouble_back: Callable[[int, StepContext], None] = field(default=lambda number, ctx: None)

    def estimate(self) -> int:
        return self.count

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        from knowledge.models import Tag

        for number in range(cursor or 0, self.count):
            Tag.objects.create(name=f"{self.name}-{number}")
            self.trouble(number, ctx)
            yield Batch(number + 1, 1)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        from knowledge.models import Tag

        for number in range(cursor or 0, self.count):
            self.trouble_back(number, ctx)
            Tag.objects.filter(name=f"{self.name}-{number}").delete()
            yield Batch(number + 1)


def run_of(monkeypatch: Any, *steps: Step) -> Run:
    """A queued run of these steps."""
    for module in ("runner", "runs", "planning"):
        monkeypatch.setattr(f"migrations_ops.{module}.steps_of", lambda plan: steps)
    plan = Plan.objects.create(kind=PlanKind.UPGRADE, from_level=1, to_level=1, fingerprint="-", created_by="ada")
    run = Run.objects.create(plan=plan, started_by="ada", started_at=timezone.now())
    StepRecord.objects.bulk_create(
        StepRecord(run=run, position=position, name=step.name, title=step.title, kind=step.kind, critical=step.critical)
        for position, step in enumerate(steps)
    )
    return run
