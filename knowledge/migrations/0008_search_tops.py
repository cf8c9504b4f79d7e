"""Rows of the search index say to which tops of them they belong.

The index is empty after this; `migrate` fills it again (knowledge.search.rebuild.index_fill).
"""

from importlib import import_module

from django.db import migrations

empty = import_module("knowledge.migrations.0007_search_row_order").empty


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0007_search_row_order")]

    operations = [migrations.RunPython(empty, migrations.RunPython.noop, elidable=False)]
