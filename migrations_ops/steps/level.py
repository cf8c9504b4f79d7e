"""The step that opens the features of a level; the last one up, the first one back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migrations_ops.gate import site_level, site_level_set
from migrations_ops.steps.base import Batch, Cursor, RollbackOperation, Step, StepContext, StepKind


@dataclass(frozen=True, kw_only=True)
class LevelStep(Step):
    """Raises the site's level by one."""

    level: int
    kind: StepKind = StepKind.FEATURE

    def rollback_operation(self) -> RollbackOperation:
        return RollbackOperation(
            kind="config-revert", description=f"Close the pages of MVP{self.level}; the site is at MVP{self.level - 1}"
        )

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if cursor:
            return
        site_level_set(self.level)
        ctx.log(f"The site is at MVP{self.level}")
        yield Batch({"level": self.level}, 1)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if site_level() >= self.level:
            site_level_set(self.level - 1)
        ctx.log(f"The site is at MVP{self.level - 1}")
        yield Batch({"level": self.level - 1}, 1)
