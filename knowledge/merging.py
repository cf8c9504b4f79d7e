"""Two entries about one problem become one.

The entry that is kept has its text as it was and takes over what the other one had: tags, codes, votes,
views, marks, flags, versions, searches that opened it, promotions and addresses. The other one's text
stays in the history of the kept one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Q
from django.dispatch import Signal
from django.utils.translation import gettext as _

from knowledge.entries import CODES_PER_ENTRY, TAGS_PER_ENTRY, entry_delete, entry_update
from knowledge.errors import EntryGoneError, MergeRefusedError
from knowledge.history import NOTE_CHARS, revision_keep
from knowledge.labels import codes_by_entry
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
    Validation,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Sent with `kept_id` and `duplicate_id`, in the transaction, before the duplicate is deleted: higher levels
#: move what they know of it.
entry_merged = Signal()


@dataclass(frozen=True, kw_only=True)
class MergePreview:
    """What a merge would move, counted now."""

    kept: Entry
    duplicate: Entry
    #: Tags and codes that the kept entry gains, and those that are too many for one entry.
    tags: tuple[str, ...]
    codes: tuple[str, ...]
    left_out: tuple[str, ...]
    #: Votes that move; of readers who voted on both, `replaced` are newer than their vote on the kept entry
    #: and `dropped` older.
    votes: int
    replaced: int
    dropped: int
    views: int
    marks: int
    flags: int
    searches: int
    versions: int
    promotions: int
    addresses: int
    #: Whether the kept entry is validated, which the merge ends unless its reviewer does it.
    validated: bool


def merge_preview(*, kept: Entry, duplicate: Entry) -> MergePreview:
    """What would move from one entry to the other. Raises MergeRefusedError."""
    _allowed(kept, duplicate)
    labels = _labels(kept, duplicate)
    replaced, dropped = _double_votes(kept.pk, duplicate.pk)
    rows = Entry.objects.filter(pk=duplicate.pk)

    def count(name: str) -> int:
        return cast(int, rows.aggregate(rows=Count(name))["rows"])

    return MergePreview(
        kept=kept,
        duplicate=duplicate,
        tags=labels.gained(labels.tags, labels.own_tags),
        codes=labels.gained(labels.codes, labels.own_codes),
        left_out=labels.left_out,
        votes=count("feedback") - len(dropped),
        replaced=len(replaced),
        dropped=len(dropped),
        views=duplicate.usage_count,
        marks=count("marks"),
        flags=count("flags"),
        searches=SearchQuery.objects.filter(opened_entry=duplicate.pk).count(),
        versions=count("revisions") + (not duplicate.revisions.filter(version=duplicate.version).exists()),
        promotions=count("promotions"),
        addresses=count("old_addresses") + 1,
        validated=Entry.objects.filter(pk=kept.pk, review__validation=Validation.VALIDATED).exists(),
    )


def entry_merge(
    *, kept: Entry, duplicate: Entry, kept_version: int, duplicate_version: int, author: User | None
) -> Entry:
    """The kept entry with all that the duplicate had; the duplicate's address leads to it from now on.

    One transaction: both entries as they were, or one. Raises MergeRefusedError, also when one of them was
    edited since the person looked at both, and EntryGoneError.
    """
    with transaction.atomic():
        locked = {
            entry.pk: entry
            for entry in Entry.objects.select_for_update().order_by("pk").filter(pk__in=[kept.pk, duplicate.pk])
        }
        kept, duplicate = _found(locked, kept.pk), _found(locked, duplicate.pk)
        _allowed(kept, duplicate)
        _unchanged(kept, kept_version)
        _unchanged(duplicate, duplicate_version)
        labels = _labels(kept, duplicate)
        version = _versions_moved(kept, duplicate)
        _votes_moved(kept, duplicate)
        _marks_moved(kept, duplicate)
        _rows_moved(kept, duplicate)
        _address_left(kept, duplicate, author)
        entry_merged.send(sender=Entry, kept_id=kept.pk, duplicate_id=duplicate.pk)
        entry_delete(entry=duplicate)
        note = _("Merged with “%(title)s”") % {"title": duplicate.title}
        return entry_update(
            entry=kept, expected_version=version, author=author, note=note, tags=labels.tags, codes=labels.codes
        )


def _allowed(kept: Entry, duplicate: Entry) -> None:
    if kept.pk == duplicate.pk:
        raise MergeRefusedError(reason=_("Both are the same entry."))
    if duplicate.status == EntryStatus.PUBLISHED and kept.status != EntryStatus.PUBLISHED:
        reason = _("“%(title)s” is not published and the other one is. Keep that one, or publish this one first.")
        raise MergeRefusedError(reason=reason % {"title": kept.title})


def _found(locked: dict[UUID, Entry], pk: UUID) -> Entry:
    if pk not in locked:
        raise EntryGoneError(entry=pk)
    return locked[pk]


def _unchanged(entry: Entry, version: int) -> None:
    if entry.version != version:
        reason = _("“%(title)s” was edited since you looked at both. Look again, then merge.")
        raise MergeRefusedError(reason=reason % {"title": entry.title})


@dataclass(frozen=True)
class _Labels:
    """The tags and codes of both entries, the kept one's first."""

    own_tags: list[str]
    own_codes: list[str]
    all_tags: list[str]
    all_codes: list[str]

    @property
    def tags(self) -> list[str]:
        return self.all_tags[:TAGS_PER_ENTRY]

    @property
    def codes(self) -> list[str]:
        return self.all_codes[:CODES_PER_ENTRY]

    @property
    def left_out(self) -> tuple[str, ...]:
        return (*self.all_tags[TAGS_PER_ENTRY:], *self.all_codes[CODES_PER_ENTRY:])

    def gained(self, names: list[str], own: list[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name not in own)


def _labels(kept: Entry, duplicate: Entry) -> _Labels:
    own_tags, other_tags = (list(one.tags.values_list("name", flat=True)) for one in (kept, duplicate))
    codes = codes_by_entry([kept.pk, duplicate.pk])
    return _Labels(
        own_tags,
        codes[kept.pk],
        list(dict.fromkeys(own_tags + other_tags)),
        list(dict.fromkeys(codes[kept.pk] + codes[duplicate.pk])),
    )


def _versions_moved(kept: Entry, duplicate: Entry) -> int:
    """Put the duplicate's versions after the kept entry's; the number of the last one."""
    revision_keep(entry=kept)
    revision_keep(entry=duplicate)
    revisions = list(EntryRevision.objects.filter(entry=duplicate.pk).order_by("version"))
    for revision in revisions:
        origin = _("Version %(version)d of “%(title)s”") % {"version": revision.version, "title": duplicate.title}
        revision.note = f"{origin}: {revision.note}"[:NOTE_CHARS] if revision.note else origin[:NOTE_CHARS]
    for number, revision in enumerate(revisions, kept.version + 1):
        revision.entry, revision.version = kept, number
    EntryRevision.objects.bulk_update(revisions, ["entry", "version", "note"], batch_size=100)
    last = kept.version + len(revisions)
    Entry.objects.filter(pk=kept.pk).update(version=last)
    return last


def _votes_moved(kept: Entry, duplicate: Entry) -> None:
    """Move votes, the newer one of each reader, and count them.

    Counters can be higher than the votes that are kept as rows (an import brings counters alone); that
    surplus of both entries is added.
    """
    surplus = [_surplus(entry) for entry in (kept, duplicate)]
    older_here, older_there = _double_votes(kept.pk, duplicate.pk)
    Feedback.objects.filter(pk__in=[*older_here, *older_there]).delete()
    Feedback.objects.filter(entry=duplicate.pk).update(entry=kept.pk)
    worked, failed = _votes_counted(kept.pk)
    Entry.objects.filter(pk=kept.pk).update(
        success_count=worked + sum(good for good, _bad in surplus),
        failure_count=failed + sum(bad for _good, bad in surplus),
        usage_count=F("usage_count") + duplicate.usage_count,
        last_used_at=max(filter(None, [kept.last_used_at, duplicate.last_used_at]), default=None),
    )


def _double_votes(kept: UUID, duplicate: UUID) -> tuple[list[int], list[int]]:
    """Votes of readers who voted on both: the older ones on the kept entry, the older ones on the duplicate."""
    there = {voter: (pk, at) for pk, voter, at in _votes(duplicate)}
    older_here, older_there = [], []
    for pk, voter, at in _votes(kept):
        if voter in there:
            other_pk, other_at = there[voter]
            if at < other_at:
                older_here.append(pk)
            else:
                older_there.append(other_pk)
    return older_here, older_there


def _votes(entry: UUID) -> Any:
    return Feedback.objects.filter(entry=entry).order_by().values_list("pk", "voter", "created_at")


def _votes_counted(entry: UUID) -> tuple[int, int]:
    found = Feedback.objects.filter(entry=entry).aggregate(
        good=Count("pk", filter=Q(worked=True)), bad=Count("pk", filter=Q(worked=False))
    )
    return found["good"], found["bad"]


def _surplus(entry: Entry) -> tuple[int, int]:
    worked, failed = _votes_counted(entry.pk)
    return max(entry.success_count - worked, 0), max(entry.failure_count - failed, 0)


def _marks_moved(kept: Entry, duplicate: Entry) -> None:
    """Move favourites and watches; a person who marked both keeps either mark. The merge is news to them."""
    marks = EntryMark.objects.filter(entry=duplicate.pk)
    both = EntryMark.objects.filter(entry=kept.pk, user__in=marks.values("user"))
    for wanted in ("favourite", "watched"):
        both.filter(user__in=marks.filter(**{wanted: True}).values("user")).update(**{wanted: True})
    marks.filter(user__in=list(both.values_list("user", flat=True))).delete()
    marks.update(entry=kept.pk, seen_version=kept.version)


def _rows_moved(kept: Entry, duplicate: Entry) -> None:
    """Move what can only belong to one of both."""
    EntryFlag.objects.filter(entry=duplicate.pk).update(entry=kept.pk)
    SearchQuery.objects.filter(opened_entry=duplicate.pk).update(opened_entry=kept.pk)
    promoted = list(PromotedResult.objects.filter(entry=kept.pk).values_list("normalized", flat=True))
    PromotedResult.objects.filter(entry=duplicate.pk).exclude(normalized__in=promoted).update(entry=kept.pk)


def _address_left(kept: Entry, duplicate: Entry, author: User | None) -> None:
    EntryAddress.objects.filter(entry=duplicate.pk).update(entry=kept.pk)
    EntryAddress.objects.create(old_id=duplicate.pk, entry=kept, title=duplicate.title, merged_by=author)
