"""Gives every search its row of analytics in the transaction of the search itself."""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models.signals import post_save

from knowledge.models import SearchQuery
from knowledge.phases.mvp2_analytics.plugins import ANALYTICS
from knowledge.phases.mvp2_analytics.searches import search_sync
from knowledge.plugins import plugin_is_enabled

logger = logging.getLogger(__name__)


def search_saved(sender: type[SearchQuery], instance: SearchQuery, raw: bool = False, **kwargs: Any) -> None:
    """Sync the row of a saved search while the analytics plugin is enabled.

    The plugin and not the level decides: it is enabled before the history is migrated and disabled
    before the table goes, so no search falls between. A search never fails for its analytics: the
    savepoint keeps it, and the next aggregation adds the row.
    """
    if raw or not plugin_is_enabled(ANALYTICS):
        return
    try:
        with transaction.atomic():
            search_sync(instance)
    except DatabaseError:
        logger.warning("search %s has no analytics row yet; the next aggregation adds it", instance.pk, exc_info=True)


def connect() -> None:
    """Listen to saved searches; called once when the app is ready."""
    post_save.connect(search_saved, sender=SearchQuery, dispatch_uid="analytics.search_saved")
