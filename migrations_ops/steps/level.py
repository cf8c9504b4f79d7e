"""The step that opens the features of a level; the last one up, the first one back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migrations_ops.errors import StepFailedError
from migrations_ops.gate import site_level, site_level_set
from migrations_ops.phase import phase_at
from migrations_ops.schema import migrations_applied, migrations_known
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
        label = phase_at(self.level).app_label
        if missing := [name for name in migrations_known(label) if name not in migrations_applied(label)]:
            # A newer release came while the run rested: its pages would ask for columns that are not there.
            reason = f"{', '.join(missing)} of {label} came with a newer release. Run `manage.py migrate`, then retry."
            raise StepFailedError(reason=reason)
        site_level_set(self.level)
        ctx.log(f"The site is at MVP{self.level}")
        yield Batch({"level": self.level}, 1)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if site_level() >= self.level:
            site_level_set(self.level - 1)
        ctx.log(f"The site is at MVP{self.level - 1}")
        yield Batch({"level": self.level - 1}, 1)
