"""What becomes of each row: the same decision for a preview and for the import itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from django.utils.translation import gettext as _

from knowledge.codes import Code, codes_find
from knowledge.entries import CODES_PER_ENTRY
from knowledge.models import Entry, EntryAddress, EntryCode, EntryTag
from knowledge.transfer.drafts import Draft, DraftReader
from knowledge.transfer.options import Duplicates, Existing
from knowledge.transfer.seen import Seen, text_digest
from knowledge.transfer.spool import SpooledRow

WRITTEN = ("title", "problem", "solution", "category", "severity", "status")
DIFF_CHARS = 120


class Verdict(StrEnum):
    """What a row does."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    DUPLICATE = "duplicate"
    INVALID = "invalid"


@dataclass(slots=True)
class Judged:
    """A row and what becomes of it."""

    spooled: SpooledRow
    verdict: Verdict
    draft: Draft
    entry_id: UUID | None = None
    title: str = ""
    reason: str = ""
    #: Field, old and new, short enough for a list.
    diff: list[tuple[str, str, str]] = field(default_factory=list)
    before: Before | None = None
    digest: bytes = b""


@dataclass(slots=True)
class Before:
    """An entry as it is before a row changes it: the values of its columns by name, its links as rows."""

    entry: dict[str, Any]
    #: Id of the link, id and name of the tag.
    tags: list[tuple[int, int, str]] = field(default_factory=list)
    #: Id of the link, id of the code, position, code and kind.
    codes: list[tuple[int, int, int, str, str]] = field(default_factory=list)


class Judge:
    """Decides about rows, a batch at a time."""

    def __init__(self, reader: DraftReader, seen: Seen, *, locking: bool) -> None:
        self.reader, self.options, self.seen = reader, reader.options, seen
        #: Whether entries that may change are held until the transaction ends.
        self.locking = locking

    def judged(self, rows: list[SpooledRow]) -> list[Judged]:
        """The rows with their verdicts. Remembers their ids and texts."""
        drafts = [self.reader.draft(one.row.values) for one in rows]
        ids = {draft.id for draft in drafts if draft.id}
        before = befores(ids, locking=self.locking)
        merged = dict(EntryAddress.objects.filter(old_id__in=ids - before.keys()).values_list("old_id", "entry"))
        stood = self.seen.ids(ids)
        found, fresh = [], []
        for one, draft in zip(rows, drafts, strict=True):
            judged = Judged(one, Verdict.INVALID, draft, draft.id, draft.title)
            found.append(judged)
            if one.row.problem:
                judged.reason = one.row.problem
            elif draft.id in stood:
                judged.reason = _("the id stands in row %(row)d as well") % {"row": stood[draft.id]}
            elif draft.id in merged:
                judged.verdict = Verdict.DUPLICATE
                judged.reason = _("this entry was merged into %(entry)s") % {"entry": merged[draft.id]}
            elif draft.id in before:
                self._compared(judged, draft, before[draft.id])
            elif self._completed(judged, draft):
                fresh.append(judged)
            if draft.id and judged.verdict != Verdict.INVALID:
                stood[draft.id] = one.row.number
        self._new(fresh)
        self.seen.add(self._remembered(found))
        self.seen.make((one.entry_id.bytes, one.spooled.place) for one in self._kept_for_tables(fresh) if one.entry_id)
        return found

    def _kept_for_tables(self, fresh: list[Judged]) -> list[Judged]:
        """The new entries that rows of other tables may hang on."""
        return [one for one in fresh if one.verdict == Verdict.NEW] if self.reader.exact else []

    def _completed(self, judged: Judged, draft: Draft) -> bool:
        """Whether the row can become an entry."""
        self.reader.complete(draft)
        if draft.problems:
            judged.reason = "; ".join(draft.problems)
            return False
        judged.verdict = Verdict.NEW
        return True

    def _new(self, fresh: list[Judged]) -> None:
        """Tell new rows from those whose texts are there already, in the database or above in the file."""
        for judged in fresh:
            judged.digest = text_digest(judged.title, judged.draft.problem)
        skips = self.options.duplicates == Duplicates.SKIP
        there = self.seen.texts({judged.digest for judged in fresh}) if skips else {}
        for judged in fresh:
            if skips and judged.digest in there:
                judged.verdict = Verdict.DUPLICATE
                judged.entry_id, number = there[judged.digest]
                facts = {"row": number, "entry": judged.entry_id}
                judged.reason = _same_as_row(facts) if number else _same_as_entry(facts)
                continue
            judged.entry_id = judged.draft.id or uuid4()
            there[judged.digest] = (judged.entry_id, judged.spooled.row.number)

    def _remembered(self, found: list[Judged]) -> Iterator[tuple[int, int, UUID | None, UUID | None, bytes]]:
        for one in found:
            if one.verdict == Verdict.INVALID:
                continue
            entry = one.entry_id if one.verdict == Verdict.NEW else None
            digest = one.digest
            if one.verdict == Verdict.CHANGED and one.before:
                entry = one.entry_id
                texts = [getattr(one.draft, name) or one.before.entry[name] for name in ("title", "problem")]
                digest = text_digest(*texts)
            yield one.spooled.place, one.spooled.row.number, one.draft.id, entry, digest

    def _compared(self, judged: Judged, draft: Draft, before: Before) -> None:
        judged.before = before
        judged.title = judged.title or before.entry["title"]
        if self.options.existing == Existing.KEEP:
            judged.verdict, judged.reason = Verdict.DUPLICATE, _("an entry with this id is there already")
            return
        if draft.problems:
            judged.reason = "; ".join(draft.problems)
            return
        judged.diff = list(_differences(draft, before))
        judged.verdict = Verdict.CHANGED if judged.diff else Verdict.SAME


