"""What readers say about an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knowledge.models import Entry, Feedback

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
    """Record a vote, or change the one that this voter gave before. Raises FeedbackInvalidError."""
    raise NotImplementedError
