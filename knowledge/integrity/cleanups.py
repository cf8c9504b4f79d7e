"""What can be cleaned up and repaired in the knowledge base; the engine journals and undoes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.entries import entries_refresh, entry_archive, entry_update
from knowledge.errors import KnowledgeError
from knowledge.integrity import checks, finding
from knowledge.integrity.duplicates import duplicate_groups
from knowledge.integrity.encoding import text_mended
from knowledge.merging import entry_merge
from knowledge.models import Entry, EntryReview, EntryRevision
from knowledge.search import index_rebuild_resume, index_update
from knowledge.search.index import index_rank_refresh
from migrations_ops.integrity.aside import files_put_back, files_set_aside
from migrations_ops.integrity.check import Found
from migrations_ops.integrity.cleanup import Cleanup, Option, Options
from migrations_ops.integrity.journal import Work, dependants, loosened
from migrations_ops.integrity.own import days_option, removed_in_batches
from migrations_ops.models import CleanupRecord
from migrations_ops.steps.base import Batch, Cursor

#: Entries that one batch writes; each is a unit of its own.
BATCH_ENTRIES = 50
_ENTRIES = Entry._meta.db_table
#: What readers move on while a cleanup waits to be undone.
COUNTERS = frozenset(f"{_ENTRIES}.{name}" for name in ("usage_count", "success_count", "failure_count", "last_used_at"))


def entries_reindexed(touched: Mapping[str, set[str]]) -> None:
    """Index again the entries that an undo has put back."""
    index_update(sorted(UUID(key) for key in touched.get(_ENTRIES, ())))


# Labels -----------------------------------------------------------------------------------------


def labels_preview(options: Options, limit: int) -> Found:
    """Tags and codes that would go."""
    return checks.labels_found(limit)


def labels_remove(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Remove tags, then codes."""
    yield from removed_in_batches(work, finding.tags_unused())
    yield from removed_in_batches(work, finding.codes_unused())


# Duplicates -------------------------------------------------------------------------------------


def duplicates_preview(options: Options, limit: int) -> Found:
    """Entries that would become part of an older one."""
    return checks.duplicates_found(limit)


