"""Gives every search its row of analytics in the transaction of the search itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import DatabaseError, router, transaction
from django.db.models.signals import post_save

from knowledge.merging import entry_merged
from knowledge.models import Entry, SearchQuery
from knowledge.phases.mvp2_analytics.models import UsageMetric
from knowledge.phases.mvp2_analytics.plugins import ANALYTICS
from knowledge.phases.mvp2_analytics.searches import search_mark_opened, searches_sync
from knowledge.phases.mvp2_analytics.usage import usage_merge
from knowledge.plugins import plugin_is_enabled
from knowledge.searches import search_led_on
from migrations_ops.gate import table_exists

logger = logging.getLogger(__name__)


def search_saved(sender: type[SearchQuery], instance: SearchQuery, raw: bool = False, **kwargs: Any) -> None:
    """Sync the row of a saved search while the analytics plugin is enabled.

    The plugin and not the level decides: it is enabled before the history is migrated and disabled
    before the table goes, so no search falls between. A search never fails for its analytics: the
    savepoint keeps it, and the next aggregation adds the row.
    """
    if not raw:
        _follow(instance.pk, lambda: searches_sync([instance]))


def search_opened(sender: type[SearchQuery], search_id: int, **kwargs: Any) -> None:
    """Note in the row of a search that it led to an entry, as `search_saved` does."""
    _follow(search_id, lambda: search_mark_opened(search_id))


def entry_was_merged(sender: type[Entry], kept_id: UUID, duplicate_id: UUID, **kwargs: Any) -> None:
    """Add the usage of a merged entry to the kept one, before its rows go with it.

    The table decides: rows that are there must not be lost because the plugin is switched off.
    """
    if table_exists(UsageMetric._meta.db_table, router.db_for_write(UsageMetric)):
        usage_merge(kept_id=kept_id, duplicate_id=duplicate_id)


def _follow(search_id: int, change: Callable[[], None]) -> None:
    if not plugin_is_enabled(ANALYTICS):
        return
    try:
        with transaction.atomic():
            change()
    except DatabaseError:
        logger.warning("search %s is not in analytics yet; the next aggregation adds it", search_id, exc_info=True)


def connect() -> None:
    """Listen to searches and merges; called once when the app is ready."""
    post_save.connect(search_saved, sender=SearchQuery, dispatch_uid="analytics.search_saved")
    entry_merged.connect(entry_was_merged, sender=Entry, dispatch_uid="analytics.entry_merged")
    search_led_on.connect(search_opened, sender=SearchQuery, dispatch_uid="analytics.search_opened")
