"""PostgreSQL gathers the tokens of the rows that a transaction writes; knowledge.search sorts them in at its end.

Before, it sorted each row in by itself, and only a rebuild switched that off for its time.
"""

from django.db import migrations

INDEXES = ("kb_search_head", "kb_search_words")


def gather(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for index in INDEXES:
            schema_editor.execute(f"ALTER INDEX {index} SET (fastupdate = on)")
            schema_editor.execute(f"ALTER INDEX {index} RESET (gin_pending_list_limit)")


def sort_each(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for index in INDEXES:
            schema_editor.execute(f"ALTER INDEX {index} SET (fastupdate = off)")
            schema_editor.execute(f"SELECT gin_clean_pending_list('{index}')")


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0009_feedback_created")]

    operations = [migrations.RunPython(gather, sort_each, elidable=False)]
