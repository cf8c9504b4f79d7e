"""Every version of an entry is kept; any two can be compared and any one restored."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from knowledge.entries import entry_archive, entry_restore, entry_update
from knowledge.errors import EntryInvalidError, RevisionGoneError, StaleEntryError
from knowledge.history import revision_changes, revision_of, revision_save
from knowledge.models import Entry, EntryOrigin, EntryRevision, EntryStatus
from tests.knowledge.builders import entry_built

pytestmark = pytest.mark.django_db


def versions(entry: Entry) -> list[int]:
    return list(EntryRevision.objects.filter(entry=entry).order_by("version").values_list("version", flat=True))


def test_a_new_entry_and_each_change_of_it_are_versions_with_their_author_and_note() -> None:
    ana, ben = User.objects.create_user("ana"), User.objects.create_user("ben")
    entry = entry_built(tags=["vsam", "abend"], codes=["S0C7"], author=ana)
    entry_update(entry=entry, expected_version=1, author=ben, title="Another title", note="Clearer title")
    entry_archive(entry=entry, author=None)

    third, second, first = EntryRevision.objects.all()
    assert (first.version, first.title, first.saved_by, first.note) == (1, "Nightly run ends early", ana, "")
    assert (first.tags, first.codes) == (["abend", "vsam"], ["S0C7"])
    assert (second.version, second.title, second.saved_by, second.note) == (2, "Another title", ben, "Clearer title")
    assert (third.version, third.status, third.saved_by) == (3, EntryStatus.ARCHIVED, None)


def test_the_first_edit_of_an_entry_written_in_bulk_keeps_what_it_was() -> None:
    entry = Entry(title="Bulk entry", problem="It ends with S0C4.", solution="Do that at once.", category="Batch")
    entry.origin = EntryOrigin.STARTER
    Entry.objects.bulk_create([entry])
    entry_update(entry=entry, expected_version=1, author=None, title="Edited entry")
    assert list(EntryRevision.objects.values_list("version", "title")) == [(2, "Edited entry"), (1, "Bulk entry")]
    assert EntryRevision.objects.get(version=1).saved_at == entry.updated_at


def test_a_refused_edit_leaves_no_version() -> None:
    entry = entry_built()
    with pytest.raises(EntryInvalidError):
        entry_update(entry=entry, expected_version=1, author=None, title="x")
    with pytest.raises(StaleEntryError):
        entry_update(entry=entry, expected_version=7, author=None, title="Too late")
    assert versions(entry) == [1]


def test_a_version_is_kept_once() -> None:
    entry = entry_built()
    assert revision_save(entry=entry, author=None) == EntryRevision.objects.get()


def test_a_restored_version_becomes_the_newest_and_keeps_the_status() -> None:
    entry = entry_built(title="The right title", tags=["sort"], codes=["ICE046A"], status=EntryStatus.DRAFT)
    entry_update(entry=entry, expected_version=1, author=None, title="A wrong title", tags=[], codes=["S0C4"])
    entry_update(entry=entry, expected_version=2, author=None, status=EntryStatus.PUBLISHED)

    restored = entry_restore(entry=entry, version=1, expected_version=3, author=None)

    assert (restored.title, restored.version, restored.status) == ("The right title", 4, EntryStatus.PUBLISHED)
    assert revision_of(restored).tags == ["sort"]
    assert revision_of(restored).codes == ["ICE046A"]
    assert EntryRevision.objects.get(version=4).note == "Version 1 restored"
    assert versions(entry) == [1, 2, 3, 4]


def test_a_version_that_never_was_cannot_be_restored() -> None:
    entry = entry_built()
    with pytest.raises(RevisionGoneError):
        entry_restore(entry=entry, version=9, expected_version=1, author=None)
    with pytest.raises(StaleEntryError):
        entry_restore(entry=entry, version=1, expected_version=9, author=None)


def test_a_comparison_names_the_fields_that_differ_in_words() -> None:
    entry = entry_built(severity="low", tags=["sort"])
    entry_update(entry=entry, expected_version=1, author=None, severity="high", tags=["sort", "abend"])
    new, old = EntryRevision.objects.all()
    changes = revision_changes(old, new)
    assert [(change.name, change.old, change.new) for change in changes] == [
        ("severity", "Low", "High"),
        ("tags", "sort", "abend, sort"),
    ]
    assert revision_changes(new, new) == ()
