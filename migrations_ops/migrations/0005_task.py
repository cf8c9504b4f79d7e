from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("migrations_ops", "0004_integrity"),
    ]

    operations = [
        migrations.AlterField(
            model_name="plan",
            name="kind",
            field=models.CharField(
                choices=[
                    ("upgrade", "Level upgrade"),
                    ("restore", "Restore of a checkpoint"),
                    ("rehearsal", "Rehearsal"),
                    ("move", "Move of the database"),
                    ("task", "Task"),
                ],
                max_length=16,
                verbose_name="kind",
            ),
        ),
    ]
