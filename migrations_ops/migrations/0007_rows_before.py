from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("migrations_ops", "0006_recent_rate"),
    ]

    operations = [
        migrations.AddField(
            model_name="steprecord",
            name="rows_before",
            field=models.PositiveBigIntegerField(null=True),
        ),
    ]
