"""The step that repeats the prerequisites right before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from migrations_ops.errors import PlanBlockedError
from migrations_ops.models import Finding, FindingStatus, Run
from migrations_ops.steps.base import Batch, Commit, Cursor, Step, StepContext, StepKind


@dataclass(frozen=True, kw_only=True)
class AssessStep(Step):
    """Stores the findings with the run and stops it when one of them failed."""

    check: Callable[[Run], list[Finding]]
    kind: StepKind = StepKind.ASSESSMENT
    # The checks try the write lock from a connection of their own, which a transaction here would hold.
    commit: ClassVar[Commit] = Commit.OUTSIDE

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if cursor:
            return
        findings = self.check(ctx.run)
        Finding.objects.filter(run=ctx.run).delete()
        Finding.objects.bulk_create(findings)
        failed = [finding for finding in findings if finding.status == FindingStatus.FAIL]
        if failed:
            reasons = "; ".join(f"{finding.title}: {finding.evidence} {finding.remedy}" for finding in failed)
            raise PlanBlockedError(plan=ctx.run.plan_id, count=len(failed), failures=reasons)
        ctx.log(f"{len(findings)} checks, none failed")
        yield Batch({"checked": len(findings)}, len(findings))

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        # A check changes nothing, so there is nothing to undo.
        yield Batch()
