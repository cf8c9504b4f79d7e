"""Fixtures that every test can use.

The shared test database has the tables of every level while its level is 1, as on a new site:
`level_2` opens the next one. Whole sites of their own: `site`, `empty_site` (both databases each).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.order import long_first, needs_database, takes_long
from tests.postgres import PostgresMissingError, PostgresServer
from tests.postgres import postgres_server as start_postgres
from tests.sites import Site, site_copy, site_drop, site_new

VENDORS = ["sqlite", "postgresql"]


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Marks what one database is enough for, lets pytest choose and sort, then puts the long tests first."""
    for item in items:
        if {"vendor", "postgres_server"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("own_site")
        elif not needs_database(item):
            item.add_marker("no_database")
        if takes_long(item):
            item.add_marker("no_cover")  # measured, they take twice as long; what they run others run too
    yield
    if hasattr(config, "workerinput"):
        items[:] = long_first(items, config.workerinput["workercount"])


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Makes the tables of the closed levels too; on SQLite that cannot happen inside a test's transaction."""
    from migrations_ops.phase import phases
    from migrations_ops.schema import app_open, ddl_transaction

    with django_db_blocker.unblock():
        for phase in phases():
            with ddl_transaction():
                app_open(phase.app_label)


@pytest.fixture
def level_2(db: None) -> None:
    """A site at MVP2."""
    from migrations_ops.gate import site_level_set

    site_level_set(2)


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """The PostgreSQL server of the tests; skips where KB_TEST_WITHOUT_POSTGRES=1 and there is none."""
    try:
        return start_postgres()
    except PostgresMissingError as error:
        if os.environ.get("KB_TEST_WITHOUT_POSTGRES") == "1":
            pytest.skip(str(error))
        raise


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    """Each database that a site can live on."""
    if request.param == "postgresql":
        request.getfixturevalue("postgres_server")
    return str(request.param)


@pytest.fixture
def empty_site(vendor: str, tmp_path: Path) -> Iterator[Site]:
    """A site on which nothing was run yet, not even `migrate`."""
    site = site_new(vendor, tmp_path / "site")
    yield site
    site_drop(site)


class SiteTemplates(dict[str, Site]):
    """Migrated sites by vendor, made when first wanted."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        super().__init__()
        self.folders = folders

    def __missing__(self, vendor: str) -> Site:
        site = site_new(vendor, self.folders.mktemp(f"template-{vendor}"))
        site.manage("migrate", "--verbosity=0")
        self[vendor] = site
        return site


@pytest.fixture(scope="session")
def site_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    """Migrated sites by vendor that others copy."""
    made = SiteTemplates(tmp_path_factory)
    yield made
    for site in made.values():
        site_drop(site)


@pytest.fixture
def site(
    vendor: str,
    tmp_path: Path,
    site_templates: dict[str, Site],
) -> Iterator[Site]:
    """A site at MVP1 with all its tables and no rows."""
    copy = site_copy(site_templates[vendor], tmp_path / "site")
    yield copy
    site_drop(copy)


@pytest.fixture
def on_sqlite(db: None) -> bool:
    """Whether the shared test database is SQLite."""
    return connection.vendor == "sqlite"
