"""The real server, with people on it, while its database is followed, becomes another one and comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django import DjangoDbBlocker

from migrations_ops.move.cutover import CutoverReport, cutover
from migrations_ops.move.drain import drain
from migrations_ops.move.fence import fence_is_up
from migrations_ops.move.return_path import return_drain
from migrations_ops.move.tables import Table, tables_moved
from migrations_ops.place.addresses import database_settings
from migrations_ops.place.pointer import place_of_settings, place_read, site_id
from tests.engine.live import Crowd
from tests.move.following import content, copied
from tests.place.moving import Mover
from tests.postgres import PostgresServer, database_name
from tests.sites import Site, site_copy, site_drop, site_new

SETUP = """
from knowledge.entries import entry_create
entry = entry_create(title="S0C7 in payroll", problem="A data exception in step 20.", solution="Initialise it first.",
    category="COBOL", severity="high", tags=["abend"], codes=["S0C7"], status="published", origin="manual", author=None)
print(entry.pk)
"""
VOTES = "SELECT count(*) FROM kb_feedback"
TIMEOUT_SECONDS = 60


@dataclass
class Followed(Mover):
    """Moves the site while it works: recorded, drained, cut over."""

    def follow(self, source: BaseDatabaseWrapper, target: BaseDatabaseWrapper) -> tuple[Table, ...]:
        """Copy the source, or bring the database up to date that the site was in before."""
        if not place_read(self.data_dir):
            return copied(source, target)
        tables = tables_moved(source)
        return_drain(live=source, old=target, tables=tables, data_dir=self.data_dir)
        return tables

    def carry(self, vendor: str) -> CutoverReport:
        """Bring the site to this database."""
        other = next(each for each in self.urls if each != vendor)
        with self.connection(other) as source, self.connection(vendor) as target:
            tables = self.follow(source, target)
            drain(source, target, tables)
            known = place_read(self.data_dir)
            settings = database_settings(self.urls[vendor], self.data_dir)
            place = place_of_settings(
                settings, self.data_dir, epoch=known.epoch + 1 if known else 1, site=site_id(self.data_dir)
            )
            return cutover(
                source=source,
                target=target,
                tables=tables,
                place_new=place,
                data_dir=self.data_dir,
                patience=timedelta(seconds=2),
                tries=20,
            )


@pytest.fixture
def moving_site(
    site_templates: dict[str, Site],
    postgres_server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[tuple[Site, Followed]]:
    """A site in its embedded file, and what moves it to a PostgreSQL database and back."""
    for vendor in ("sqlite", "postgresql"):
        if vendor not in site_templates:
            site_templates[vendor] = site_new(vendor, tmp_path_factory.mktemp(f"template-{vendor}"))
            site_templates[vendor].manage("migrate", "--verbosity=0")
    copy = site_copy(site_templates["sqlite"], tmp_path / "site")
    url = postgres_server.create_database(template=database_name(site_templates["postgresql"].url))
    with django_db_blocker.unblock():
        yield (
            Site("sqlite", copy.data_dir, ""),
            Followed(copy.data_dir, {"sqlite": "sqlite:kb.sqlite3", "postgresql": url}),
        )
    site_drop(Site("postgresql", copy.data_dir, url))


@pytest.mark.own_site
def test_no_vote_is_lost_or_doubled_and_nobody_sees_an_error(
    moving_site: tuple[Site, Followed], settings: object
) -> None:
    site, mover = moving_site
    entry = site.manage("shell", "--verbosity=0", "--command", SETUP).stdout.strip().splitlines()[-1]
    settings.SECRET_KEY = (site.data_dir / "secret_key").read_text().strip()
    with site.served() as served:
        crowd = Crowd(served.address, f"/entries/{entry}/", ("/", "/search/?q=s0c7", "/browse/", "/readyz"))
        crowd.start()
        for vendor in ("postgresql", "sqlite", "postgresql"):
            votes_come(crowd)
            report = mover.carry(vendor)
            assert report.held < timedelta(seconds=2)
            assert report.strays == ()
            votes_come(crowd)
        crowd.stop()
        assert crowd.errors == []
        assert mover.one("postgresql", VOTES) == crowd.votes
    with mover.connection("postgresql") as live, mover.connection("sqlite") as old:
        tables = tables_moved(live)
        return_drain(live=live, old=old, tables=tables, data_dir=site.data_dir)
        assert fence_is_up(old)
        assert content(old, tables) == content(live, tables)


def votes_come(crowd: Crowd) -> None:
    """Wait until people have voted some more."""
    wanted, deadline = crowd.votes + 15, time.monotonic() + TIMEOUT_SECONDS
    while crowd.votes < wanted and not crowd.errors:
        assert time.monotonic() < deadline, "nobody can vote"
        time.sleep(0.05)
