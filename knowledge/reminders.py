"""Reminders of reviews by mail, to those who wrote an entry and those who reviewed it.

A review is told of when its day is near, when it has come, and again while it is past. The worker looks every
few hours; a site without mail (KB_MAIL_URL, KB_MAIL_FROM) shows the same on its pages only.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from smtplib import SMTPException
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import ngettext

from knowledge.models import EntryReview, EntryStatus
from migrations_ops.queue import schedule_ensure

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

SCHEDULE = "knowledge-review-reminders"
LOOK_EVERY = timedelta(hours=6)
#: The first reminder comes this long before the day.
AHEAD = timedelta(days=7)
#: While the day is past, another one comes after this time.
AGAIN = timedelta(days=14)
#: Reviews that one look takes up; the next one takes the rest.
REVIEWS_MOST = 500


def reminders_schedule() -> None:
    """Have the worker look every few hours."""
    schedule_ensure(name=SCHEDULE, function="knowledge.reminders.reminders_send", every=LOOK_EVERY)


def reminders_send(today: date | None = None) -> int:
    """Send what is to be told today, one mail for each person; how many were sent.

    A review whose mails could not be handed over is told of the next time.
    """
    if not settings.MAIL_FROM:
        return 0
    now = today or timezone.localdate()
    told: dict[User, list[EntryReview]] = defaultdict(list)
    waiting = list(reminders_due(now)[:REVIEWS_MOST])
    for review in waiting:
        people = set(_people(review))
        if people and _claimed(review, now):
            for person in people:
                told[person].append(review)
    handed = {person for person, reviews in told.items() if _mailed(person, reviews, now)}
    reached = {review.pk for person in handed for review in told[person]}
    for review in {one for reviews in told.values() for one in reviews}:
        if review.pk not in reached:
            EntryReview.objects.filter(pk=review.pk, reminded_on=now).update(reminded_on=review.reminded_on)
    return len(handed)


def reminders_due(today: date) -> QuerySet[EntryReview]:
    """Reviews of published entries that somebody is to be told of today, the oldest day first."""
    near = Q(reminded_on=None, due_on__lte=today + AHEAD)
    come = Q(due_on__lte=today, reminded_on__lt=F("due_on"))
    past = Q(due_on__lt=today, reminded_on__lte=today - AGAIN)
    found = EntryReview.objects.filter(near | come | past, entry__status=EntryStatus.PUBLISHED)
    texts = ("problem", "solution", "problem_html", "solution_html")
    listed = found.select_related("entry__created_by", "reviewed_by").defer(*(f"entry__{name}" for name in texts))
    return listed.order_by("due_on", "pk")


def _people(review: EntryReview) -> Iterator[User]:
    """Who is told: the reviewer while they may validate, and the author; those with an address."""
    reviewer, author = review.reviewed_by, review.entry.created_by
    if reviewer and reviewer.is_active and reviewer.email and reviewer.has_perm("knowledge.validate_entry"):
        yield reviewer
    if author and author.is_active and author.email:
        yield author


def _claimed(review: EntryReview, today: date) -> bool:
    """Whether this process tells of the review; another one may look at the same moment."""
    with transaction.atomic():
        mine = EntryReview.objects.filter(pk=review.pk, due_on=review.due_on)
        before = Q(reminded_on=review.reminded_on) if review.reminded_on else Q(reminded_on__isnull=True)
        return mine.filter(before).update(reminded_on=today) == 1


def _mailed(person: User, reviews: list[EntryReview], today: date) -> bool:
    """Whether the mail server took the mail."""
    rows = [
        {
            "title": review.entry.title,
            "url": settings.SITE_URL + review.entry.get_absolute_url(),
            "due_on": review.due_on,
            "overdue": bool(review.due_on and review.due_on < today),
        }
        for review in reviews
    ]
    subject = ngettext("%(count)d entry is due for review", "%(count)d entries are due for review", len(rows))
    body = render_to_string("knowledge/mail/reminder.txt", {"name": person.get_username(), "rows": rows})
    mail = EmailMessage(subject % {"count": len(rows)}, body, settings.MAIL_FROM, [person.email])
    try:
        return mail.send() == 1
    except (SMTPException, OSError, ValueError) as error:
        logger.warning("The reminder for %s was not sent: %s", person.get_username(), error)
        return False
