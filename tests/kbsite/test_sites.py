"""The fixtures that give whole sites, on both databases."""

from __future__ import annotations

import pytest

from migrations_ops.gate import site_level, table_exists
from tests.sites import Site


@pytest.mark.django_db
def test_the_shared_database_is_at_mvp1_and_has_the_tables_of_every_level() -> None:
    assert site_level() == 1
    assert table_exists("search_analytics")


@pytest.mark.usefixtures("level_2")
def test_level_2_opens_the_next_level() -> None:
    assert site_level() == 2


def test_a_site_starts_at_mvp1_without_the_tables_of_mvp2(site: Site) -> None:
    done = site.python(
        "-c",
        "import django; django.setup()\n"
        "from django.db import connection\n"
        "from migrations_ops.gate import site_level, table_exists\n"
        "print(connection.vendor, site_level(), table_exists('kb_entries'), table_exists('search_analytics'))",
    )
    assert done.stdout.split() == [site.vendor, "1", "True", "False"]
