"""What readers keep of entries for themselves, and what they report to the staff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.errors import EntryGoneError, FlagGoneError, FlagInvalidError
from knowledge.models import Entry, EntryFlag, EntryMark
from knowledge.text import storable, text_line

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ANSWER_CHARS = 500


def mark_set(
    *, entry: Entry, user: User, favourite: bool | None = None, watched: bool | None = None
) -> EntryMark | None:
    """Make or unmake an entry a favourite, watch it or stop that; None keeps what is.

    Returns None when no mark is left. Watching begins with the present version as seen.
    """
    with transaction.atomic():
        mark, _made = EntryMark.objects.get_or_create(entry=entry, user=user, defaults={"seen_version": entry.version})
        if favourite is not None:
            mark.favourite = favourite
        if watched is not None:
            mark.seen_version = mark.seen_version if mark.watched else entry.version
            mark.watched = watched
        if not (mark.favourite or mark.watched):
            mark.delete()
            return None
        mark.save(update_fields=["favourite", "watched", "seen_version"])
    return mark


def mark_of(entry: Entry, user: User) -> EntryMark | None:
    """This person's mark on the entry."""
    return EntryMark.objects.filter(entry=entry, user=user).first()


def mark_seen(*, mark: EntryMark, version: int) -> None:
    """The person has this version on the screen: it is no news any more."""
    EntryMark.objects.filter(pk=mark.pk, seen_version__lt=version).update(seen_version=version)


def marks_of(user: User) -> QuerySet[EntryMark]:
    """A person's marks with `news`, whether the entry has changed since they saw it; news first, then by title."""
    news = Q(watched=True, entry__version__gt=F("seen_version"))
    return (
        EntryMark.objects.filter(user=user)
        .select_related("entry")
        .defer("entry__problem", "entry__solution", "entry__problem_html", "entry__solution_html")
        .annotate(news=news)
        .order_by("-news", "entry__title", "pk")
    )


def flag_raise(*, entry: Entry, reason: str, reporter: str, comment: str = "", user: User | None = None) -> EntryFlag:
    """Report an entry. A report of the same reader that is still open is replaced.

    Raises FlagInvalidError, EntryGoneError.
    """
    flag = EntryFlag(entry=entry, reason=reason, reporter=reporter, comment=storable(comment).strip(), user=user)
    try:
        flag.clean_fields(exclude=["entry", "user", "settled_by"])
    except ValidationError as error:
        raise FlagInvalidError(problem=" ".join(error.messages)) from error
    with transaction.atomic():
        if not Entry.objects.select_for_update().filter(pk=entry.pk).values_list("pk").first():
            raise EntryGoneError(entry=entry.pk)
        before = flag_open_of(entry, reporter)
        if before:
            flag.pk = before.pk
        flag.save()
    return flag


def flag_open_of(entry: Entry, reporter: str) -> EntryFlag | None:
    """The report of this reader that nobody has settled yet."""
    return EntryFlag.objects.filter(entry=entry, reporter=reporter, settled_at=None).first()


def flag_settle(*, flag: int, answer: str, author: User | None) -> EntryFlag:
    """Close a report, with an answer to who sent it. Raises FlagGoneError, FlagInvalidError."""
    line = text_line(answer)
    if len(line) > ANSWER_CHARS:
        raise FlagInvalidError(
            problem=_("The answer has %(chars)d characters; it may have %(most)d.")
            % {"chars": len(line), "most": ANSWER_CHARS}
        )
    changed = EntryFlag.objects.filter(pk=flag, settled_at=None).update(
        settled_at=timezone.now(), settled_by=author, answer=line
    )
    if not changed:
        raise FlagGoneError(flag=flag)
    return EntryFlag.objects.get(pk=flag)


def flags_open() -> QuerySet[EntryFlag]:
    """Reports that wait for somebody, the newest first."""
    return EntryFlag.objects.filter(settled_at=None).select_related("entry", "user")


def flags_settled() -> QuerySet[EntryFlag]:
    """Reports that were answered, the latest first."""
    return (
        EntryFlag.objects.exclude(settled_at=None)
        .select_related("entry", "user", "settled_by")
        .order_by("-settled_at", "-pk")
    )


def flags_open_count() -> int:
    """How many reports wait."""
    return EntryFlag.objects.filter(settled_at=None).count()
