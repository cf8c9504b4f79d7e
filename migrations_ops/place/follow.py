"""How a process finds out that the site's database was moved, and where it is now."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import RAN_DB_VERSION_CHECK

from migrations_ops.errors import PlaceDamagedError
from migrations_ops.place.pointer import KNOWN, Known, Place, Stamp, place_read, place_settings, place_stamp

log = logging.getLogger(__name__)

#: One thread of a process reads the pointer; the others take what it made of it.
_reading = threading.Lock()


def place_follow() -> None:
    """Have this thread's connection go to where the site's database is, unless it is in a transaction."""
    connection: Any = connections[DEFAULT_DB_ALIAS]
    connection.follow()


def moved(known: Known) -> bool:
    """Whether the pointer is another one than that of which `known` was made."""
    return place_stamp(known.path) != known.stamp


def settings_now(settings: dict[str, Any]) -> dict[str, Any] | None:
    """What to go to from a connection with these settings, or None when its database is the right one.

    It stays when the pointer is gone or damaged: nothing else can have become the truth meanwhile. New
    processes refuse to start then. Raises PlaceSecretError.
    """
    with _reading:
        current = connections.settings[DEFAULT_DB_ALIAS]
        stamp = place_stamp(current[KNOWN].path)
        if stamp != current[KNOWN].stamp:
            current = _read(current, stamp)
        return None if current is settings else current


def _read(current: dict[str, Any], stamp: Stamp) -> dict[str, Any]:
    """The settings of `default` after the pointer has changed."""
    known: Known = current[KNOWN]
    place = _place_after(known)
    if place and place.epoch > known.epoch:
        return _swapped(place_settings(place, known.folder, stamp=stamp))
    current[KNOWN] = replace(known, stamp=stamp)  # so that the next look is a cheap one again
    return current


def _place_after(known: Known) -> Place | None:
    try:
        place = place_read(known.folder)
    except PlaceDamagedError as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence is enough, and the site goes on
        return None
    if place is None:
        log.error("%s is gone. Bring it back before any process of the site is started.", known.path)
    return place


def _swapped(settings: dict[str, Any]) -> dict[str, Any]:
    """Make these the settings of `default` in this process."""
    settings = connections.configure_settings({DEFAULT_DB_ALIAS: settings})[DEFAULT_DB_ALIAS]
    connections.settings[DEFAULT_DB_ALIAS] = settings
    RAN_DB_VERSION_CHECK.discard(DEFAULT_DB_ALIAS)
    if apps.is_installed("django.contrib.contenttypes"):
        from django.contrib.contenttypes.models import ContentType

        ContentType.objects.clear_cache()
    log.info("The site's database is now %s (move %s)", settings["ENGINE"].rpartition(".")[2], settings[KNOWN].epoch)
    return settings
