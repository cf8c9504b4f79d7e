"""MVP1: the knowledge base itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from knowledge.entries import entries_refresh
from knowledge.following import flags_open_count
from knowledge.integrity import CHECKS, CLEANUPS, HEALTH
from knowledge.models import EntryCode, EntryTag, Plugin, Setting
from knowledge.plugins import plugins_align
from knowledge.reviews import reviews_pending_count
from knowledge.risks import search_time_risk, writers_risk
from knowledge.search import index_check, index_rebuild, index_resync, search_parity
from knowledge.transfer.tasks import TASKS
from migrations_ops.integrity.step import CLEANUP_TASK
from migrations_ops.models import Finding, FindingStatus
from migrations_ops.phase import NavLink, Phase


def search_index_checked() -> Iterator[Finding]:
    """Whether a search can find every entry as it is now."""
    found = index_check()
    yield Finding(
        code="search_index",
        title=gettext("Search index"),
        status=FindingStatus.PASS if found.ok else FindingStatus.WARN,
        evidence=gettext(
            "%(entries)d entries; %(missing)d not in the index, %(outdated)d indexed with an older text, "
            "%(orphaned)d index rows without an entry."
        )
        % found.as_dict(),
        remedy="" if found.ok else gettext("Run `manage.py kb index rebuild`; readers can go on meanwhile."),
    )


def search_index_rebuilt() -> None:
    """Make the search index again from the restored entries."""
    index_rebuild()


def entries_mended(table: str, keys: Sequence[Any]) -> None:
    """Render and index again the entries whose own rows, tags or codes a repair has changed."""
    tags, codes = EntryTag.objects.order_by(), EntryCode.objects.order_by()
    if table == "kb_entries":
        entries_refresh(UUID(str(key)) for key in keys)
    elif table in {"kb_tags", "kb_entry_tags"}:
        rows = tags.filter(tag__in=keys) if table == "kb_tags" else tags.filter(pk__in=keys)
        entries_refresh(rows.values_list("entry_id", flat=True).distinct())
    elif table in {"kb_error_codes", "kb_entry_codes"}:
        links = codes.filter(error_code__in=keys) if table == "kb_error_codes" else codes.filter(pk__in=keys)
        entries_refresh(links.values_list("entry_id", flat=True).distinct())


def settings_and_plugins(using: str) -> dict[str, Any]:
    """What staff have set, for the manifest of a checkpoint."""
    plugins = Plugin.objects.using(using).values_list("name", "enabled", "configuration")
    return {
        "settings": dict(Setting.objects.using(using).values_list("key", "value")),
        "plugins": {name: {"enabled": enabled, "configuration": values} for name, enabled, values in plugins},
    }


PHASE = Phase(
    level=1,
    title=_("Knowledge base"),
    summary=_("Entries, tags, error codes, search, feedback, import and export."),
    app_label="knowledge",
    describe=settings_and_plugins,
    state_models=frozenset({"Plugin"}),
    private_models=frozenset({"ApiToken", "Import", "ImportedRow"}),
    opens=(_("Write, find and rate entries"), _("Import and export in the console, small files in the admin too")),
    console_nav=(NavLink(title=_("Bulk data"), url_name="bulk"),),
    nav=(
        NavLink(title=_("Browse"), url_name="browse"),
        NavLink(title=_("Logs"), url_name="logs"),
        NavLink(
            title=_("Reviews"),
            url_name="reviews",
            permission="knowledge.validate_entry",
            count=reviews_pending_count,
        ),
        NavLink(title=_("Reports"), url_name="flags", permission="knowledge.change_entryflag", count=flags_open_count),
    ),
    checks=(search_index_checked,),
    integrity_checks=CHECKS,
    cleanups=CLEANUPS,
    health=HEALTH,
    tasks=(*TASKS, CLEANUP_TASK),
    risks=(search_time_risk, writers_risk),
    derived_models=frozenset({"SearchDoc", "SearchGram", "SearchTerm"}),
    parity=(search_parity,),
    after_restore=(search_index_rebuilt, plugins_align),
    after_copy=(index_resync,),
    after_repair=(entries_mended,),
)
