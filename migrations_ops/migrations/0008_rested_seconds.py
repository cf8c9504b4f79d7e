from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("migrations_ops", "0007_rows_before"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="rested_seconds",
            field=models.FloatField(default=0.0),
        ),
    ]
