"""MVP2: analytics of searches and feedback, and patterns in them."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from knowledge.phases.mvp2_analytics.plugins import ANALYTICS, PATTERNS
from knowledge.phases.mvp2_analytics.searches import searches_missing
from knowledge.phases.mvp2_analytics.steps import steps
from knowledge.plugins import plugin_is_enabled
from migrations_ops.models import Finding, FindingStatus
from migrations_ops.phase import NavLink, Phase


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
)
