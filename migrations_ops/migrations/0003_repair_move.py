from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("migrations_ops", "0002_move"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="move",
            options={
                "default_permissions": ("view",),
                "ordering": ["-id"],
                "permissions": [
                    ("move_database", "Can plan and start a move of the database"),
                    ("go_move", "Can let a move of the database cut over"),
                    ("speed_move", "Can change the speed of a move of the database"),
                    ("repair_move", "Can repair values that a move cannot carry"),
                    ("close_return_path", "Can close the way back of a move of the database"),
                ],
                "verbose_name": "database move",
                "verbose_name_plural": "database moves",
            },
        ),
    ]
