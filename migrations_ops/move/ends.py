"""Connections of the mover's own to both ends of a move, apart from `default`, which changes its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.models import Move
from migrations_ops.move.tables import Table, tables_moved
from migrations_ops.place.pointer import Place, place_read, place_settings

#: A network that is gone ends what waits for it, so that the run can say so and go on when it is back.
PATIENT = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


@dataclass(frozen=True)
class Ends:
    """Both databases of a move, open. Source and target keep their names when the site goes back."""

    source: BaseDatabaseWrapper
    target: BaseDatabaseWrapper
    #: What is moved, as the source has it.
    tables: tuple[Table, ...]

    @property
    def turned(self) -> Ends:
        """The same in the other direction, for the way back."""
        return Ends(source=self.target, target=self.source, tables=tables_moved(self.target))


def place_of_source(move: Move) -> Place:
    """Where the site is before the cut-over."""
    return Place(epoch=move.epoch, url=move.source_url, secret=move.source_secret, site=move.site)


def place_of_target(move: Move) -> Place:
    """Where the site is after the cut-over."""
    return Place(epoch=move.epoch + 1, url=move.target_url, secret=move.target_secret, site=move.site)


def place_of_return(move: Move) -> Place:
    """Where the site is after it has gone back."""
    return Place(epoch=move.epoch + 2, url=move.source_url, secret=move.source_secret, site=move.site)


def is_at_target(move: Move) -> bool:
    """Whether the site lives in the target now, by the pointer."""
    here = place_read(data_dir())
    return here is not None and here.url == move.target_url


def data_dir() -> Path:
    """Where the pointer is."""
    return Path(settings.DATA_DIR)


@contextmanager
def connection_to(place: Place) -> Iterator[BaseDatabaseWrapper]:
    """A connection under a name of its own, which never follows the pointer; closed at the end."""
    alias = f"move-{uuid4().hex}"
    settings_there = place_settings(place, data_dir())
    if not place.url.startswith("sqlite"):
        settings_there["OPTIONS"] = {**PATIENT, **settings_there["OPTIONS"]}
    connections.settings[alias] = connections.configure_settings({"default": {}, alias: settings_there})[alias]
    connection = connections[alias]
    try:
        yield connection
    finally:
        connection.close()
        del connections[alias]
        del connections.settings[alias]


@contextmanager
def ends_open(move: Move) -> Iterator[Ends]:
    """Both ends of a move."""
    with connection_to(place_of_source(move)) as source, connection_to(place_of_target(move)) as target:
        yield Ends(source, target, tables_moved(source))
