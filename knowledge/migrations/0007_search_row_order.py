"""The rows of the search index with what every search reads first and the long texts last, and the codes as shown.

The index is empty after this; `migrate` fills it again (knowledge.search.rebuild.index_fill).
"""

from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

from knowledge.models.search import RowKeyField

#: The index of each database, which both forms of the table have.
index = import_module("knowledge.migrations.0004_search_terms")

ENTRY = models.OneToOneField(
    on_delete=django.db.models.deletion.CASCADE, related_name="search_doc", to="knowledge.entry"
)
OPTIONS = {"db_table": "kb_search_docs", "default_permissions": ()}


def empty(apps, schema_editor):
    """Nothing is counted that is not there."""
    for table in ("docs", "terms", "grams"):
        schema_editor.execute(f"DELETE FROM kb_search_{table}")


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0006_imports")]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, index.build, elidable=False),
        migrations.RunPython(empty, migrations.RunPython.noop, elidable=False),
        migrations.RunPython(index.drop, migrations.RunPython.noop, elidable=False),
        migrations.DeleteModel("SearchDoc"),
        migrations.CreateModel(
            name="SearchDoc",
            fields=[
                ("rank", RowKeyField(primary_key=True, serialize=False)),
                ("entry", ENTRY),
                ("category", models.CharField(max_length=16)),
                ("severity", models.CharField(max_length=16)),
                ("status", models.CharField(max_length=16)),
                ("version", models.PositiveIntegerField()),
                ("merit", models.FloatField()),
                ("code_names", models.TextField()),
                ("codes", models.TextField()),
                ("title", models.TextField()),
                ("tags", models.TextField()),
                ("labels", models.TextField()),
                ("problem", models.TextField()),
                ("solution", models.TextField()),
            ],
            options=OPTIONS,
        ),
        migrations.RunPython(migrations.RunPython.noop, empty, elidable=False),
        migrations.RunPython(index.build, index.drop, elidable=False),
    ]
