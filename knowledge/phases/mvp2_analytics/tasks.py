"""The scheduled work of MVP2, in short batches; each holds its plugin, so that a disable waits for it."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from knowledge.phases.mvp2_analytics import usage
from knowledge.phases.mvp2_analytics.detection import DETECTORS
from knowledge.phases.mvp2_analytics.patterns import detection_limits, patterns_record
from knowledge.phases.mvp2_analytics.plugins import ANALYTICS, PATTERNS
from knowledge.phases.mvp2_analytics.searches import RESYNC_WINDOW, searches_resync, searches_sweep
from knowledge.plugins import Metrics, plugin_hold, plugin_task


def _batches(plugin: str, batch: Callable[[], int]) -> int:
    """Run `batch`, each in its transaction, until it has nothing left or the plugin is disabled."""
    total = 0
    while True:
        with transaction.atomic():
            rows = batch() if plugin_hold(plugin) else 0
        if not rows:
            return total
        total += rows


@plugin_task(ANALYTICS)
def analytics_aggregate() -> Metrics:
    """Bring search_analytics and usage_metrics up to date."""
    return {
        "searches_added": _batches(ANALYTICS, searches_sweep),
        "searches_refreshed": _resync(),
        "entries_counted": _batches(ANALYTICS, _views_batch),
        "outcome_days": _outcomes(),
    }


def _resync() -> int:
    since, after = timezone.now() - RESYNC_WINDOW, 0

    def batch() -> int:
        nonlocal after
        last = searches_resync(since, after)
        after = last or after
        return 1 if last else 0

    return _batches(ANALYTICS, batch)


def _views_batch() -> int:
    entries = list(usage.entries_uncounted()[: usage.BATCH_ENTRIES])
    usage.views_add(entries)
    return len(entries)


def _outcomes() -> int:
    batches = usage.outcomes_set(usage.today() - usage.RECOUNT_WINDOW)
    return _batches(ANALYTICS, lambda: next(batches, 0))


@plugin_task(PATTERNS)
def patterns_detect() -> Metrics:
    """Look for every type of pattern."""
    limits = detection_limits()
    metrics: Metrics = {}
    for type_, detect in DETECTORS.items():
        # Reading may take a while, so it stays outside: on SQLite a transaction keeps writers out.
        detections = detect(limits)
        with transaction.atomic():
            if plugin_hold(PATTERNS):
                metrics[type_.value] = patterns_record(detections=detections, limits=limits)
    return metrics
