import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("migrations_ops", "0001_initial"),
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
                ],
                max_length=16,
                verbose_name="kind",
            ),
        ),
        migrations.CreateModel(
            name="Move",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("site", models.CharField(max_length=32)),
                ("source_url", models.CharField(blank=True, max_length=1000, verbose_name="from")),
                ("source_secret", models.TextField(blank=True)),
                ("target_url", models.CharField(max_length=1000, verbose_name="to")),
                ("target_secret", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("planned", "Planned"),
                            ("copying", "Copying"),
                            ("verifying", "Verifying"),
                            ("ready", "Ready for the go"),
                            ("moved", "Moved, the way back is open"),
                            ("closed", "Moved, the way back is closed"),
                            ("returned", "Went back"),
                            ("withdrawn", "Withdrawn, nothing is left of it"),
                        ],
                        default="planned",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                ("state_since", models.DateTimeField(default=django.utils.timezone.now)),
                ("is_open", models.BooleanField(default=None, null=True, unique=True)),
                ("epoch", models.PositiveIntegerField()),
                (
                    "go_mode",
                    models.CharField(
                        choices=[
                            ("manual", "When someone says go"),
                            ("at", "At a set time"),
                            ("auto", "By itself, as soon as every row is verified"),
                        ],
                        default="manual",
                        max_length=8,
                        verbose_name="cut-over",
                    ),
                ),
                ("go_at", models.DateTimeField(blank=True, null=True, verbose_name="cut-over at")),
                ("go_asked_by", models.CharField(blank=True, max_length=150)),
                ("go_asked_at", models.DateTimeField(null=True)),
                ("rows_per_second", models.PositiveIntegerField(default=0, verbose_name="speed")),
                ("quiet_from", models.TimeField(blank=True, null=True, verbose_name="quiet hours from")),
                ("quiet_until", models.TimeField(blank=True, null=True, verbose_name="quiet hours until")),
                ("workers", models.PositiveSmallIntegerField(default=2, verbose_name="copying processes")),
                ("held_back", models.CharField(blank=True, max_length=300)),
                ("assessment", models.JSONField(default=dict)),
                ("figures", models.JSONField(default=dict)),
                ("ledger", models.JSONField(default=dict)),
                ("lag_changes", models.PositiveBigIntegerField(null=True)),
                ("lag_at", models.DateTimeField(null=True)),
                (
                    "plan",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="move", to="migrations_ops.plan"
                    ),
                ),
                (
                    "run",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="move",
                        to="migrations_ops.run",
                    ),
                ),
            ],
            options={
                "verbose_name": "database move",
                "verbose_name_plural": "database moves",
                "db_table": "ops_moves",
                "ordering": ["-id"],
                "permissions": [
                    ("move_database", "Can plan and start a move of the database"),
                    ("go_move", "Can let a move of the database cut over"),
                    ("speed_move", "Can change the speed of a move of the database"),
                    ("close_return_path", "Can close the way back of a move of the database"),
                ],
                "default_permissions": ("view",),
            },
        ),
    ]
