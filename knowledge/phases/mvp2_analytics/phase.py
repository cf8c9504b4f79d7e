"""MVP2: analytics of searches and feedback, and patterns in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from knowledge.phases.mvp2_analytics.models import UsageMetric
from knowledge.phases.mvp2_analytics.plugins import ANALYTICS, PATTERNS
from knowledge.phases.mvp2_analytics.searches import searches_missing, searches_sweep
from knowledge.phases.mvp2_analytics.steps import steps
from knowledge.phases.mvp2_analytics.usage import today
from knowledge.plugins import plugin_is_enabled
from migrations_ops.integrity.check import Check, Example, Found
from migrations_ops.integrity.cleanup import Cleanup, Options
from migrations_ops.integrity.journal import Work
from migrations_ops.models import CheckStatus, Finding, FindingStatus
from migrations_ops.phase import NavLink, Phase
from migrations_ops.steps.base import Batch, Cursor


def searches_complete() -> Iterator[Finding]:
    """Whether every search has its row; unsaved, for the engine's lists of findings."""
    missing = searches_missing().count()
    yield Finding(
        code="analytics.searches_complete",
        title="Every search is in analytics",
        status=FindingStatus.WARN if missing else FindingStatus.PASS,
        evidence=f"{missing} search(es) without a row in analytics",
        remedy="The next hourly aggregation adds them." if missing else "",
    )


def plugins_enabled() -> Iterator[Finding]:
    """Whether the plugins of an open MVP2 are enabled."""
    disabled = [name for name in (ANALYTICS, PATTERNS) if not plugin_is_enabled(name)]
    yield Finding(
        code="analytics.plugins_enabled",
        title="The plugins of analytics are enabled",
        status=FindingStatus.WARN if disabled else FindingStatus.PASS,
        evidence=f"Disabled: {', '.join(disabled)}" if disabled else "Both are enabled",
        remedy="Enable them on the plugins page of the admin." if disabled else "",
    )


def searches_lost(limit: int) -> Found:
    """Searches without their row in analytics."""
    missing = searches_missing()
    queries = missing.values_list("query", flat=True)[:limit]
    return Found(missing.count(), tuple(Example(query) for query in queries))


def days_ahead(limit: int) -> Found:
    """Rows of analytics of days that have not come."""
    late = UsageMetric.objects.filter(day__gt=today() + timedelta(days=1))
    rows = late.order_by("pk").values_list("entry_id", "day")[:limit]
    return Found(late.count(), tuple(Example(str(day), reverse("entry", args=[pk])) for pk, day in rows))


def searches_preview(options: Options, limit: int) -> Found:
    """Searches that would get their row."""
    return searches_lost(limit)


def searches_brought(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Add the missing rows, the oldest search first."""
    while added := searches_sweep():
        yield Batch(None, added)


PHASE = Phase(
    level=2,
    title=_("Analytics and patterns"),
    summary=_("What people search for, what they find, and what keeps coming back."),
    app_label="analytics",
    opens=(
        _("See searches, answers and search times by day"),
        _("Turn queries without a result into entries and aliases"),
        _("Find entries that are used most, and those that nobody uses"),
        _("Follow patterns: repeated questions, surging codes, entries that do not help"),
    ),
    nav=(
        NavLink(title=_("Analytics"), url_name="analytics:dashboard", permission="analytics.view_searchanalytics"),
        NavLink(title=_("Patterns"), url_name="analytics:patterns", permission="analytics.view_usagepattern"),
    ),
    plugins=(ANALYTICS, PATTERNS),
    steps=steps,
    checks=(searches_complete, plugins_enabled),
    integrity_checks=(
        Check(
            name="analytics_searches",
            title=_("Every search is in analytics"),
            help=_("Figures of searches are too low until the rows are there; the hourly aggregation adds them too."),
            severity=CheckStatus.WARNING,
            find=searches_lost,
            repair="analytics_catch_up",
        ),
        Check(
            name="analytics_days",
            title=_("Analytics has no day to come"),
            help=_("A clock was wrong when usage was counted. These rows stand in charts from that day on."),
            severity=CheckStatus.WARNING,
            find=days_ahead,
        ),
    ),
    cleanups=(
        Cleanup(
            name="analytics_catch_up",
            title=_("Bring missing searches into analytics"),
            consequences=(_("Each search without a row in analytics gets it. No search changes."),),
            preview=searches_preview,
            apply=searches_brought,
            undoable=False,
        ),
    ),
)
