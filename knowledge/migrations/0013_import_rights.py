"""An import remembers whether it has the rights of an account, so that it has none when the account is removed.

Of those that have none here nobody knows whether they had: what has not begun is brought again.
"""

from django.db import migrations, models


def mark(apps, schema_editor):
    imports = apps.get_model("knowledge", "Import").objects.using(schema_editor.connection.alias)
    imports.filter(user=None).exclude(state="ready").update(for_account=False)


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0012_search_facets")]

    operations = [
        migrations.AddField(
            model_name="import",
            name="for_account",
            field=models.BooleanField(default=True),
        ),
        migrations.RunPython(mark, migrations.RunPython.noop, elidable=True),
    ]
