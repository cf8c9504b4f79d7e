"""The plugin registry: what plugins exist, and what state each is in.

A phase declares its plugins as `PLUGINS = (PluginSpec(...), ...)` in its module `plugins`. Their
state is a row of knowledge.models.Plugin; their scheduled functions carry `@plugin_task(name)`.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, wraps
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from knowledge.errors import (
    PluginClosedError,
    PluginConfigurationError,
    PluginDependencyError,
    PluginNeededError,
    PluginUnknownError,
)
from knowledge.models import Plugin, PluginHealth
from migrations_ops.gate import site_level, table_exists
from migrations_ops.phase import phase_at, phases
from migrations_ops.queue import schedule_remove, schedule_set

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

ERROR_CHARS = 4_000
HEALTH_MESSAGE_CHARS = 500

Metrics = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class PluginOption:
    """One value of a plugin's configuration; its type is that of `default`."""

    default: bool | int | float | str
    help: StrOrPromise
    #: Bounds of a number, both included; the longest length of a text.
    minimum: float | None = None
    maximum: float | None = None

    def problem(self, value: Any) -> str | None:
        """Why this value is not allowed, in words that follow the option's name; None if it is."""
        wanted: type[Any] = type(self.default)
        allowed: tuple[type[Any], ...] = (int, float) if wanted is float else (wanted,)
        if not isinstance(value, allowed) or (wanted is not bool and isinstance(value, bool)):
            return f"is {value!r} and must be {_KINDS[wanted]}"
        size: float = len(value) if isinstance(value, str) else value
        # Written so that NaN, which compares with nothing, is outside.
        if self.minimum is not None and not size >= self.minimum:
            return f"is {value!r} and must be at least {self.minimum:g}"
        if self.maximum is not None and not size <= self.maximum:
            return f"is {value!r} and must be at most {self.maximum:g}"
        return None


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True, kw_only=True)
class PluginSchedule:
    """A function that runs every so often while the plugin is enabled."""

    name: str
    #: Dotted path of a function without arguments, decorated with `plugin_task`.
    function: str
    #: Whole minutes.
    every: timedelta


@dataclass(frozen=True)
class Health:
    """The verdict of a plugin's own check."""

    status: PluginHealth
    message: str = ""


def healthy() -> Health:
    """The verdict of a plugin that has nothing to check."""
    return Health(PluginHealth.OK)


@dataclass(frozen=True, kw_only=True)
class PluginSpec:
    """What a plugin is; its state is in its row."""

    #: Never renamed once released.
    name: str
    title: StrOrPromise
    #: The phase that it opens with.
    level: int
    depends_on: tuple[str, ...] = ()
    options: Mapping[str, PluginOption]
    schedules: tuple[PluginSchedule, ...] = ()
    health: Callable[[], Health] = healthy

    @property
    def default_configuration(self) -> dict[str, Any]:
        """The value of every option before anybody changes it."""
        return {name: option.default for name, option in self.options.items()}


@cache
def plugins() -> dict[str, PluginSpec]:
    """Every plugin of this release by name, lowest level first."""
    specs: dict[str, PluginSpec] = {}
    for phase in phases():
        module = f"{apps.get_app_config(phase.app_label).name}.plugins"
        if find_spec(module):
            specs |= {spec.name: spec for spec in getattr(import_module(module), "PLUGINS", ())}
    return specs


def plugin_spec(name: str) -> PluginSpec:
    """The plugin of this name. Raises PluginUnknownError."""
    try:
        return plugins()[name]
    except KeyError:
        raise PluginUnknownError(plugin=name, known=", ".join(plugins()) or "none") from None


def plugin_configuration(name: str) -> dict[str, Any]:
    """The values that count now: the defaults, and over them what staff configured."""
    spec = plugin_spec(name)
    stored = Plugin.objects.filter(name=name).values_list("configuration", flat=True).first() or {}
    return {**spec.default_configuration, **{key: stored[key] for key in spec.options if key in stored}}


def plugin_is_enabled(name: str) -> bool:
    """Whether the plugin is enabled, by one query on a table that every level has."""
    with connection.cursor() as cursor:  # every search asks
        cursor.execute("SELECT 1 FROM kb_plugins WHERE name = %s AND enabled", [name])
        return cursor.fetchone() is not None


def plugin_enable(*, name: str) -> Plugin:
    """Enable a plugin and set its schedules; an enabled one keeps the rhythm of its schedules.

    What staff configured earlier is kept. Raises PluginUnknownError, PluginClosedError,
    PluginDependencyError.
    """
    spec = plugin_spec(name)
    with transaction.atomic():
        _require_tables(spec)
        _require_dependencies(spec)
        plugin = _row_locked(spec)
        if not plugin.enabled:
            _state_save(plugin, enabled=True)
            for schedule in spec.schedules:
                schedule_set(name=schedule.name, function=schedule.function, every=schedule.every)
    return plugin


def plugin_disable(*, name: str) -> Plugin:
    """Disable a plugin and remove its schedules; its configuration and counters stay.

    Raises PluginUnknownError, PluginNeededError.
    """
    spec = plugin_spec(name)
    with transaction.atomic():
        _require_no_dependants(spec)
        plugin = _row_locked(spec)
        for schedule in spec.schedules:
            schedule_remove(name=schedule.name)
        if plugin.enabled:
            _state_save(plugin, enabled=False)
    return plugin


