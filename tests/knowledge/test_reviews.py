"""Validation of entries: who may say it, what ends it, and what waits for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from knowledge.entries import entry_publish, entry_update
from knowledge.errors import EntryGoneError, ReviewDateError, ReviewStaleError
from knowledge.models import Entry, EntryReview, EntryStatus, Validation
from knowledge.reviews import (
    review_ask,
    review_hold,
    review_validate,
    reviews_due_soon,
    reviews_overdue,
    reviews_pending_count,
)
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db


def validation_of(entry: Entry) -> str:
    return EntryReview.objects.get(entry=entry).validation


def version_of(entry: Entry) -> int | None:
    return EntryReview.objects.get(entry=entry).version


def test_an_edit_by_someone_else_ends_the_validation_and_the_reviewers_own_does_not() -> None:
    entry, reviewer = an_entry(), a_person("validate_entry")
    review_validate(entry=entry, expected_version=1, reviewer=reviewer)

    entry_update(entry=entry, expected_version=1, author=reviewer, title="S0C7 in a packed field")
    assert (validation_of(entry), version_of(entry)) == (Validation.VALIDATED, 2)

    entry_update(entry=entry, expected_version=2, author=a_person(name="bo"), title="S0C7 in packed fields")
    assert (validation_of(entry), version_of(entry)) == (Validation.NOT_VALIDATED, 2)


def test_an_edit_by_a_program_ends_the_validation_and_publishing_does_not() -> None:
    entry, reviewer = an_entry(status=EntryStatus.DRAFT), a_person("validate_entry")
    review_validate(entry=entry, expected_version=1, reviewer=reviewer)
    entry_publish(entry=entry, author=reviewer)
    assert validation_of(entry) == Validation.VALIDATED
    entry_update(entry=entry, expected_version=2, author=None, title="Another title")
    assert validation_of(entry) == Validation.NOT_VALIDATED


def test_a_reviewer_who_may_no_longer_validate_ends_it_by_their_own_edit() -> None:
    entry, reviewer = an_entry(), a_person()
    review_validate(entry=entry, expected_version=1, reviewer=reviewer)
    entry_update(entry=entry, expected_version=1, author=reviewer, title="Another title")
    assert validation_of(entry) == Validation.NOT_VALIDATED


def test_a_text_that_was_edited_since_it_was_read_is_not_validated() -> None:
    entry = an_entry()
    entry_update(entry=entry, expected_version=1, author=None, title="Another title")
    with pytest.raises(ReviewStaleError):
        review_validate(entry=entry, expected_version=1, reviewer=a_person())
    assert not EntryReview.objects.exists()


@pytest.mark.parametrize("days", [-1, 0, 5 * 366 + 1])
def test_the_next_review_is_after_today_and_not_in_the_far_future(days: int) -> None:
    entry, today = an_entry(), timezone.localdate()
    with pytest.raises(ReviewDateError):
        review_validate(
            entry=entry, expected_version=1, reviewer=a_person(), due_on=today + timedelta(days=days), today=today
        )


def test_a_review_of_an_entry_that_is_gone_says_so() -> None:
    entry = an_entry()
    Entry.objects.filter(pk=entry.pk).delete()
    with pytest.raises(EntryGoneError):
        review_ask(entry=entry)


def test_overdue_and_due_soon_are_told_apart_by_the_day() -> None:
    today, reviewer = timezone.localdate(), a_person()
    by_days = {}
    for days in (-1, 0, 30, 31):
        entry = an_entry(title=f"Due in {days}")
        review_validate(entry=entry, expected_version=1, reviewer=reviewer)
        EntryReview.objects.filter(entry=entry).update(due_on=today + timedelta(days=days))
        by_days[days] = entry
    assert list(reviews_overdue(today)) == [by_days[-1]]
    assert list(reviews_due_soon(today)) == [by_days[0], by_days[30]]


def test_pending_counts_each_entry_once_and_leaves_archived_ones_out() -> None:
    overdue_and_asked, asked, archived, held = (an_entry() for _ in range(4))
    for entry in (overdue_and_asked, asked, archived):
        review_ask(entry=entry)
    review_hold(entry=held)
    EntryReview.objects.filter(entry=overdue_and_asked).update(due_on=timezone.localdate() - timedelta(days=3))
    Entry.objects.filter(pk=archived.pk).update(status=EntryStatus.ARCHIVED)
    assert reviews_pending_count() == 2


# Pages ------------------------------------------------------------------------------------------


def post(client: Client, entry: Entry, action: str, **values: object) -> str:
    data = {"action": action, "version": entry.version, **values}
    return client.post(reverse("entry_review", args=[entry.pk]), data, follow=True).content.decode()


def test_validating_on_the_entry_page_shows_the_badge_and_the_next_review(client: Client) -> None:
    entry = an_entry()
    client.force_login(a_person("validate_entry"))
    due = timezone.localdate() + timedelta(days=90)

    html = post(client, entry, "validate", due_on=due.isoformat())

    assert "The entry is validated." in html and '<span class="badge badge--ok">Validated</span>' in html
    assert EntryReview.objects.get().due_on == due


def test_a_draft_is_validated_and_published_in_one_step_by_those_who_may_both(client: Client) -> None:
    entry = an_entry(status=EntryStatus.DRAFT)
    client.force_login(a_person("change_entry", "validate_entry", "publish_entry"))
    assert "The entry is validated and published." in post(client, entry, "publish")
    assert Entry.objects.get().status == EntryStatus.PUBLISHED
    assert validation_of(entry) == Validation.VALIDATED


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"due_on": "1999-01-01"}, "cannot be the day"),
        ({"due_on": "soon"}, "cannot be the day"),
        ({"version": 9}, "Read it again"),
    ],
)
def test_a_review_that_cannot_be_says_why(client: Client, values: dict[str, object], reason: str) -> None:
    entry = an_entry()
    client.force_login(a_person("validate_entry"))
    assert reason in post(client, entry, "validate", **values)
    assert not EntryReview.objects.exists()


def test_only_those_allowed_validate_ask_or_hold(client: Client) -> None:
    entry = an_entry()
    url = reverse("entry_review", args=[entry.pk])
    assert client.post(url, {"action": "validate"}).status_code == 302
    client.force_login(a_person("add_entry"))
    for action in ("validate", "publish", "ask", "hold"):
        assert client.post(url, {"action": action, "version": 1}).status_code == 403
    client.force_login(a_person("validate_entry", name="val"))
    assert client.post(url, {"action": "publish", "version": 1}).status_code == 403
    assert client.get(url).status_code == 405
    assert not EntryReview.objects.exists()


def test_authors_ask_for_a_review_of_their_own_draft_and_of_no_other(client: Client) -> None:
    author = a_person("add_entry")
    own, other = an_entry(status=EntryStatus.DRAFT, author=author), an_entry(status=EntryStatus.DRAFT)
    client.force_login(author)
    assert "on the list of those who review" in post(client, own, "ask")
    assert validation_of(own) == Validation.NOT_VALIDATED
    assert client.post(reverse("entry_review", args=[other.pk]), {"action": "ask"}).status_code == 404


def test_the_page_lists_what_waits_and_opens_the_most_urgent_list(client: Client) -> None:
    late, asked, _never, draft = (an_entry(title=title) for title in ("Late one", "Asked one", "New one", "Draft one"))
    Entry.objects.filter(pk=draft.pk).update(status=EntryStatus.DRAFT)
    reviewer = a_person("validate_entry")
    review_validate(entry=late, expected_version=1, reviewer=reviewer)
    EntryReview.objects.update(due_on=timezone.localdate() - timedelta(days=1))
    review_ask(entry=asked)
    client.force_login(reviewer)
    url = reverse("reviews")
    for show, title in {"": "Late one", "asked": "Asked one", "never": "New one", "drafts": "Draft one"}.items():
        page = client.get(url, {"show": show}).context["page"]
        assert [entry.title for entry in page] == [title]
    assert "No review is due in the next 30 days." in client.get(url, {"show": "soon"}).content.decode()


def test_the_number_that_waits_stands_in_the_navigation_of_those_who_review(client: Client) -> None:
    review_ask(entry=an_entry())
    link = f'href="{reverse("reviews")}"'
    assert link not in client.get(reverse("tags")).content.decode()
    client.force_login(a_person("validate_entry"))
    html = client.get(reverse("tags")).content.decode()
    assert link in html and "waiting" in html


def test_the_lists_are_for_those_who_validate(client: Client) -> None:
    assert client.get(reverse("reviews")).status_code == 302
    client.force_login(a_person("change_entry"))
    assert client.get(reverse("reviews")).status_code == 403


def test_the_lists_ask_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        review_ask(entry=an_entry(title=f"Entry {number}", codes=[f"S{number:03d}"]))
    client.force_login(a_person("validate_entry"))
    with django_assert_max_num_queries(15):
        assert len(client.get(reverse("reviews")).context["page"]) == 25


def test_people_find_their_own_drafts_and_nobody_elses(client: Client) -> None:
    author = a_person("add_entry")
    an_entry(title="My draft", status=EntryStatus.DRAFT, author=author)
    an_entry(title="Their draft", status=EntryStatus.DRAFT)
    assert client.get(reverse("drafts")).status_code == 302
    client.force_login(author)
    html = client.get(reverse("drafts")).content.decode()
    assert "My draft" in html and "Their draft" not in html
