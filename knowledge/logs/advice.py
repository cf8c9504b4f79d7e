"""log_advice: what the knowledge base knows about the codes of a log, the best entry first."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from uuid import UUID

from knowledge.listing import entries_listed, is_guide
from knowledge.logs.reading import LogCode, LogReport
from knowledge.logs.weights import LogRole
from knowledge.models import Entry, EntryCode, EntryStatus, ErrorCode
from knowledge.search.rank import success_proven

#: Codes that entries are looked up for, in the order of the report.
CODES_ASKED = 60
LINKS_READ = 2_000
ENTRIES_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeAdvice:
    """A code of the log with its meaning and how many published entries mention it."""

    found: LogCode
    meaning: str
    entry_count: int
    #: Whether the code has a page of its own.
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryAdvice:
    """An entry that may help, with the codes of the log that it is about or mentions."""

    entry: Entry
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAdvice:
    """Entries best first, and every code of the log by its role."""

    entries: tuple[EntryAdvice, ...]
    codes: tuple[CodeAdvice, ...]

    def of_role(self, *roles: LogRole) -> tuple[CodeAdvice, ...]:
        return tuple(code for code in self.codes if code.found.role in roles)


def log_advice(report: LogReport) -> LogAdvice:
    """The entries and codes of the knowledge base for a log. Five queries, however long it is."""
    asked = [code.code for code in report.codes if code.role != LogRole.ROUTINE][:CODES_ASKED]
    links = _links(asked)
    counts = Counter(code for codes in links.values() for code in codes)
    rows = dict(ErrorCode.objects.filter(code__in=[code.code for code in report.codes]).values_list("code", "meaning"))
    return LogAdvice(
        entries=tuple(_entries(report, asked, links)),
        codes=tuple(
            CodeAdvice(
                found=code,
                meaning=rows.get(code.code, ""),
                entry_count=counts[code.code],
                known=code.code in rows,
            )
            for code in report.codes
        ),
    )


def _links(asked: list[str]) -> dict[UUID, dict[str, int]]:
    """Published entries that mention these codes: entry -> code -> position."""
    links: dict[UUID, dict[str, int]] = defaultdict(dict)
    found = EntryCode.objects.filter(error_code__code__in=asked, entry__status=EntryStatus.PUBLISHED)
    for entry_id, code, position in found.order_by("position", "pk").values_list(
        "entry_id", "error_code__code", "position"
    )[:LINKS_READ]:
        links[entry_id][code] = position
    return links


def _entries(report: LogReport, asked: list[str], links: dict[UUID, dict[str, int]]) -> list[EntryAdvice]:
    """The entries in order: the code of the log that they are about, then how many others they mention."""
    causes = {code.code for code in report.of_role(LogRole.CAUSE)}
    places = {code: place for place, code in enumerate(asked)}

    def standing(pk: UUID) -> tuple[bool, int, int]:
        own = [code for code, position in links[pk].items() if position == 0]
        return (not own, min(places[code] for code in own or links[pk]), -len(links[pk]))

    chosen = [pk for pk in links if causes & links[pk].keys()] or list(links)
    chosen = sorted(chosen, key=lambda pk: (*standing(pk), pk))[: 4 * ENTRIES_SHOWN]
    entries = entries_listed().in_bulk(chosen)
    chosen.sort(
        key=lambda pk: (
            *standing(pk)[:2],
            is_guide(entries[pk]),
            standing(pk)[2],
            -_proven(entries[pk]),
            -entries[pk].usage_count,
            pk,
        )
    )
    return [
        EntryAdvice(entry=entries[pk], codes=tuple(sorted(links[pk], key=places.__getitem__)))
        for pk in chosen[:ENTRIES_SHOWN]
    ]


def _proven(entry: Entry) -> float:
    return success_proven(entry.success_count, entry.votes)
