"""Whether an entry was checked, by whom, and when somebody looks at it again."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from knowledge.errors import EntryGoneError, ReviewDateError, ReviewStaleError
from knowledge.models import Entry, EntryReview, EntryStatus, Validation

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: A review is due again after this time unless the reviewer says another day.
REVIEW_EVERY = timedelta(days=365)
REVIEW_LATEST = timedelta(days=5 * 366)
#: "Due soon" begins this long before the day.
DUE_SOON = timedelta(days=30)

_OPEN = Q(validation=Validation.NOT_VALIDATED)


def review_validate(
    *, entry: Entry, expected_version: int, reviewer: User, due_on: date | None = None, today: date | None = None
) -> EntryReview:
    """Note that `reviewer` found version `expected_version` of the entry right.

    Raises ReviewStaleError when it was edited since they read it, ReviewDateError, EntryGoneError.
    """
    now = today or timezone.localdate()
    due = due_on or now + REVIEW_EVERY
    if not review_due_first(now) <= due <= review_due_last(now):
        raise ReviewDateError(due_on=due, first=review_due_first(now), last=review_due_last(now))
    with transaction.atomic():
        version = _version_locked(entry)
        if version != expected_version:
            raise ReviewStaleError(expected_version=expected_version, current_version=version)
        return _written(
            entry,
            validation=Validation.VALIDATED,
            version=version,
            reviewed_by=reviewer,
            reviewed_at=timezone.now(),
            due_on=due,
            reminded_on=None,
        )


def review_ask(*, entry: Entry) -> EntryReview:
    """Put the entry on the list of those who validate. Raises EntryGoneError."""
    return _state_set(entry, Validation.NOT_VALIDATED)


def review_hold(*, entry: Entry) -> EntryReview:
    """Mark the entry as work in progress: nobody is asked to review it. Raises EntryGoneError."""
    return _state_set(entry, Validation.WIP)


def review_reset(*, entry_id: UUID, version: int, author: User | None) -> None:
    """After an edit: what was validated is so no longer, unless the reviewer edited it and may still validate.

    Called by knowledge.entries in the transaction of the edit.
    """
    validated = EntryReview.objects.filter(entry=entry_id, validation=Validation.VALIDATED)
    if author and author.has_perm("knowledge.validate_entry"):
        validated.filter(reviewed_by=author).update(version=version)
        validated = validated.exclude(reviewed_by=author)
    validated.update(validation=Validation.NOT_VALIDATED)


def review_due_first(today: date) -> date:
    """The first day that a next review can be set to."""
    return today + timedelta(days=1)


def review_due_last(today: date) -> date:
    """The last day that a next review can be set to."""
    return today + REVIEW_LATEST


def reviews_overdue(today: date) -> QuerySet[Entry]:
    """Published entries whose review is past its day, the oldest first."""
    entries = Entry.objects.filter(status=EntryStatus.PUBLISHED, review__due_on__lt=today)
    return entries.order_by("review__due_on", "pk")


def reviews_due_soon(today: date) -> QuerySet[Entry]:
    """Published entries to be reviewed within DUE_SOON, the next first."""
    days = (today, today + DUE_SOON)
    entries = Entry.objects.filter(status=EntryStatus.PUBLISHED, review__due_on__range=days)
    return entries.order_by("review__due_on", "pk")


def reviews_of(person: User, today: date) -> QuerySet[Entry]:
    """Published entries that this person wrote or reviewed whose day is past or near, the oldest first."""
    own = Q(review__reviewed_by=person) | Q(created_by=person)
    entries = Entry.objects.filter(own, status=EntryStatus.PUBLISHED, review__due_on__lte=today + DUE_SOON)
    return entries.order_by("review__due_on", "pk")


def reviews_asked() -> QuerySet[Entry]:
    """Entries that wait for somebody to validate them, the longest waiting first."""
    entries = Entry.objects.exclude(status=EntryStatus.ARCHIVED)
    return entries.filter(review__validation=Validation.NOT_VALIDATED).order_by("updated_at", "pk")


def entries_never_reviewed() -> QuerySet[Entry]:
    """Published entries that nobody was asked to review, the most used first."""
    return Entry.objects.filter(status=EntryStatus.PUBLISHED, review=None).order_by("-usage_count", "pk")


def entry_drafts(author: User | None = None) -> QuerySet[Entry]:
    """Drafts, of one author or of everybody, the newest first."""
    drafts = Entry.objects.filter(status=EntryStatus.DRAFT)
    return (drafts.filter(created_by=author) if author else drafts).order_by("-updated_at", "pk")


def reviews_pending_count() -> int:
    """How many entries wait for a reviewer: overdue, or asked for."""
    pending = EntryReview.objects.filter(Q(due_on__lt=timezone.localdate(), entry__status="published") | _OPEN)
    return pending.exclude(entry__status=EntryStatus.ARCHIVED).count()


def _version_locked(entry: Entry) -> int:
    row = Entry.objects.select_for_update().filter(pk=entry.pk).values_list("version", flat=True).first()
    if row is None:
        raise EntryGoneError(entry=entry.pk)
    return row


def _state_set(entry: Entry, validation: Validation) -> EntryReview:
    with transaction.atomic():
        _version_locked(entry)
        return _written(entry, validation=validation)


def _written(entry: Entry, **values: object) -> EntryReview:
    review, _made = EntryReview.objects.update_or_create(entry=entry, defaults=values)
    return review
