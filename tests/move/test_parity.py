"""Real searches on two databases with the same rows: the same answers, and a difference is seen."""

from __future__ import annotations

import pytest
from django.db import connection

from knowledge.models import Entry, SearchQuery
from knowledge.starter import starter_load
from migrations_ops.move.parity import parity_differences, parity_queries
from migrations_ops.move.tables import tables_moved
from migrations_ops.move.values import rows_fetch, rows_write
from tests.move.conftest import Pair


@pytest.mark.django_db
def test_searches_find_the_same_on_both_databases_and_a_lost_index_row_is_seen(pair: Pair) -> None:
    starter_load()
    for text in ("S0C7", "file status 35", "deadlock", "JCL error", "cics abend", "recieve"):
        SearchQuery.objects.create(query=text, normalized=text)
    other = pair.other(connection.vendor)
    for table in tables_moved(connection):
        if table.name.startswith("kb_"):
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {table.key.name} FROM {table.name}")
                keys = [row[0] for row in cursor.fetchall()]
            rows_write(other, table, rows_fetch(connection, table, keys))
    queries = list(parity_queries())
    assert len(queries) == 26
    assert list(parity_differences(queries, "default", other.alias)) == [None] * 26
    lost = Entry.objects.filter(title__startswith="S0C7").order_by("pk")[0]
    with other.cursor() as cursor:
        cursor.execute("DELETE FROM kb_search_docs WHERE entry_id = %s", [lost.pk.hex])
    found = [each for each in parity_differences(queries, "default", other.alias) if each]
    assert "search.S0C7: other answer" in "\n".join(map(str, found))
