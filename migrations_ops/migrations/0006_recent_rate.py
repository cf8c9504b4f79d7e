from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("migrations_ops", "0005_task"),
    ]

    operations = [
        migrations.AddField(
            model_name="steprecord",
            name="recent_rows",
            field=models.FloatField(default=0.0),
        ),
        migrations.AddField(
            model_name="steprecord",
            name="recent_seconds",
            field=models.FloatField(default=0.0),
        ),
    ]
