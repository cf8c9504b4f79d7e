"""Gives every search its row of analytics in the transaction of the search itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models.signals import post_save

from knowledge.models import SearchQuery
from knowledge.phases.mvp2_analytics.plugins import ANALYTICS
from knowledge.phases.mvp2_analytics.searches import search_mark_opened, searches_sync
from knowledge.plugins import plugin_is_enabled
from knowledge.searches import search_led_on

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


def _follow(search_id: int, change: Callable[[], None]) -> None:
    if not plugin_is_enabled(ANALYTICS):
        return
    try:
        with transaction.atomic():
            change()
    except DatabaseError:
        logger.warning("search %s is not in analytics yet; the next aggregation adds it", search_id, exc_info=True)


def connect() -> None:
    """Listen to searches; called once when the app is ready."""
    post_save.connect(search_saved, sender=SearchQuery, dispatch_uid="analytics.search_saved")
    search_led_on.connect(search_opened, sender=SearchQuery, dispatch_uid="analytics.search_opened")
