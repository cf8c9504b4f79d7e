"""Damage of every kind that the integrity checks know, done to a site on purpose.

    python -m tests.browser.damage done      what programs, clocks and crashes leave
    python -m tests.browser.damage mended    what no cleanup mends, mended as a person would

Runs in the environment of the site. Prints what each check has to find, as JSON by its name.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import django

LONG_AGO_SECONDS = 90_000
TEXT = "The nightly job ends with a data exception in step twenty because a packed field was never initialised"


def damage_done() -> dict[str, str]:
    """By check, words of an example or of the evidence."""
    from django.conf import settings
    from django.utils import timezone

    from knowledge.models import Entry, Feedback, SearchDoc, SearchQuery, Tag
    from migrations_ops.checkpoints import checkpoint_create, checkpoint_path
    from tests.knowledge.builders import entry_built

    now = timezone.now()
    blank, unrendered, unindexed, low, damaged = (
        entry_built(title=f"Damage {number}", problem=f"Nothing like the others, number {number}, {name} at {name}.")
        for number, name in enumerate(("tape", "printer", "spool", "catalog", "console"))
    )
    Entry.objects.filter(pk=blank.pk).update(problem=" " * 20)
    Entry.objects.filter(pk=unrendered.pk).update(problem_html="", solution_html="")
    SearchDoc.objects.filter(entry=unindexed).delete()
    Feedback.objects.create(entry=low, worked=True, voter="session:a")
    Entry.objects.filter(pk=damaged.pk).update(title="Anzeige fÃ¼r KÃ¶ln")
    for title in ("Sorted twice in step 20", "SORTED  twice in step 20!"):
        entry_built(title=title, problem="The sort step runs a second time and doubles every record of the extract.")
    entry_built(title="Packed field one", problem=TEXT)
    entry_built(title="Packed field one", problem=f"{TEXT} yesterday")
    Tag.objects.create(name="nobody-has-it", created_at=now - timedelta(days=9))
    SearchQuery.objects.create(query="tomorrow", normalized="tomorrow", created_at=now + timedelta(days=400))
    checkpoint = checkpoint_create(label="before the audit", actor="ada")
    with checkpoint_path(checkpoint).open("ab") as file:
        file.write(b"one byte more")
    stray = Path(settings.OPS_CHECKPOINT_DIR) / "left-over.part"
    stray.write_text("half a checkpoint")
    os.utime(stray, (time.time() - LONG_AGO_SECONDS,) * 2)
    folder = Path(settings.TRANSFER_DIR) / "imports" / "4711"
    folder.mkdir(parents=True)
    (folder / "rows").write_text("left over")
    return {
        "incomplete_entries": "Damage 0",
        "unrendered_entries": "Damage 1",
        "search_index_rows": "1 not in the index",
        "vote_counters": "Damage 3",
        "encoding_damage": "Ã¼",
        "duplicate_entries": "twice in step 20",
        "near_duplicates": "Packed field one",
        "unused_labels": "nobody-has-it",
        "future_moments": "1 found",
        "archive_files": "before the audit",
        "stray_files": "left-over.part",
        "transfer_files": "imports/4711",
        **_database_damaged(),
    }


def _database_damaged() -> dict[str, str]:
    """What a database allows only to those who switch its own checks off."""
    from django.db import connection

    from knowledge.models import EntryTag, Tag

    link = EntryTag.objects.earliest("pk").pk
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA foreign_keys = OFF")
            cursor.execute("UPDATE kb_entry_tags SET entry_id = %s WHERE id = %s", [uuid4().hex, link])
            cursor.execute("PRAGMA ignore_check_constraints = ON")
            cursor.execute("UPDATE kb_entries SET usage_count = -1 WHERE title = 'Damage 2'")
            return {"broken_references": "kb_entry_tags", "database_structure": "kb_entries"}
        cursor.execute("SET session_replication_role = replica")  # no trigger looks at the key
        cursor.execute("UPDATE kb_entry_tags SET entry_id = %s WHERE id = %s", [uuid4(), link])
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("CREATE INDEX half_made ON kb_tags (created_at)")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half_made'::regclass")
    Tag.objects.create(pk=5_000_000, name="far ahead")
    EntryTag.objects.create(entry=EntryTag.objects.latest("pk").entry, tag_id=5_000_000)
    return {"broken_references": "kb_entry_tags", "database_structure": "half_made", "sequences_behind": "kb_tags"}


def damage_mended() -> dict[str, str]:
    """What the help texts of the checks without a repair say."""
    from django.db import connection

    from knowledge.entries import entry_update
    from knowledge.models import Entry
    from migrations_ops.checkpoints import checkpoint_delete
    from migrations_ops.models import Checkpoint

    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("UPDATE kb_entries SET usage_count = 1 WHERE title = 'Damage 2'")
        else:
            cursor.execute("DROP INDEX half_made")
    for title, text in (
        ("Damage 0", "A mount waits for an operator, says the console."),
        ("Packed field one", "The load module was built with another release of the compiler than its callers."),
    ):
        entry = Entry.objects.filter(title=title).exclude(problem=TEXT).get()
        entry_update(entry=entry, expected_version=entry.version, author=None, problem=text)
    checkpoint_delete(checkpoint=Checkpoint.objects.get(label="before the audit"), actor="ada")
    return {}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kbsite.settings")
    django.setup()
    json.dump({"done": damage_done, "mended": damage_mended}[sys.argv[1]](), sys.stdout)
