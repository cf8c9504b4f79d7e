"""The plugins of MVP2: analytics, and pattern detection, which needs it."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models import Plugin, PluginHealth
from knowledge.phases.mvp2_analytics.searches import searches_missing
from knowledge.plugins import Health, PluginOption, PluginSchedule, PluginSpec

ANALYTICS = "analytics"
PATTERNS = "pattern_detection"

TASKS = "knowledge.phases.mvp2_analytics.tasks"
AGGREGATION_EVERY = timedelta(hours=1)
DETECTION_EVERY = timedelta(minutes=5)

#: A task that has not run for this many of its periods is late.
LATE_PERIODS = 3


def analytics_health() -> Health:
    """Warns of a late aggregation and of searches that wait for their row."""
    missing = searches_missing().count()
    if late := _late(ANALYTICS, AGGREGATION_EVERY):
        return Health(PluginHealth.WARN, late)
    if missing:
        return Health(PluginHealth.WARN, f"{missing} searches wait for the next aggregation.")
    return Health(PluginHealth.OK, "Every search is in analytics.")


def patterns_health() -> Health:
    """Warns of a late detection."""
    if late := _late(PATTERNS, DETECTION_EVERY):
        return Health(PluginHealth.WARN, late)
    return Health(PluginHealth.OK, "Detection runs on time.")


def _late(name: str, every: timedelta) -> str:
    plugin = Plugin.objects.get(name=name)
    since = max(filter(None, (plugin.last_run_at, plugin.changed_at)))
    age = timezone.now() - since
    if age <= LATE_PERIODS * every:
        return ""
    return f"Last run {int(age.total_seconds() // 60)} minutes ago; it is due every {every}. Is the worker alive?"


PLUGINS = (
    PluginSpec(
        name=ANALYTICS,
        title=_("Search and usage analytics"),
        level=2,
        options={
            "stale_after_days": PluginOption(
                default=180,
                minimum=1,
                maximum=3_650,
                help=_("A published entry that nobody used for this many days is listed as stale."),
            ),
        },
        schedules=(
            PluginSchedule(
                name="analytics-aggregation", function=f"{TASKS}.analytics_aggregate", every=AGGREGATION_EVERY
            ),
        ),
        health=analytics_health,
    ),
    PluginSpec(
        name=PATTERNS,
        title=_("Pattern detection"),
        level=2,
        depends_on=(ANALYTICS,),
        options={
            "min_occurrences": PluginOption(
                default=3, minimum=2, maximum=1_000, help=_("How often something must happen to be a pattern.")
            ),
            "min_confidence": PluginOption(
                default=0.7, minimum=0.0, maximum=1.0, help=_("Patterns below this confidence are not shown.")
            ),
            "window_days": PluginOption(
                default=30, minimum=1, maximum=365, help=_("How many days back detection looks.")
            ),
        },
        schedules=(
            PluginSchedule(name="analytics-patterns", function=f"{TASKS}.patterns_detect", every=DETECTION_EVERY),
        ),
        health=patterns_health,
    ),
)
