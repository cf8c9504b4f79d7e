"""On PostgreSQL the rows that a search reads have what filters are counted from, and one process reads them.

A page of results counts up to a thousand rows: to fetch each from the table of the texts takes longer than to find
it. To start a second process takes longer than any search.
"""

from importlib import import_module

from django.db import migrations

before = import_module("knowledge.migrations.0004_search_terms")
VECTORS = "kb_search_vectors"


def facets(row=""):
    """SQL of category, severity and numbers of the tags, "c.cobol s.high 12 31"; the first labels of a row."""
    labels = f"split_part(split_part({row}labels, ' /code.', 1), ' /top.', 1)"
    for long, short in ((" /e /category.", "c."), ("/severity.", "s."), ("/tag.", "")):
        labels = f"replace({labels}, '{long}', '{short}')"
    return f"rtrim({labels})"


def follow(columns, values):
    """What keeps the rows in step with their documents."""
    return (
        "CREATE OR REPLACE FUNCTION kb_search_follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP <> 'INSERT' THEN DELETE FROM {VECTORS} WHERE rank = old.rank; END IF; "
        f"IF TG_OP <> 'DELETE' THEN INSERT INTO {VECTORS} ({columns}) VALUES (new.rank, {values}); END IF; "
        "RETURN NULL; END $$"
    )


def vectors(row=""):
    return ", ".join(before.vector(columns, row) for columns in before.INDEXES.values())


def add(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    execute = schema_editor.execute
    execute(f"ALTER TABLE {VECTORS} ADD COLUMN facets text NOT NULL DEFAULT ''")
    execute(f"ALTER TABLE {VECTORS} ALTER COLUMN facets SET STORAGE MAIN")
    execute(f"ALTER TABLE {VECTORS} SET (parallel_workers = 0)")
    execute(follow("rank, head, words, facets", f"{vectors('new.')}, {facets('new.')}"))
    for index in before.INDEXES:
        execute(f"DROP INDEX {index}")
    execute(f"TRUNCATE {VECTORS}")
    execute(
        f"INSERT INTO {VECTORS} (rank, head, words, facets) SELECT rank, {vectors()}, {facets()} "
        f"FROM {before.TABLE} ORDER BY rank"
    )
    for index in before.INDEXES:
        column = index.removeprefix("kb_search_")
        execute(f"CREATE INDEX {index} ON {VECTORS} USING gin ({column}) WITH (fastupdate = on)")
    execute(f"ANALYZE {VECTORS}")


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(follow("rank, head, words", vectors("new.")))
        schema_editor.execute(f"ALTER TABLE {VECTORS} RESET (parallel_workers)")
        schema_editor.execute(f"ALTER TABLE {VECTORS} DROP COLUMN facets")


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0011_search_narrow")]

    operations = [migrations.RunPython(add, drop, elidable=False)]
