"""An import remembers that it has the rights of an account, so that it has none when the account is removed."""

from django.db import migrations, models


def mark(apps, schema_editor):
    imports = apps.get_model("knowledge", "Import").objects.using(schema_editor.connection.alias)
    imports.exclude(user=None).update(for_account=True)


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0012_search_facets")]

    operations = [
        migrations.AddField(
            model_name="import",
            name="for_account",
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(mark, migrations.RunPython.noop, elidable=True),
    ]
