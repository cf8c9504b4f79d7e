"""Merging duplicates: nothing that readers gave or keep is lost, and old addresses still lead somewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from knowledge.entries import entry_update, entry_viewed
from knowledge.errors import EntryGoneError, MergeRefusedError
from knowledge.feedback import feedback_give
from knowledge.merging import entry_merge, entry_merged, merge_preview
from knowledge.models import (
    Entry,
    EntryAddress,
    EntryFlag,
    EntryMark,
    EntryRevision,
    EntryStatus,
    Feedback,
    PromotedResult,
    SearchQuery,
)
from knowledge.search import entry_search, index_check
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db


def pair(**values: Any) -> tuple[Entry, Entry]:
    """The entry that is kept and its duplicate."""
    return an_entry(), an_entry(
        **{
            "title": "Data exception S0C7 again",
            "problem": "The same, in other words: SQLCODE -803.",
            "tags": ["abend", "packed"],
            "codes": [],
            **values,
        }
    )


def merged(kept: Entry, duplicate: Entry, author: User | None = None) -> Entry:
    return entry_merge(
        kept=kept,
        duplicate=duplicate,
        kept_version=kept.version,
        duplicate_version=duplicate.version,
        author=author,
    )


def voted(entry: Entry, voter: str, *, worked: bool, days_ago: int = 0) -> None:
    feedback_give(entry=entry, worked=worked, voter=voter)
    Feedback.objects.filter(entry=entry, voter=voter).update(created_at=timezone.now() - timedelta(days=days_ago))


def test_the_kept_entry_has_its_text_and_the_tags_and_codes_of_both() -> None:
    kept, duplicate = pair()
    after = merged(kept, duplicate)
    assert (after.title, after.problem) == (kept.title, kept.problem)
    assert sorted(after.tags.values_list("name", flat=True)) == ["abend", "packed"]
    assert list(after.entrycode_set.values_list("error_code__code", flat=True)) == ["S0C7", "SQLCODE -803"]
    assert Entry.objects.get() == after


def test_a_reader_who_voted_on_both_counts_once_with_the_newer_vote() -> None:
    kept, duplicate = pair()
    voted(kept, "user:1", worked=False, days_ago=2)
    voted(duplicate, "user:1", worked=True, days_ago=1)
    voted(kept, "user:2", worked=True, days_ago=1)
    voted(duplicate, "user:2", worked=False, days_ago=2)
    voted(duplicate, "user:3", worked=False)

    preview = merge_preview(kept=kept, duplicate=duplicate)
    after = merged(kept, duplicate)

    assert (preview.votes, preview.replaced, preview.dropped) == (2, 1, 1)
    assert dict(Feedback.objects.values_list("voter", "worked")) == {"user:1": True, "user:2": True, "user:3": False}
    assert (after.success_count, after.failure_count) == (2, 1)


def test_votes_that_came_as_counters_with_an_import_are_added() -> None:
    kept, duplicate = pair()
    Entry.objects.filter(pk=kept.pk).update(success_count=10, failure_count=1)
    Entry.objects.filter(pk=duplicate.pk).update(success_count=5)
    voted(duplicate, "user:1", worked=True)
    after = merged(kept, duplicate)
    assert (after.success_count, after.failure_count) == (16, 1)


def test_views_add_up_and_the_last_use_is_the_later_one() -> None:
    kept, duplicate = pair()
    late = timezone.now()
    entry_viewed(entry=kept, at=late - timedelta(days=3))
    entry_viewed(entry=duplicate, at=late)
    after = merged(kept, duplicate)
    assert (after.usage_count, after.last_used_at) == (2, late)
    assert merged(an_entry(), an_entry()).last_used_at is None


def test_the_history_has_the_versions_of_both_and_the_merge_on_top() -> None:
    kept, duplicate = pair()
    duplicate = entry_update(entry=duplicate, expected_version=1, author=None, solution="A better solution of it.")
    author = a_person()

    after = merged(kept, duplicate, author)

    rows = list(EntryRevision.objects.filter(entry=kept.pk).order_by("version"))
    assert [row.version for row in rows] == [1, 2, 3, 4] and after.version == 4
    assert [row.title for row in rows] == [kept.title, duplicate.title, duplicate.title, kept.title]
    assert rows[1].note == "Version 1 of “Data exception S0C7 again”"
    assert rows[2].solution == "A better solution of it."
    assert rows[3].note == "Merged with “Data exception S0C7 again”" and rows[3].saved_by == author


def test_entries_without_versions_get_them() -> None:
    kept, duplicate = pair()
    EntryRevision.objects.all().delete()
    assert merge_preview(kept=kept, duplicate=duplicate).versions == 1
    after = merged(kept, duplicate)
    assert list(after.revisions.values_list("version", flat=True)) == [3, 2, 1]


def test_favourites_and_watches_of_both_stay_and_the_merge_is_news() -> None:
    kept, duplicate = pair()
    one, both = a_person(), a_person(name="bo")
    EntryMark.objects.create(entry=duplicate, user=one, watched=True, seen_version=1)
    EntryMark.objects.create(entry=kept, user=both, watched=True, seen_version=1)
    EntryMark.objects.create(entry=duplicate, user=both, favourite=True, seen_version=1)

    after = merged(kept, duplicate)

    marks = {mark.user_id: mark for mark in EntryMark.objects.filter(entry=after)}
    assert marks.keys() == {one.pk, both.pk}
    assert marks[one.pk].watched and not marks[one.pk].favourite
    assert marks[both.pk].watched and marks[both.pk].favourite
    assert all(mark.seen_version < after.version for mark in marks.values())


def test_flags_searches_and_promotions_follow() -> None:
    kept, duplicate = pair()
    EntryFlag.objects.create(entry=duplicate, reason="duplicate", reporter="user:1")
    SearchQuery.objects.create(query="s0c7", opened_entry=duplicate)
    for entry, words in ((kept, "s0c7"), (duplicate, "s0c7"), (duplicate, "data exception")):
        PromotedResult.objects.create(normalized=words, query=words, entry=entry)

    after = merged(kept, duplicate)

    assert EntryFlag.objects.get().entry == after
    assert SearchQuery.objects.get().opened_entry == after
    assert sorted(PromotedResult.objects.values_list("normalized", flat=True)) == ["data exception", "s0c7"]


def test_every_old_address_leads_to_the_kept_entry(client: Client) -> None:
    first, second = pair()
    third = an_entry(title="A third one about it")
    after = merged(third, merged(second, first))
    for old in (first, second):
        response = client.get(reverse("entry", args=[old.pk]))
        assert response.headers["Location"] == after.get_absolute_url()
    assert set(EntryAddress.objects.values_list("entry", flat=True)) == {after.pk}


def test_a_search_finds_the_kept_entry_by_the_codes_of_the_other() -> None:
    kept, duplicate = pair()
    after = merged(kept, duplicate)
    assert [hit.entry for hit in entry_search("-803").hits] == [after]
    assert index_check().ok


def test_tags_beyond_the_limit_are_named_and_left_out() -> None:
    kept = an_entry(tags=[f"k{number}" for number in range(29)])
    duplicate = an_entry(tags=["x1", "x2", "x3"])
    preview = merge_preview(kept=kept, duplicate=duplicate)
    assert (preview.tags, preview.left_out) == (("x1",), ("x2", "x3"))
    assert merged(kept, duplicate).tags.count() == 30


def test_a_failure_on_the_way_leaves_both_entries_as_they_were() -> None:
    kept, duplicate = pair()
    voted(duplicate, "user:1", worked=True)

    def fail(**facts: object) -> None:
        raise ZeroDivisionError

    entry_merged.connect(fail)
    try:
        with pytest.raises(ZeroDivisionError):
            merged(kept, duplicate)
    finally:
        entry_merged.disconnect(fail)
    duplicate.refresh_from_db()
    assert (duplicate.success_count, duplicate.revisions.count()) == (1, 1)
    assert not EntryAddress.objects.exists()


def test_what_cannot_be_merged_says_why() -> None:
    kept, duplicate = pair()
    draft = an_entry(status=EntryStatus.DRAFT)
    gone = Entry(pk=uuid4(), title="Gone")
    with pytest.raises(MergeRefusedError, match="same entry"):
        merged(kept, kept)
    with pytest.raises(MergeRefusedError, match="is not published"):
        merged(draft, kept)
    with pytest.raises(EntryGoneError):
        merged(kept, gone)
    entry_update(entry=duplicate, expected_version=1, author=None, title="Edited meanwhile")
    with pytest.raises(MergeRefusedError, match="was edited since"):
        merged(kept, duplicate)
    assert Entry.objects.count() == 3


# Pages ------------------------------------------------------------------------------------------


@pytest.fixture
def editor(client: Client) -> User:
    """A person who may merge, logged in."""
    person = a_person("change_entry", "delete_entry", name="ed")
    client.force_login(person)
    return person


def test_similar_entries_are_offered_and_a_search_finds_others(client: Client, editor: User) -> None:
    kept, duplicate = pair()
    other = an_entry(title="File status 35 at open", problem="OPEN ends with FS 35.", tags=["vsam"], codes=["FS 35"])
    url = reverse("entry_merge", args=[kept.pk])
    assert url in client.get(kept.get_absolute_url()).content.decode()
    html = client.get(url).content.decode()
    assert duplicate.title in html and f"?with={duplicate.pk}" in html
    assert f"?with={kept.pk}" not in html
    assert other.title in client.get(url, {"q": "FS 35"}).content.decode()


def test_the_preview_shows_both_texts_and_changes_nothing(client: Client, editor: User) -> None:
    kept, duplicate = pair()
    html = client.get(reverse("entry_merge", args=[kept.pk]), {"with": duplicate.pk}).content.decode()
    assert kept.problem in html and "The same, in other words" in html
    assert f"{reverse('entry_merge', args=[duplicate.pk])}?with={kept.pk}" in html
    assert '<span class="tagchip">packed</span>' in html and '<span class="code">SQLCODE -803</span>' in html
    assert Entry.objects.count() == 2


def test_confirming_merges_and_goes_to_the_kept_entry(client: Client, editor: User) -> None:
    kept, duplicate = pair()
    data = {"with": duplicate.pk, "kept_version": 1, "duplicate_version": 1}
    html = client.post(reverse("entry_merge", args=[kept.pk]), data, follow=True).content.decode()
    assert "is part of this entry now" in html
    assert Entry.objects.get().updated_by == editor


def test_a_merge_of_texts_that_changed_meanwhile_asks_to_look_again(client: Client, editor: User) -> None:
    kept, duplicate = pair()
    data = {"with": duplicate.pk, "kept_version": 1, "duplicate_version": "none"}
    html = client.post(reverse("entry_merge", args=[kept.pk]), data, follow=True).content.decode()
    assert "Look again, then merge." in html and "What moves" in html
    assert Entry.objects.count() == 2


def test_keeping_a_draft_instead_of_a_published_entry_is_refused_with_the_way_on(client: Client, editor: User) -> None:
    draft, published = an_entry(status=EntryStatus.DRAFT), an_entry()
    response = client.get(reverse("entry_merge", args=[draft.pk]), {"with": published.pk})
    assert response.status_code == 409
    assert f"{reverse('entry_merge', args=[published.pk])}?with={draft.pk}" in response.content.decode()


def test_only_those_who_edit_and_delete_merge(client: Client) -> None:
    kept, duplicate = pair()
    url = reverse("entry_merge", args=[kept.pk])
    assert client.get(url).status_code == 302
    for number, permission in enumerate(("change_entry", "delete_entry")):
        client.force_login(a_person(permission, name=f"p{number}"))
        assert client.get(url).status_code == 403
        assert client.post(url, {"with": duplicate.pk}).status_code == 403
        assert "Merge…" not in client.get(kept.get_absolute_url()).content.decode()


@pytest.mark.parametrize("named", ["nonsense", "0b0e7b0e-0000-4000-8000-000000000000", "0" * 5000])
def test_an_entry_that_does_not_exist_is_not_found(client: Client, editor: User, named: str) -> None:
    assert client.get(reverse("entry_merge", args=[an_entry().pk]), {"with": named}).status_code == 404


def test_the_pages_ask_the_database_a_bounded_number_of_times(
    client: Client, editor: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    kept, duplicate = pair()
    for number in range(12):
        an_entry(title=f"S0C7 in step {number}")
        voted(duplicate, f"user:{number}", worked=True)
        voted(kept, f"user:{number}", worked=True)
    url = reverse("entry_merge", args=[kept.pk])
    with django_assert_max_num_queries(48):
        client.get(url)
    with django_assert_max_num_queries(48):
        client.get(url, {"with": duplicate.pk})
    with django_assert_max_num_queries(105):
        client.post(url, {"with": duplicate.pk, "kept_version": 1, "duplicate_version": 1})
    assert not Entry.objects.filter(pk=duplicate.pk).exists()
