"""What a move carries: every table of the site, with columns that mean the same on both databases."""

from __future__ import annotations

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import models

from migrations_ops.errors import ColumnUnknownError
from migrations_ops.move.tables import OWN_PREFIX, ColumnKind, column_of, tables_moved
from tests.move.conftest import Pair

#: Tables that a vendor's own search index lives in; they follow kb_search_docs and are made again from it.
FOLLOWERS = ("kb_search_head", "kb_search_words", "kb_search_vectors")


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_every_table_of_the_database_moves_or_follows(vendor: str, pair: Pair) -> None:
    connection = pair.of(vendor)
    with connection.cursor() as cursor:
        there = {name for name in connection.introspection.table_names(cursor) if not name.startswith(OWN_PREFIX)}
    moved = {table.name for table in tables_moved(connection)}
    assert {name for name in there - moved if not name.startswith(FOLLOWERS)} == set()
    assert moved <= there
    assert "django_migrations" in moved
    assert "kb_entry_tags" in moved


def test_both_databases_have_the_same_tables_and_columns(pair: Pair) -> None:
    assert tables_moved(pair.sqlite) == tables_moved(pair.postgresql)
    for table in tables_moved(pair.sqlite):
        for connection in (pair.sqlite, pair.postgresql):
            with connection.cursor() as cursor:
                columns = connection.introspection.get_table_description(cursor, table.name)
            assert {column.name for column in columns} == set(table.names), (table.name, connection.vendor)
            assert {column.name: bool(column.null_ok) for column in columns} == {
                column.name: column.null for column in table.columns
            }, (table.name, connection.vendor)


def test_parents_come_before_their_children(pair: Pair) -> None:
    seen: set[str] = set()
    for table in tables_moved(pair.sqlite):
        seen.add(table.name)
        parents = {column.references[0] for column in table.columns if column.references}
        assert parents <= seen, table.name


def test_keys_of_every_kind_are_known(pair: Pair) -> None:
    tables = {table.name: table for table in tables_moved(pair.sqlite)}
    assert tables["kb_entries"].key.kind is ColumnKind.UUID
    assert tables["django_session"].key.kind is ColumnKind.TEXT
    assert tables["kb_tags"].key.kind is ColumnKind.INTEGER
    assert tables["kb_entry_tags"].column("entry_id").references == ("kb_entries", "id")
    assert tables["kb_entry_tags"].column("entry_id").kind is ColumnKind.UUID
    with pytest.raises(KeyError):
        tables["kb_tags"].column("colour")


def test_a_closed_level_has_nothing_to_move(pair: Pair) -> None:
    with pair.sqlite.cursor() as cursor:
        cursor.execute("DROP TABLE search_analytics")
    assert "search_analytics" not in {table.name for table in tables_moved(pair.sqlite)}


def test_a_field_of_an_unknown_type_is_refused() -> None:
    class Odd(models.Model):  # noqa: DJ008
        numbers = ArrayField(models.IntegerField())

        class Meta:
            app_label = "move_tests"
            managed = False

    with pytest.raises(ColumnUnknownError, match="numbers"):
        column_of(Odd._meta.get_field("numbers"))
