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
from knowledge.transfer.previewed import NOT_THERE, Previewed
from knowledge.transfer.seen import Seen, text_digest
from knowledge.transfer.spool import SpooledRow

WRITTEN = ("title", "problem", "solution", "category", "severity", "status")
DIFF_CHARS = 120


class Verdict(StrEnum):
    """What a row does; `EDITED` nothing, since its entry is not what the preview has shown."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    DUPLICATE = "duplicate"
    INVALID = "invalid"
    EDITED = "edited"


#: Rows that could be written when they are mended, or looked at again.
LEFT_OUT = frozenset({Verdict.INVALID, Verdict.EDITED})


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


@dataclass(slots=True)
class _Known:
    """What is known of the ids of a batch: entries they were merged into, rows of the file, versions shown."""

    merged: dict[UUID, UUID]
    stood: dict[UUID, int]
    shown: dict[UUID, int]


class Judge:
    """Decides about rows, a batch at a time."""

    def __init__(
        self, reader: DraftReader, seen: Seen, previewed: Previewed, *, locking: bool = False, showing: bool = False
    ) -> None:
        self.reader, self.options, self.seen, self.previewed = reader, reader.options, seen, previewed
        #: Whether entries that may change are held until the transaction ends.
        self.locking = locking
        #: Whether this is what people look at before anything is written.
        self.showing = showing

    def judged(self, rows: list[SpooledRow]) -> list[Judged]:
        """The rows with their verdicts. Remembers their ids and texts."""
        drafts = [self.reader.draft(one.row.values) for one in rows]
        ids = {draft.id for draft in drafts if draft.id}
        before = befores(ids, locking=self.locking)
        known = _Known(
            merged=dict(EntryAddress.objects.filter(old_id__in=ids - before.keys()).values_list("old_id", "entry")),
            stood=self.seen.ids(ids),
            shown={} if self.showing else self.previewed.versions(ids),
        )
        found, fresh = [], []
        for one, draft in zip(rows, drafts, strict=True):
            there = before.get(draft.id) if draft.id else None
            title = draft.title or (there.entry["title"] if there else "")
            judged = Judged(one, Verdict.INVALID, draft, draft.id, title, before=there)
            found.append(judged)
            if self._settled(judged, known):
                pass
            elif there:
                self._compared(judged, draft, there)
            elif self._completed(judged, draft):
                fresh.append(judged)
            if draft.id and judged.verdict not in LEFT_OUT:
                known.stood[draft.id] = one.row.number
        self._new(fresh)
        if self.showing:
            self.previewed.remember(
                (one.draft.id, _version(one.before)) for one in found if one.draft.id and one.verdict not in LEFT_OUT
            )
        self.seen.add(self._remembered(found))
        self.seen.make((one.entry_id.bytes, one.spooled.place) for one in self._kept_for_tables(fresh) if one.entry_id)
        return found

    def _kept_for_tables(self, fresh: list[Judged]) -> list[Judged]:
        """The new entries that rows of other tables may hang on."""
        return [one for one in fresh if one.verdict == Verdict.NEW] if self.reader.exact else []

    def _settled(self, judged: Judged, known: _Known) -> bool:
        """Whether it is decided about a row before its fields are looked at."""
        key, there = judged.draft.id, judged.before
        if judged.spooled.row.problem:
            judged.reason = judged.spooled.row.problem
        elif key in known.stood:
            judged.reason = _("the id stands in row %(row)d as well") % {"row": known.stood[key]}
        elif key in known.merged:
            judged.verdict = Verdict.DUPLICATE
            judged.reason = _("this entry was merged into %(entry)s") % {"entry": known.merged[key]}
        elif there and self.options.existing == Existing.KEEP:
            judged.verdict, judged.reason = Verdict.DUPLICATE, _("an entry with this id is there already")
        elif key in known.shown and known.shown[key] != _version(there):
            judged.verdict = Verdict.EDITED
            judged.reason = _("edited after the preview") if there else _("deleted after the preview")
        else:
            return False
        return True

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
            if one.verdict in LEFT_OUT:
                continue
            entry = one.entry_id if one.verdict == Verdict.NEW else None
            digest = one.digest
            if one.verdict == Verdict.CHANGED and one.before:
                entry = one.entry_id
                texts = [getattr(one.draft, name) or one.before.entry[name] for name in ("title", "problem")]
                digest = text_digest(*texts)
            yield one.spooled.place, one.spooled.row.number, one.draft.id, entry, digest

    def _compared(self, judged: Judged, draft: Draft, before: Before) -> None:
        if draft.problems:
            judged.reason = "; ".join(draft.problems)
            return
        judged.diff = list(_differences(draft, before))
        judged.verdict = Verdict.CHANGED if judged.diff else Verdict.SAME


def _version(before: Before | None) -> int:
    version: int = before.entry["version"] if before else NOT_THERE
    return version


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