def plugins_align() -> None:
    """Make schedules what the rows say, after a restore or an import has changed the rows.

    A plugin whose level is closed is disabled, as a checkpoint made during a run may hold it enabled, and so is one
    that needs a disabled one.
    """
    level = site_level()
    for spec in plugins().values():
        if spec.level > level or not all(map(plugin_is_enabled, spec.depends_on)):
            Plugin.objects.filter(name=spec.name).update(enabled=False)
        enabled = plugin_is_enabled(spec.name)
        for schedule in spec.schedules:
            if enabled:
                schedule_set(name=schedule.name, function=schedule.function, every=schedule.every)
            else:
                schedule_remove(name=schedule.name)


def plugin_configure(*, name: str, configuration: Mapping[str, Any]) -> Plugin:
    """Change the named options of a plugin; the others keep their values.

    Raises PluginUnknownError, and PluginConfigurationError with every problem at once.
    """
    spec = plugin_spec(name)
    if problems := configuration_problems(spec, configuration):
        raise PluginConfigurationError(plugin=name, problems="; ".join(problems))
    with transaction.atomic():
        plugin = _row_locked(spec)
        plugin.configuration = {**spec.default_configuration, **plugin.configuration, **configuration}
        plugin.changed_at = timezone.now()
        plugin.save(update_fields=["configuration", "changed_at"])
    return plugin


def configuration_problems(spec: PluginSpec, configuration: Any) -> list[str]:
    """One line for every value that the plugin does not accept."""
    if not isinstance(configuration, Mapping):
        return ["the configuration must be an object of names and values"]
    problems = []
    for key, value in configuration.items():
        if key not in spec.options:
            problems.append(f"{key} is no option (there are: {', '.join(spec.options) or 'none'})")
        elif problem := spec.options[key].problem(value):
            problems.append(f"{key} {problem}")
    return problems


def plugin_health(*, name: str) -> Health:
    """Run the plugin's own check, keep its verdict in the row and return it."""
    spec = plugin_spec(name)
    try:
        health = spec.health()
    except Exception as error:  # noqa: BLE001 - a check that breaks is itself the finding
        health = Health(PluginHealth.FAIL, f"The check itself failed: {error}")
    Plugin.objects.filter(name=name).update(
        health=health.status, health_message=health.message[:HEALTH_MESSAGE_CHARS], health_checked_at=timezone.now()
    )
    return health


def plugin_hold(name: str) -> bool:
    """Whether the plugin is enabled; if so it stays enabled until the caller's transaction ends.

    For each batch of a plugin's task: a disable waits for the batch, the next batch sees it.
    """
    return Plugin.objects.select_for_update().filter(name=name, enabled=True).first() is not None


def plugin_task(name: str) -> Callable[[Callable[[], Metrics]], Callable[[], Metrics | None]]:
    """Decorator of a plugin's scheduled function, which returns figures about what it did.

    Counts runs and errors in the plugin's row. While the plugin is disabled, or its level is not
    open (yet, or any more), the function does nothing.
    """

    def decorate(function: Callable[[], Metrics]) -> Callable[[], Metrics | None]:
        @wraps(function)
        def task() -> Metrics | None:
            if not plugin_is_enabled(name) or site_level() < plugin_spec(name).level:
                return None
            started = time.monotonic()
            try:
                metrics = function()
            except Exception:
                _error_record(name, traceback.format_exc())
                raise
            _run_record(name, {function.__name__: {**metrics, "seconds": round(time.monotonic() - started, 3)}})
            return metrics

        return task

    return decorate


def _error_record(name: str, error: str) -> None:
    Plugin.objects.filter(name=name).update(
        run_count=F("run_count") + 1,
        error_count=F("error_count") + 1,
        last_run_at=timezone.now(),
        last_error=error[-ERROR_CHARS:],
    )


def _run_record(name: str, metrics: Metrics) -> None:
    with transaction.atomic():
        plugin = Plugin.objects.select_for_update().get(name=name)
        plugin.metrics = {**plugin.metrics, **metrics}
        plugin.run_count += 1
        plugin.last_run_at = timezone.now()
        plugin.save(update_fields=["metrics", "run_count", "last_run_at"])


def _row_locked(spec: PluginSpec) -> Plugin:
    Plugin.objects.get_or_create(
        name=spec.name,
        defaults={
            "title": str(spec.title),
            "phase_level": spec.level,
            "configuration": spec.default_configuration,
        },
    )
    return Plugin.objects.select_for_update().get(name=spec.name)


def _state_save(plugin: Plugin, *, enabled: bool) -> None:
    plugin.enabled = enabled
    plugin.health = PluginHealth.UNKNOWN
    plugin.health_message = ""
    plugin.changed_at = timezone.now()
    plugin.save(update_fields=["enabled", "health", "health_message", "changed_at"])


def _require_tables(spec: PluginSpec) -> None:
    # The tables and not the level: a run enables plugins before it opens their level.
    missing = [model for model in phase_at(spec.level).models() if not table_exists(model._meta.db_table)]
    if missing:
        raise PluginClosedError(plugin=spec.name, required=spec.level, level=site_level())


def _require_dependencies(spec: PluginSpec) -> None:
    enabled = set(
        Plugin.objects.select_for_update().filter(name__in=spec.depends_on, enabled=True).values_list("name", flat=True)
    )
    if missing := [name for name in spec.depends_on if name not in enabled]:
        raise PluginDependencyError(plugin=spec.name, missing=", ".join(missing))


def _require_no_dependants(spec: PluginSpec) -> None:
    dependants = [other.name for other in plugins().values() if spec.name in other.depends_on]
    enabled = Plugin.objects.filter(name__in=dependants, enabled=True).order_by("name")
    if names := list(enabled.values_list("name", flat=True)):
        raise PluginNeededError(plugin=spec.name, dependants=", ".join(names))
