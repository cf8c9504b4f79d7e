"""What readers say about an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from knowledge.errors import EntryGoneError, FeedbackInvalidError
from knowledge.models import Entry, Feedback
from knowledge.search.index import index_rank_refresh
from knowledge.text import storable

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def feedback_give(
    *,
    entry: Entry,
    worked: bool,
    voter: str,
    rating: int | None = None,
    comment: str = "",
    user: User | None = None,
) -> Feedback:
    """Record a vote, or change the one that this voter gave before.

    The entry's row is held while its counters follow, so votes given at once all count.
    Raises FeedbackInvalidError, EntryGoneError.
    """
    vote = Feedback(
        entry=entry, worked=worked, voter=voter, rating=rating, comment=storable(comment).strip(), user=user
    )
    _checked(vote)
    with transaction.atomic():
        if not Entry.objects.select_for_update().filter(pk=entry.pk).values_list("pk").first():
            raise EntryGoneError(entry=entry.pk)
        before = Feedback.objects.filter(entry=entry.pk, voter=voter).first()
        if before:
            vote.pk = before.pk
            vote.created_at = timezone.now()
        vote.save()
        _counted(entry, before=before, vote=vote)
        index_rank_refresh(entry.pk)
    return vote


def _checked(vote: Feedback) -> None:
    try:
        vote.clean_fields(exclude=["entry", "user"])
    except ValidationError as error:
        raise FeedbackInvalidError(problem=" ".join(error.messages)) from error


def _counted(entry: Entry, *, before: Feedback | None, vote: Feedback) -> None:
    """Move the entry's counters by what this vote changes."""
    worked = int(vote.worked) - int(before is not None and before.worked)
    failed = int(not vote.worked) - int(before is not None and not before.worked)
    if worked or failed:
        Entry.objects.filter(pk=entry.pk).update(
            success_count=F("success_count") + worked, failure_count=F("failure_count") + failed
        )