def duplicates_merge(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Merge each duplicate into the oldest entry of its group; one that is refused stays and is counted."""
    pairs = [(kept, duplicate) for kept, *rest in duplicate_groups() for duplicate in rest]
    work.heartbeat()
    for first in range(0, len(pairs), BATCH_ENTRIES):
        merged = sum(_merged(work, kept, other) for kept, other in pairs[first : first + BATCH_ENTRIES])
        yield Batch(None, merged)


def _merged(work: Work, kept_id: UUID, duplicate_id: UUID) -> bool:
    found = {entry.pk: entry for entry in Entry.objects.filter(pk__in=[kept_id, duplicate_id])}
    if len(found) < 2:
        return False
    kept, duplicate = found[kept_id], found[duplicate_id]
    both = Entry.objects.filter(pk__in=found)
    versions = {"kept_version": kept.version, "duplicate_version": duplicate.version}
    try:
        with work.unit(both, *dependants(both), *loosened(Entry.objects.filter(pk=duplicate_id))):
            entry_merge(kept=kept, duplicate=duplicate, author=None, **versions)
    except KnowledgeError:
        return False  # its transaction is undone: both are as they were
    return True


# Old entries ------------------------------------------------------------------------------------


def idle_preview(options: Options, limit: int) -> Found:
    """Entries that would be archived."""
    return checks.entries_found(finding.entries_idle(**options), limit)


def idle_archive(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Archive entries, the smallest key first."""
    idle = finding.entries_idle(**work.options)
    while entries := list(idle.order_by("pk")[:BATCH_ENTRIES]):
        for entry in entries:
            own = Entry.objects.filter(pk=entry.pk)
            with work.unit(own, EntryRevision.objects.filter(entry=entry.pk)):
                entry_archive(entry=entry, author=None)
        yield Batch(None, len(entries))


# Search history ---------------------------------------------------------------------------------


def searches_preview(options: Options, limit: int) -> Found:
    """Searches that would go."""
    return Found(finding.searches_old(**options).count())


def searches_trim(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Park old searches and remove them, with what analytics keeps of them."""
    yield from removed_in_batches(work, finding.searches_old(**work.options))


# Repairs ----------------------------------------------------------------------------------------


def counters_preview(options: Options, limit: int) -> Found:
    """Entries whose counters would change."""
    return checks.counters_found(limit)


def counters_mend(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Set the counters to the votes that are there."""
    while entries := list(finding.entries_miscounted().order_by("pk").values_list("pk", "good", "bad")[:BATCH_ENTRIES]):
        for pk, good, bad in entries:
            own = Entry.objects.filter(pk=pk)
            with work.unit(own):
                own.update(success_count=good, failure_count=bad)
            index_rank_refresh(pk)
        yield Batch(None, len(entries))


def encoding_preview(options: Options, limit: int) -> Found:
    """Entries whose texts would change."""
    return checks.encoding_found(limit)


def encoding_mend(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Save a new version of each damaged entry; the smallest key first."""
    after = UUID(cursor) if cursor else None
    while some := list(islice(finding.entries_damaged(after), BATCH_ENTRIES)):
        mended = sum(_texts_mended(work, pk) for pk, _title, _places in some)
        after = some[-1][0]
        yield Batch(str(after), mended)


def _texts_mended(work: Work, pk: UUID) -> bool:
    entry = Entry.objects.filter(pk=pk).first()
    texts = {name: text_mended(getattr(entry, name)) for name in finding.TEXTS} if entry else {}
    if entry is None or all(getattr(entry, name) == text for name, text in texts.items()):
        return False
    own = Entry.objects.filter(pk=pk)
    links = [rows for rows in dependants(own) if rows.model._meta.model_name in {"entrytag", "entrycode"}]
    note = _("Damage of encoding mended")
    try:
        with work.unit(own, *links, EntryRevision.objects.filter(entry=pk), EntryReview.objects.filter(entry=pk)):
            entry_update(entry=entry, expected_version=entry.version, author=entry.updated_by, note=note, **texts)
    except KnowledgeError:
        return False  # the mended text is not valid: somebody has to look at it
    return True


def render_preview(options: Options, limit: int) -> Found:
    """Entries that would be rendered."""
    return checks.unrendered_found(limit)


def render_again(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Render and index entries that were written past the site, the smallest key first."""
    after = UUID(cursor) if cursor else None
    while True:
        rows = finding.entries_unrendered().order_by("pk")
        keys = list((rows.filter(Q(pk__gt=after)) if after else rows).values_list("pk", flat=True)[:BATCH_ENTRIES])
        if not keys:
            return
        after = keys[-1]
        yield Batch(str(after), entries_refresh(keys))


def index_preview(options: Options, limit: int) -> Found:
    """What of the index is out of step."""
    return checks.index_found(limit)


def index_again(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Make the search index again while readers and writers go on."""
    if cursor is None:
        yield Batch({"done": True}, index_rebuild_resume())


# Files ------------------------------------------------------------------------------------------


def imports_preview(options: Options, limit: int) -> Found:
    """Folders that would be set aside."""
    return checks.transfer_files_found(limit)


def imports_set_aside(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Move folders of imports that no import knows to where the cleanup keeps them."""
    yield from files_set_aside(work, [("imports", path) for path in finding.import_folders_stray()])


def imports_put_back(record: CleanupRecord) -> Iterator[Batch]:
    """Move them back."""
    yield from files_put_back(record, {"imports": finding.imports_folder()})


CLEANUPS = (
    Cleanup(
        name="remove_unused",
        title=gettext_lazy("Remove unused tags and codes"),
        consequences=(gettext_lazy("Tags that no entry has, and codes without entry, meaning or other name, go."),),
        preview=labels_preview,
        apply=labels_remove,
    ),
    Cleanup(
        name="merge_duplicates",
        title=gettext_lazy("Merge duplicates"),
        consequences=(
            gettext_lazy("Of entries with one title and problem the oldest is kept."),
            gettext_lazy("Tags, codes, votes, views, marks, reports, versions and old addresses go to the kept one."),
            gettext_lazy("The other one's address leads to the kept one; its text stays in the history."),
        ),
        preview=duplicates_preview,
        apply=duplicates_merge,
        destructive=True,
        drifting=COUNTERS,
        after_undo=entries_reindexed,
    ),
    Cleanup(
        name="archive_unused",
        title=gettext_lazy("Archive entries that nobody uses"),
        consequences=(
            gettext_lazy("Published entries that few have read, and nobody lately, are archived."),
            gettext_lazy("They keep their text, votes and address; a search shows them when asked for archived ones."),
        ),
        options=(
            days_option(730),
            Option(name="uses", label=gettext_lazy("Read fewer times than"), default=3, lowest=1, highest=1_000_000),
        ),
        preview=idle_preview,
        apply=idle_archive,
        destructive=True,
        drifting=COUNTERS,
        after_undo=entries_reindexed,
    ),
    Cleanup(
        name="trim_searches",
        title=gettext_lazy("Trim the search history"),
        consequences=(
            gettext_lazy("Old searches go into a file, with what analytics keeps of each."),
            gettext_lazy("Figures of those days are missing from analytics until it is undone."),
        ),
        options=(days_option(365),),
        preview=searches_preview,
        apply=searches_trim,
        destructive=True,
    ),
    Cleanup(
        name="mend_counters",
        title=gettext_lazy("Count the votes again"),
        consequences=(gettext_lazy("The counters of these entries are set to the votes that are there."),),
        preview=counters_preview,
        apply=counters_mend,
        drifting=COUNTERS,
        after_undo=entries_reindexed,
    ),
    Cleanup(
        name="mend_encoding",
        title=gettext_lazy("Repair damaged letters"),
        consequences=(
            gettext_lazy("Letters that were read in the wrong encoding are put right in title, problem and solution."),
            gettext_lazy("Each entry gets a new version; the old one stays in its history."),
        ),
        preview=encoding_preview,
        apply=encoding_mend,
        drifting=COUNTERS,
        after_undo=entries_reindexed,
    ),
    Cleanup(
        name="render_entries",
        title=gettext_lazy("Render entries again"),
        consequences=(gettext_lazy("Pages of entries that were written past the site are made. No text changes."),),
        preview=render_preview,
        apply=render_again,
        undoable=False,
    ),
    Cleanup(
        name="rebuild_index",
        title=gettext_lazy("Make the search index again"),
        consequences=(
            gettext_lazy("Rows that are right stay; readers and writers go on meanwhile. No entry changes."),
        ),
        preview=index_preview,
        apply=index_again,
        undoable=False,
        outside=True,
    ),
    Cleanup(
        name="set_imports_aside",
        title=gettext_lazy("Set folders of unknown imports aside"),
        consequences=(
            gettext_lazy("The folders go into one of this cleanup. They are deleted when its undo expires."),
            gettext_lazy("An undo puts them back where they were."),
        ),
        preview=imports_preview,
        apply=imports_set_aside,
        outside=True,
        put_back=imports_put_back,
    ),
)
