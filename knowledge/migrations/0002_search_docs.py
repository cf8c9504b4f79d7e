"""The search index: one row of analysed tokens per entry, and what each database builds on it.

`head` holds codes, title and tags; `words` holds everything. SQLite gets two contentless FTS5 tables,
fed by triggers and keyed by the static rank, so that a scan in key order gives the most used first.
PostgreSQL gets two generated tsvector columns with GIN. array_to_tsvector keeps our tokens as they
are; to_tsvector would parse them again (codes as numbers, dotted names as hosts).
"""

import django.db.models.deletion
from django.db import migrations, models

TABLE = "kb_search_docs"
HEAD = ("codes", "title", "tags")
WORDS = (*HEAD, "problem", "solution")
INDEXES = {"kb_search_head": HEAD, "kb_search_words": WORDS}


def joined(columns, row=""):
    """SQL of the columns of a row as one text."""
    return " || ' ' || ".join(f"{row}{column}" for column in columns)


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
        execute(f"DROP TABLE {index}")


def postgresql_up(execute):
    for index, columns in INDEXES.items():
        column = index.removeprefix("kb_search_")
        tokens = f"array_remove(string_to_array({joined(columns)}, ' '), '')"
        execute(
            f"ALTER TABLE {TABLE} ADD COLUMN {column} tsvector GENERATED ALWAYS AS (array_to_tsvector({tokens})) STORED"
        )
        execute(f"CREATE INDEX {index} ON {TABLE} USING gin ({column}) WITH (fastupdate = off)")


def postgresql_down(execute):
    for index in INDEXES:
        execute(f"ALTER TABLE {TABLE} DROP COLUMN {index.removeprefix('kb_search_')}")


UP = {"sqlite": sqlite_up, "postgresql": postgresql_up}
DOWN = {"sqlite": sqlite_down, "postgresql": postgresql_down}


def build(apps, schema_editor):
    UP[schema_editor.connection.vendor](schema_editor.execute)


def drop(apps, schema_editor):
    DOWN[schema_editor.connection.vendor](schema_editor.execute)


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="SearchDoc",
            fields=[
                ("rank", models.BigIntegerField(primary_key=True, serialize=False)),
                ("category", models.CharField(max_length=16)),
                ("severity", models.CharField(max_length=16)),
                ("status", models.CharField(max_length=16)),
                ("version", models.PositiveIntegerField()),
                ("codes", models.TextField()),
                ("title", models.TextField()),
                ("tags", models.TextField()),
                ("problem", models.TextField()),
                ("solution", models.TextField()),
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="search_doc", to="knowledge.entry"
                    ),
                ),
            ],
            options={"db_table": "kb_search_docs", "default_permissions": ()},
        ),
        migrations.RunPython(build, drop, elidable=False),
    ]
