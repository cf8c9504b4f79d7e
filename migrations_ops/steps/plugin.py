"""The step that enables a plugin, and disables it on the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from migrations_ops.steps.base import Batch, Cursor, RollbackOperation, Step, StepContext, StepKind


@dataclass(frozen=True, kw_only=True)
class PluginStep(Step):
    """Enables one plugin through the registry that the phase hands in."""

    plugin: str
    #: Plugins that must be enabled before, by now or by an earlier step.
    depends_on: tuple[str, ...] = ()
    is_enabled: Callable[[str], bool]
    enable: Callable[..., Any]
    disable: Callable[..., Any]
    kind: StepKind = StepKind.PLUGIN

    def rollback_operation(self) -> RollbackOperation:
        return RollbackOperation(
            kind="plugin-disable", description=f"Disable the plugin {self.plugin} and its schedules; its settings stay"
        )

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        if cursor:
            return
        self.enable(name=self.plugin)
        ctx.log(f"Plugin {self.plugin} enabled")
        yield Batch({"enabled": True}, 1)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        self.disable(name=self.plugin)
        ctx.log(f"Plugin {self.plugin} disabled")
        yield Batch({"disabled": True}, 1)
