"""Votes are listed by their time, and those of the last minutes are counted before a run."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0008_search_tops")]

    operations = [
        migrations.AddIndex(
            model_name="feedback", index=models.Index(fields=["created_at"], name="kb_feedback_created")
        ),
    ]
