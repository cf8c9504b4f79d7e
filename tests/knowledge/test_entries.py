"""Entries are written whole: text, HTML, tags, codes, version and index together, or not at all."""

from __future__ import annotations

import pytest
from django.db import connection

from knowledge.entries import (
    entries_refresh,
    entry_archive,
    entry_create,
    entry_delete,
    entry_publish,
    entry_update,
    entry_viewed,
)
from knowledge.errors import EntryGoneError, EntryInvalidError, StaleEntryError
from knowledge.models import Entry, EntryStatus, SearchDoc
from knowledge.search import entry_search, index_check
from tests.knowledge.builders import entry_built

pytestmark = pytest.mark.django_db


def codes_of(entry: Entry) -> list[str]:
    return list(entry.entrycode_set.order_by("position").values_list("error_code__code", flat=True))


def test_a_new_entry_has_html_tags_and_codes_with_its_own_first() -> None:
    entry = entry_built(
        problem="It says SQLCODE -803, then S0C7.",
        solution="Do **this** first.",
        tags=["VSAM", " open  file "],
        codes=["soc7"],
    )
    assert "<strong>this</strong>" in entry.solution_html
    assert sorted(entry.tags.values_list("name", flat=True)) == ["open file", "vsam"]
    assert codes_of(entry) == ["S0C7", "SQLCODE -803"]


def test_what_is_wrong_is_named_by_field_and_nothing_is_written() -> None:
    with pytest.raises(EntryInvalidError) as caught:
        entry_create(
            title="x", problem="short", solution="y" * 10_001, category="Cobolt", tags=["t" * 65], codes=["c" * 40]
        )
    assert caught.value.code == "entry_invalid"
    assert set(caught.value.fields) == {"title", "problem", "solution", "category", "tags", "codes"}
    assert not Entry.objects.exists()


def test_text_that_a_database_refuses_is_cleaned() -> None:
    entry = entry_built(title="One\0 \ud800 line\r\nonly", problem="First\r\nsecond\0 and more")
    assert (entry.title, entry.problem) == ("One line only", "First\nsecond and more")


def test_an_edit_raises_the_version_and_keeps_what_it_does_not_name() -> None:
    entry = entry_built(tags=["abend"], codes=["S322"])
    edited = entry_update(entry=entry, expected_version=1, author=None, title="Another title")
    assert (edited.version, edited.title, edited.problem) == (2, "Another title", entry.problem)
    assert codes_of(edited) == ["S322"]
    assert [tag.name for tag in edited.tags.all()] == ["abend"]


def test_a_stale_edit_is_refused_and_names_both_versions() -> None:
    entry = entry_built()
    entry_update(entry=entry, expected_version=1, author=None, title="First edit")
    with pytest.raises(StaleEntryError) as caught:
        entry_update(entry=entry, expected_version=1, author=None, title="Second edit")
    assert caught.value.facts == {"expected_version": 1, "current_version": 2}
    assert Entry.objects.get().title == "First edit"


def test_an_edit_of_a_deleted_entry_says_that_it_is_gone() -> None:
    entry = entry_built()
    entry_delete(entry=Entry.objects.get())
    with pytest.raises(EntryGoneError):
        entry_update(entry=entry, expected_version=1, author=None, title="Too late")
    with pytest.raises(EntryGoneError):
        entry_publish(entry=entry, author=None)


def test_an_edit_takes_no_field_that_it_does_not_know() -> None:
    with pytest.raises(TypeError, match="usage_count"):
        entry_update(entry=entry_built(), expected_version=1, author=None, usage_count=3)


def test_publishing_and_archiving_decide_who_finds_an_entry() -> None:
    entry = entry_built(title="Zebra jobs", status=EntryStatus.DRAFT)
    assert entry_search("zebra").total == 0
    entry_publish(entry=entry, author=None)
    assert entry_search("zebra").total == 1
    archived = entry_archive(entry=entry, author=None)
    assert entry_search("zebra").total == 0
    assert (archived.status, archived.version) == (EntryStatus.ARCHIVED, 3)


def test_a_deleted_entry_leaves_no_trace_in_the_index() -> None:
    entry = entry_built(title="Zebra jobs")
    entry_delete(entry=entry)
    assert not SearchDoc.objects.exists()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT count(*) FROM kb_search_words WHERE kb_search_words MATCH '\"zebra\"'")
            assert cursor.fetchone() == (0,)
    assert entry_search("zebra").total == 0


def test_a_view_counts_and_moves_the_entry_up_in_the_index() -> None:
    entry = entry_built()
    before = SearchDoc.objects.get().rank
    entry_viewed(entry=entry)
    entry_viewed(entry=entry)
    entry.refresh_from_db()
    assert (entry.usage_count, entry.version) == (2, 1)
    assert entry.last_used_at is not None
    assert SearchDoc.objects.get().rank < before
    assert index_check().ok
    assert entry_search("nightly").total == 1


def test_rows_written_in_bulk_are_rendered_indexed_and_searched_for_codes() -> None:
    made = Entry.objects.bulk_create(
        Entry(title=f"Bulk {number}", problem="It ends with S0C4 here.", solution="Do *that* at once.", category="Batch", status="published")
        for number in range(3)
    )  # fmt: skip
    assert entries_refresh(entry.pk for entry in made) == 3
    assert entry_search("S0C4").total == 3
    entry = Entry.objects.get(title="Bulk 1")
    assert "<em>that</em>" in entry.solution_html
    assert codes_of(entry) == ["S0C4"]
