"""What a phase declares, and the phases of this release.

A phase is a Django app with a module `phase` that holds `PHASE = Phase(...)`. Nothing else
registers it: settings take the app from its folder, this module takes `PHASE` from the app.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import Model

from migrations_ops.errors import LevelUnknownError

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from migrations_ops.integrity.check import Check, HealthFact
    from migrations_ops.integrity.cleanup import Cleanup
    from migrations_ops.models import Finding
    from migrations_ops.move.parity import ParityQuery
    from migrations_ops.risk import Risk
    from migrations_ops.steps.base import Step
    from migrations_ops.tasks import TaskKind


@dataclass(frozen=True, kw_only=True)
class NavLink:
    """A link in the site's navigation, shown while its phase is open."""

    title: StrOrPromise
    url_name: str
    #: Permission that a person needs to see it; empty for everyone.
    permission: str = ""
    #: Things that wait behind the link, shown beside it when there are any; asked on every page.
    count: Callable[[], int] | None = None


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One level of the site: what opens with it and how to get there and back."""

    level: int
    title: StrOrPromise
    summary: StrOrPromise
    app_label: str
    #: What people can do once it is open, one line each.
    opens: tuple[StrOrPromise, ...]
    nav: tuple[NavLink, ...] = ()
    #: Pages of the phase in the console's own navigation.
    console_nav: tuple[NavLink, ...] = ()
    #: What people start from its pages and what then runs in the console.
    tasks: tuple[TaskKind, ...] = ()
    #: Names of the plugins that it brings; their steps are in `steps`.
    plugins: tuple[str, ...] = ()
    #: Steps between "tables made, parked rows back" and "level raised", in order.
    steps: Callable[[], tuple[Step, ...]] = tuple
    #: Read-only checks of the phase's own data that a run must pass.
    checks: tuple[Callable[[], Iterable[Finding]], ...] = ()
    #: Risks that only this phase can measure, for plans made while it is open.
    risks: tuple[Callable[[], Iterable[Risk]], ...] = ()
    #: Questions to the phase's own data, asked by the integrity page and every night.
    integrity_checks: tuple[Check, ...] = ()
    #: What can be cleaned up in the phase's own data; the repairs of its checks are among them.
    cleanups: tuple[Cleanup, ...] = ()
    #: Parts of the site that only the phase can judge, for the health page.
    health: tuple[Callable[[], Iterable[HealthFact]], ...] = ()
    #: Models whose rows are computed from others: left out of checkpoints, made again by `after_restore`.
    derived_models: frozenset[str] = frozenset()
    #: Models with secrets and journals of its own: in no checkpoint and untouched by a restore, so that nothing
    #: revoked comes back and nothing recorded is forgotten.
    private_models: frozenset[str] = frozenset()
    #: Models whose rows a move itself writes (plugins switched on and off again): a rollback leaves
    #: them switched off and not as if they had never been.
    state_models: frozenset[str] = frozenset()
    #: Questions that both databases of a move must answer alike; each function is asked once a verification.
    parity: tuple[Callable[[], Iterable[ParityQuery]], ...] = ()
    after_restore: tuple[Callable[[], None], ...] = ()
    #: Fill the tables that follow others without being moved themselves, in the database of this alias, whose
    #: rows have just come in bulk past every trigger; can be done again.
    after_copy: tuple[Callable[[str], None], ...] = ()
    #: Bring along what hangs on rows that a repair has changed past every service; called inside the transaction of
    #: the repair with the name of the table and the keys of its rows.
    after_repair: tuple[Callable[[str, Sequence[Any]], None], ...] = ()
    #: Facts for the manifest of a checkpoint, by name, read through the connection of this alias.
    describe: Callable[[str], dict[str, Any]] = lambda using: {}

    def models(self) -> list[type[Model]]:
        """The phase's models whose rows a checkpoint holds, parents first."""
        config = apps.get_app_config(self.app_label)
        left_out = self.derived_models | self.private_models
        return [
            model
            for model in config.get_models(include_auto_created=True)
            if model._meta.managed and not model._meta.proxy and model.__name__ not in left_out
        ]


@cache
def phases() -> tuple[Phase, ...]:
    """Every phase of this release, lowest level first."""
    found = [
        import_module(f"{config.name}.phase").PHASE
        for config in apps.get_app_configs()
        if config.name.split(".")[0] != "migrations_ops" and find_spec(f"{config.name}.phase")
    ]
    return tuple(sorted(found, key=lambda phase: phase.level))


def highest_level() -> int:
    """The level that this release can reach."""
    return phases()[-1].level


def phase_at(level: int) -> Phase:
    """The phase that opens with `level`. Raises LevelUnknownError."""
    for phase in phases():
        if phase.level == level:
            return phase
    raise LevelUnknownError(level=level, highest=highest_level())


def phases_open(level: int) -> tuple[Phase, ...]:
    """The phases that are open at `level`, lowest first."""
    return tuple(phase for phase in phases() if phase.level <= level)


def phase_of_app(app_label: str) -> Phase | None:
    """The phase whose app has this label, if one has."""
    return next((phase for phase in phases() if phase.app_label == app_label), None)
