"""On PostgreSQL the rows that a search reads are narrow, whatever their vectors take.

A row gives its long values away when it has more than two kilobytes, and only then looks at `toast_tuple_target`:
most rows kept their vectors, which are asked through their index and read never. So each row is as long as that
when it comes, by blanks that take a few bytes once they are compressed.
"""

from importlib import import_module

from django.db import migrations

before = import_module("knowledge.migrations.0004_search_terms")
VECTORS = "kb_search_vectors"


def narrow(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    execute = schema_editor.execute
    # More than what a row must have, in one block of 8 kB, before long values go elsewhere.
    execute(f"ALTER TABLE {VECTORS} ADD COLUMN blanks text NOT NULL DEFAULT repeat(' ', 2048)")
    vectors = ", ".join(before.vector(columns) for columns in before.INDEXES.values())
    for index in before.INDEXES:
        execute(f"DROP INDEX {index}")
    execute(f"TRUNCATE {VECTORS}")
    execute(f"INSERT INTO {VECTORS} (rank, head, words) SELECT rank, {vectors} FROM {before.TABLE} ORDER BY rank")
    for index in before.INDEXES:
        column = index.removeprefix("kb_search_")
        execute(f"CREATE INDEX {index} ON {VECTORS} USING gin ({column}) WITH (fastupdate = on)")
    execute(f"ANALYZE {VECTORS}")


def wide(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"ALTER TABLE {VECTORS} DROP COLUMN blanks")


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0010_search_gathers")]

    operations = [migrations.RunPython(narrow, wide, elidable=False)]
