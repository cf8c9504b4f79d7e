"""The search index again, for large sites: labels for filters, a term list, and narrow index tables.

SQLite gets its two FTS5 tables as before, now with the labels. PostgreSQL gets a table beside the rows
instead of columns in them: a match reads its rank from rows of some 70 bytes and not of some kilobytes.
The index is empty after this; `migrate` fills it again (knowledge.search.rebuild.index_fill).
"""

from importlib import import_module

from django.db import migrations, models

TABLE = "kb_search_docs"
HEAD = ("codes", "title", "tags", "labels")
WORDS = (*HEAD, "problem", "solution")
INDEXES = {"kb_search_head": HEAD, "kb_search_words": WORDS}
#: Ranks from here on are those of entries that are not published.
PUBLISHED_END = 1 << 61


def joined(columns, row=""):
    """SQL of the columns of a row as one text."""
    return " || ' ' || ".join(f"{row}{column}" for column in columns)


def vector(columns, row=""):
    """SQL of a row's tokens as they are; to_tsvector would parse them again."""
    return f"array_to_tsvector(array_remove(string_to_array({joined(columns, row)}, ' '), ''))"


def sqlite_up(execute):
    for index, columns in INDEXES.items():
        execute(
            f"CREATE VIRTUAL TABLE {index} USING fts5(tokens, content='', detail=none, columnsize=0, "
            "tokenize=\"ascii tokenchars '-._@#$/'\")"
        )
        add = f"INSERT INTO {index}(rowid, tokens) VALUES (new.rank, {joined(columns, 'new.')});"
        drop = f"INSERT INTO {index}({index}, rowid, tokens) VALUES ('delete', old.rank, {joined(columns, 'old.')});"
        execute(f"CREATE TRIGGER {index}_insert AFTER INSERT ON {TABLE} BEGIN {add} END")
        execute(f"CREATE TRIGGER {index}_delete AFTER DELETE ON {TABLE} BEGIN {drop} END")
        execute(f"INSERT INTO {index}(rowid, tokens) SELECT rank, {joined(columns)} FROM {TABLE}")
        watched = ", ".join(("rank", *columns))
        execute(f"CREATE TRIGGER {index}_update AFTER UPDATE OF {watched} ON {TABLE} BEGIN {drop} {add} END")


def sqlite_down(execute):
    for index in INDEXES:
        for event in ("insert", "delete", "update"):
            execute(f"DROP TRIGGER IF EXISTS {index}_{event}")
        execute(f"DROP TABLE IF EXISTS {index}")


def postgresql_up(execute):
    execute("CREATE TABLE kb_search_vectors (rank bigint PRIMARY KEY, head tsvector NOT NULL, words tsvector NOT NULL)")
    # Vectors are asked through their index and read never: out of the way, at once and as they are.
    execute("ALTER TABLE kb_search_vectors SET (toast_tuple_target = 128)")
    for column in ("head", "words"):
        execute(f"ALTER TABLE kb_search_vectors ALTER COLUMN {column} SET STORAGE EXTERNAL")
        execute(f"CREATE INDEX kb_search_{column} ON kb_search_vectors USING gin ({column}) WITH (fastupdate = off)")
    # The texts of a row are read with it, 200 rows at a time.
    execute(f"ALTER TABLE {TABLE} SET (toast_tuple_target = 8160)")
    for column in ("problem", "solution"):
        execute(f"ALTER TABLE {TABLE} ALTER COLUMN {column} SET STORAGE MAIN")
    values = f"new.rank, {vector(HEAD, 'new.')}, {vector(WORDS, 'new.')}"
    execute(
        "CREATE FUNCTION kb_search_follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP <> 'INSERT' THEN DELETE FROM kb_search_vectors WHERE rank = old.rank; END IF; "
        f"IF TG_OP <> 'DELETE' THEN INSERT INTO kb_search_vectors VALUES ({values}); END IF; "
        "RETURN NULL; END $$"
    )
    execute(f"INSERT INTO kb_search_vectors SELECT rank, {vector(HEAD)}, {vector(WORDS)} FROM {TABLE}")
    watched = ", ".join(("rank", *WORDS))
    execute(
        f"CREATE TRIGGER kb_search_follow AFTER INSERT OR DELETE OR UPDATE OF {watched} ON {TABLE} "
        "FOR EACH ROW EXECUTE FUNCTION kb_search_follow()"
    )


def postgresql_down(execute):
    execute(f"DROP TRIGGER IF EXISTS kb_search_follow ON {TABLE}")
    execute("DROP FUNCTION IF EXISTS kb_search_follow()")
    execute("DROP TABLE IF EXISTS kb_search_vectors")


UP = {"sqlite": sqlite_up, "postgresql": postgresql_up}
DOWN = {"sqlite": sqlite_down, "postgresql": postgresql_down}


def build(apps, schema_editor):
    UP[schema_editor.connection.vendor](schema_editor.execute)


def drop(apps, schema_editor):
    DOWN[schema_editor.connection.vendor](schema_editor.execute)


def empty(apps, schema_editor):
    schema_editor.execute(f"DELETE FROM {TABLE}")


def terms_by_bytes(apps, schema_editor):
    """Ranges of terms ask for the order of bytes, whatever the order of the database."""
    if schema_editor.connection.vendor == "postgresql":
        for table, column in (("terms", "term"), ("grams", "gram"), ("grams", "term")):
            schema_editor.execute(f'ALTER TABLE kb_search_{table} ALTER COLUMN {column} TYPE varchar(64) COLLATE "C"')


#: The index before this migration.
before = import_module("knowledge.migrations.0002_search_docs")


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0003_reading_and_review")]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, before.build, elidable=False),
        migrations.RunPython(before.drop, empty, elidable=False),
        migrations.RunPython(empty, migrations.RunPython.noop, elidable=False),
        migrations.AddField("SearchDoc", "labels", models.TextField(default=""), preserve_default=False),
        migrations.AddField("SearchDoc", "merit", models.FloatField(default=1.0), preserve_default=False),
        migrations.CreateModel(
            name="SearchTerm",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("term", models.CharField(max_length=64)),
                ("df", models.IntegerField()),
            ],
            options={
                "db_table": "kb_search_terms",
                "default_permissions": (),
                "indexes": [models.Index(fields=["term", "df"], name="kb_search_terms_term")],
            },
        ),
        migrations.CreateModel(
            name="SearchGram",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("gram", models.CharField(max_length=64)),
                ("term", models.CharField(max_length=64)),
            ],
            options={
                "db_table": "kb_search_grams",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=["gram", "term"], name="kb_search_grams_once")],
            },
        ),
        migrations.RunPython(terms_by_bytes, migrations.RunPython.noop, elidable=False),
        migrations.RunPython(build, drop, elidable=False),
    ]
