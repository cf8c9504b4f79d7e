"""The engine's own checks and cleanups; phases add theirs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from migrations_ops.checkpoints import database_size
from migrations_ops.integrity import database, files
from migrations_ops.integrity.check import Check, Example, Found
from migrations_ops.integrity.cleanup import Cleanup, Option, Options
from migrations_ops.integrity.journal import Work
from migrations_ops.models import ACTIVE_STATES, CheckRun, CheckStatus, RunEvent
from migrations_ops.steps.base import Batch, Cursor

BATCH_ROWS = 500
MEGABYTE = 1024**2

CHECKS = (
    Check(
        name="database_structure",
        title=gettext_lazy("Database passes its own check"),
        help=gettext_lazy(
            "Pages or indexes are damaged. Restore a checkpoint or a backup; on PostgreSQL, REINDEX first."
        ),
        severity=CheckStatus.ERROR,
        find=database.structure_checked,
    ),
    Check(
        name="broken_references",
        title=gettext_lazy("Every row points to something"),
        help=gettext_lazy(
            "A row points to one that is not there, as a program that switched off the checks leaves it."
        ),
        severity=CheckStatus.ERROR,
        find=database.references_checked,
        repair="mend_references",
    ),
    Check(
        name="sequences_behind",
        title=gettext_lazy("Sequences are ahead of their tables"),
        help=gettext_lazy("The next new row would get a number that another row has, and be refused."),
        severity=CheckStatus.ERROR,
        find=database.sequences_checked,
        repair="mend_sequences",
    ),
    Check(
        name="archive_files",
        title=gettext_lazy("Checkpoints and parked rows can be read"),
        help=gettext_lazy("The file is gone or damaged. Bring it back from a backup, or make a new checkpoint."),
        severity=CheckStatus.ERROR,
        find=files.archives_checked,
    ),
    Check(
        name="stray_files",
        title=gettext_lazy("No file without a row"),
        help=gettext_lazy(
            "A file that nothing knows, as a killed process leaves it. It can be set aside and deleted later."
        ),
        severity=CheckStatus.NOTICE,
        find=files.strays_checked,
        repair="set_files_aside",
    ),
    Check(
        name="future_moments",
        title=gettext_lazy("Nothing was written in the future"),
        help=gettext_lazy(
            "A clock was wrong, or an import brought it. Such rows stand first in every list of new ones."
        ),
        severity=CheckStatus.WARNING,
        find=database.future_checked,
        repair="mend_future",
    ),
)


# Journals ---------------------------------------------------------------------------------------


def days_option(default: int) -> Option:
    """How old something must be, in days."""
    return Option(name="days", label=gettext_lazy("Older than (days)"), default=default, lowest=1, highest=36_500)


def journal_old(options: Options) -> tuple[QuerySet[RunEvent], QuerySet[CheckRun]]:
    """Lines of finished runs, and past checks, that are older than the days asked for."""
    before = timezone.now() - timedelta(days=options["days"])
    lines = RunEvent.objects.filter(created_at__lt=before).exclude(run__state__in=ACTIVE_STATES)
    return lines, CheckRun.objects.filter(started_at__lt=before)


def journal_preview(options: Options, limit: int) -> Found:
    """How many lines would go."""
    lines, checks = journal_old(options)
    count = lines.count() + checks.count()
    oldest = [Example(f"{line.created_at:%Y-%m-%d} {line.message}"[:200]) for line in lines.order_by("pk")[:limit]]
    return Found(count, tuple(oldest))


def journal_trim(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Park the lines and remove them, the oldest first."""
    for rows in journal_old(work.options):
        yield from removed_in_batches(work, rows)


def removed_in_batches(work: Work, rows: QuerySet) -> Iterator[Batch]:  # type: ignore[type-arg]
    """Park these rows and remove them, a batch at a time; they are looked for again after each."""
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH_ROWS]):
        yield Batch(None, work.remove(rows.model._base_manager.filter(pk__in=keys)))


# Room -------------------------------------------------------------------------------------------


def room_preview(options: Options, limit: int) -> Found:
    """What the database takes, and on SQLite what would be given back."""
    size = database_size()
    evidence = _("The database takes %(size).1f MB.") % {"size": size / MEGABYTE}
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT freelist_count * page_size FROM pragma_freelist_count(), pragma_page_size()")
            free = int(cursor.fetchone()[0])
        evidence += " " + _("%(size).1f MB of it are free.") % {"size": free / MEGABYTE}
    return Found(1, (), evidence)


def room_make(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Give free pages back (SQLite; writers wait meanwhile) and renew what the planner knows."""
    if cursor is not None:
        return
    with connection.cursor() as execute:
        execute.execute("VACUUM" if connection.vendor == "sqlite" else "VACUUM (ANALYZE)")
        if connection.vendor == "sqlite":
            execute.execute("ANALYZE")
    yield Batch({"done": True}, 1)


CLEANUPS = (
    Cleanup(
        name="trim_journals",
        title=gettext_lazy("Trim the journals"),
        consequences=(
            gettext_lazy("Old lines of finished runs and old integrity checks go into a file."),
            gettext_lazy("Runs, plans and checkpoints themselves stay."),
        ),
        options=(days_option(365),),
        preview=journal_preview,
        apply=journal_trim,
        destructive=True,
    ),
    Cleanup(
        name="make_room",
        title=gettext_lazy("Give back free space"),
        consequences=(
            gettext_lazy("The database is vacuumed and its statistics are renewed; no row changes."),
            gettext_lazy("On SQLite writers wait until it is done, which takes some seconds for each gigabyte."),
        ),
        preview=room_preview,
        apply=room_make,
        undoable=False,
        outside=True,
    ),
    Cleanup(
        name="mend_references",
        title=gettext_lazy("Repair broken references"),
        consequences=(
            gettext_lazy("A reference to nothing is emptied where it may be empty; else its row is removed."),
            gettext_lazy("An undo cannot bring back a row as long as what it belongs to is gone; the file keeps it."),
        ),
        preview=database.references_preview,
        apply=database.references_mend,
        destructive=True,
    ),
    Cleanup(
        name="mend_sequences",
        title=gettext_lazy("Set sequences behind their tables"),
        consequences=(gettext_lazy("The next new row gets a number that no row has. No row changes."),),
        preview=database.sequences_preview,
        apply=database.sequences_mend,
        undoable=False,
    ),
    Cleanup(
        name="mend_future",
        title=gettext_lazy("Set moments in the future to now"),
        consequences=(gettext_lazy("Rows that say they were written in the future say now instead."),),
        preview=database.future_preview,
        apply=database.future_mend,
    ),
    Cleanup(
        name="set_files_aside",
        title=gettext_lazy("Set files without a row aside"),
        consequences=(
            gettext_lazy("The files go into a folder of this cleanup. They are deleted when its undo expires."),
            gettext_lazy("An undo puts them back where they were."),
        ),
        preview=files.strays_preview,
        apply=files.strays_set_aside,
        outside=True,
        put_back=files.strays_put_back,
    ),
)
