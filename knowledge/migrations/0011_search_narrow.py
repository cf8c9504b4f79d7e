"""On PostgreSQL the rows that a search reads can be narrow, whatever their vectors take.

A row gives its long values away when it has more than two kilobytes, and only then looks at `toast_tuple_target`:
most rows kept their vectors, which are asked through their index and read never. So each row is as long as that
when it comes, by blanks that take a few bytes once they are compressed. The next migration writes the rows again.
"""

from django.db import migrations


def narrow(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        # More than what a row must have, in one block of 8 kB, before long values go elsewhere.
        schema_editor.execute("ALTER TABLE kb_search_vectors ADD COLUMN blanks text NOT NULL DEFAULT repeat(' ', 2048)")


def wide(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE kb_search_vectors DROP COLUMN blanks")


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0010_search_gathers")]

    operations = [migrations.RunPython(narrow, wide, elidable=False)]
