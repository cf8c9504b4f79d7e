"""Reminders of reviews: to whom, when, how often, and what happens when the mail server refuses."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from knowledge.entries import entry_archive
from knowledge.models import Entry, EntryReview
from knowledge.reminders import AGAIN, AHEAD, SCHEDULE, reminders_schedule, reminders_send
from knowledge.reviews import review_validate
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db

DUE = date(2030, 3, 20)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _mail_is_set_up(settings: LazySettings) -> None:
    settings.MAIL_FROM = "kb@example.org"
    settings.SITE_URL = "https://kb.example.org"


def a_reviewed(reviewer: Any, due_on: date = DUE, **values: Any) -> Entry:
    """A published entry whose next review is on that day."""
    entry = an_entry(**values)
    today = timezone.localdate()
    review_validate(entry=entry, expected_version=1, reviewer=reviewer, due_on=today + DAY, today=today)
    EntryReview.objects.filter(entry=entry).update(due_on=due_on)
    return entry


def rex(email: str = "rex@example.org") -> Any:
    return a_person("validate_entry", name="rex", email=email)


def ana(email: str = "ana@example.org") -> Any:
    return a_person("add_entry", name="ana", email=email)


def test_reviewer_and_author_get_one_mail_each_with_all_their_entries() -> None:
    reviewer, author = rex(), ana()
    first = a_reviewed(reviewer, author=author, title="S0C7 & <more>")
    a_reviewed(reviewer, due_on=DUE - 3 * DAY, title="SB37 in a sort")

    assert reminders_send(DUE - DAY) == 2

    by_person = {one.to[0]: one for one in mail.outbox}
    assert by_person.keys() == {"rex@example.org", "ana@example.org"}
    text = by_person["rex@example.org"].body
    assert by_person["rex@example.org"].subject == "2 entries are due for review"
    assert "S0C7 & <more>" in text and f"https://kb.example.org{first.get_absolute_url()}" in text
    assert "due on 20 Mar 2030" in text and "overdue since 17 Mar 2030" in text
    assert by_person["ana@example.org"].subject == "1 entry is due for review"
    assert "SB37" not in by_person["ana@example.org"].body
    assert by_person["ana@example.org"].from_email == "kb@example.org"


def test_a_review_is_told_of_when_the_day_is_near_has_come_and_is_long_past() -> None:
    a_reviewed(rex())
    days = [DUE - AHEAD - DAY + number * DAY for number in range(60)]
    sent = [day for day in days for _look in range(2) if reminders_send(day)]
    assert sent == [DUE - AHEAD, DUE, DUE + AGAIN, DUE + 2 * AGAIN, DUE + 3 * AGAIN]


def test_a_worker_that_was_away_tells_once_and_goes_on_from_there() -> None:
    a_reviewed(rex())
    assert [reminders_send(DUE + 30 * DAY), reminders_send(DUE + 31 * DAY), reminders_send(DUE + 44 * DAY)] == [1, 0, 1]


def test_a_new_validation_begins_anew() -> None:
    reviewer = rex()
    entry = a_reviewed(reviewer)
    reminders_send(DUE)
    review_validate(entry=entry, expected_version=1, reviewer=reviewer)
    review = EntryReview.objects.get(entry=entry)
    assert review.reminded_on is None and review.due_on
    assert reminders_send(review.due_on) == 1


def test_archived_entries_and_drafts_are_left_alone() -> None:
    entry_archive(entry=a_reviewed(rex()), author=None)
    assert reminders_send(DUE) == 0


def test_those_without_address_permission_or_account_get_nothing_and_the_review_waits() -> None:
    reviewer, author = rex(""), ana()
    author.is_active = False
    author.save()
    entry = a_reviewed(reviewer, author=author)
    assert reminders_send(DUE) == 0
    assert EntryReview.objects.get(entry=entry).reminded_on is None
    reviewer.email = "rex@example.org"
    reviewer.save()
    assert reminders_send(DUE) == 1
    reviewer.user_permissions.clear()
    assert reminders_send(DUE + AGAIN) == 0


def test_a_reviewer_who_is_the_author_gets_one_mail() -> None:
    reviewer = rex()
    a_reviewed(reviewer, author=reviewer)
    assert reminders_send(DUE) == 1 and len(mail.outbox) == 1


def test_without_a_sender_no_mail_goes_out(settings: LazySettings) -> None:
    settings.MAIL_FROM = ""
    a_reviewed(rex())
    assert reminders_send(DUE) == 0 and mail.outbox == []


def test_mails_that_the_server_refused_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    a_reviewed(rex())
    with monkeypatch.context() as refusing:
        refusing.setattr(EmailBackend, "send_messages", _refused)
        assert reminders_send(DUE) == 0
    assert reminders_send(DUE) == 1
    assert reminders_send(DUE) == 0


def _refused(self: EmailBackend, messages: Any) -> int:
    raise ConnectionRefusedError("no server")


def test_the_schedule_is_set_once_and_keeps_its_rhythm() -> None:
    reminders_schedule()
    before = Schedule.objects.get(name=SCHEDULE)
    assert before.next_run > timezone.now() and before.minutes == 360
    reminders_schedule()
    assert Schedule.objects.get(name=SCHEDULE).next_run == before.next_run


def test_the_page_mine_says_what_is_due_with_and_without_mail(client: Client) -> None:
    reviewer, author = rex(""), ana("")
    today = timezone.localdate()
    a_reviewed(reviewer, due_on=today - DAY, author=author, title="Past its day")
    a_reviewed(reviewer, due_on=today + 5 * DAY, title="Soon to come")
    a_reviewed(reviewer, due_on=today + 90 * DAY, title="Far away")
    client.force_login(reviewer)
    html = client.get(reverse("mine")).content.decode()
    assert html.index("Past its day") < html.index("Soon to come") and "Far away" not in html
    client.force_login(author)
    html = client.get(reverse("mine")).content.decode()
    assert "Past its day" in html and "Soon to come" not in html