def _same_as_row(facts: dict[str, Any]) -> str:
    return _("same title and problem as row %(row)d of the file") % facts


def _same_as_entry(facts: dict[str, Any]) -> str:
    return _("same title and problem as entry %(entry)s") % facts


def codes_of(given: Iterable[Code], texts: Iterable[str]) -> list[Code]:
    """Codes to store: the given ones first, then those that the texts name."""
    found = {code.code: code for code in reversed(list(given))}
    found = dict(reversed(found.items()))
    for text in texts:
        for match in codes_find(text):
            found.setdefault(match.code, Code(match.code, match.kind))
    return list(found.values())[:CODES_PER_ENTRY]


def befores(ids: set[UUID], *, locking: bool) -> dict[UUID, Before]:
    """These entries as they are, with their links."""
    if not ids:
        return {}
    names = [column.attname for column in Entry._meta.concrete_fields]
    rows = Entry.objects.filter(pk__in=ids).order_by("pk")
    rows = rows.select_for_update() if locking else rows
    found = {row[0]: Before(dict(zip(names, row, strict=True))) for row in rows.values_list(*names)}
    tags = EntryTag.objects.filter(entry__in=found).values_list("entry", "pk", "tag", "tag__name")
    for entry, link, key, name in tags:
        found[entry].tags.append((link, key, name))
    codes = EntryCode.objects.filter(entry__in=found).order_by("position", "pk")
    columns = ("entry", "pk", "error_code", "position", "error_code__code", "error_code__kind")
    for entry, link, key, position, code, kind in codes.values_list(*columns):
        found[entry].codes.append((link, key, position, code, kind))
    return found


def _differences(draft: Draft, before: Before) -> Iterator[tuple[str, str, str]]:
    for name in WRITTEN:
        old, new = before.entry[name], getattr(draft, name)
        if name in draft.given and new and new != old:
            yield (name, *shortened(old, new))
    if "tags" in draft.given:
        names = {name for _link, _tag, name in before.tags}
        if names != set(draft.tags):
            yield "tags", ", ".join(sorted(names)), ", ".join(draft.tags)
    if "codes" in draft.given and draft.codes:
        old_codes = [code for *_ids, code, _kind in before.codes]
        new_codes = [code.code for code in draft.codes]
        # Codes that were found in the text are no difference.
        if new_codes[:1] != old_codes[:1] or not set(new_codes) <= set(old_codes):
            yield "codes", ", ".join(old_codes), ", ".join(new_codes)


def shortened(old: str, new: str) -> tuple[str, str]:
    """Both texts from a little before the first difference on."""
    start = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, start - 30)
    return _cut(old, start), _cut(new, start)


def _cut(text: str, start: int) -> str:
    end = start + DIFF_CHARS
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def by_verdict(rows: Iterable[Judged]) -> dict[Verdict, list[Judged]]:
    """The rows of each verdict."""
    found: dict[Verdict, list[Judged]] = defaultdict(list)
    for row in rows:
        found[row.verdict].append(row)
    return found
