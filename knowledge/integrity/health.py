"""Parts of the site's health that only the knowledge base can judge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.models import Plugin, PluginHealth, SearchQuery
from migrations_ops.integrity.check import HealthFact

#: Searches that are looked at, the newest ones.
SEARCHES = 2_000
RECENT = timedelta(days=7)
SLOW_MS, TOO_SLOW_MS = 200, 1_000


def search_health() -> Iterator[HealthFact]:
    """How long the slowest one in twenty of the last searches took."""
    recent = SearchQuery.objects.filter(created_at__gte=timezone.now() - RECENT)
    times = sorted(recent.order_by("-pk").values_list("elapsed_ms", flat=True)[:SEARCHES])
    title = _("Search time (p95)")
    if not times:
        yield HealthFact(name="search", title=title, tone="ok", value=_("no search"), hint=_("in the last 7 days"))
        return
    slow = times[min(len(times) - 1, int(len(times) * 0.95))]
    tone = "ok" if slow < SLOW_MS else "warn" if slow < TOO_SLOW_MS else "fail"
    yield HealthFact(
        name="search",
        title=title,
        tone=tone,
        value=f"{slow:.0f} ms",
        hint=_("of the last %(n)d searches") % {"n": len(times)},
        remedy="" if tone == "ok" else _("Make the search index again, and look what else keeps the machine busy."),
    )


def plugins_health() -> Iterator[HealthFact]:
    """The verdicts of the enabled plugins."""
    rows = list(Plugin.objects.filter(enabled=True).values_list("title", "health"))
    failing = [title for title, health in rows if health == PluginHealth.FAIL]
    warned = [title for title, health in rows if health == PluginHealth.WARN]
    yield HealthFact(
        name="plugins",
        title=_("Plugins"),
        tone="fail" if failing else "warn" if warned else "ok",
        value=_("%(n)d enabled") % {"n": len(rows)},
        hint=", ".join([*failing, *warned]) or _("all in order"),
        remedy=_("Read the plugin's message in the admin.") if failing or warned else "",
    )


HEALTH = (plugins_health, search_health)
