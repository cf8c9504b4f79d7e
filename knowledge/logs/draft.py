"""What a person may keep of a log: the telling lines, as the problem of a draft entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from knowledge.codes import CodeKind
from knowledge.entries import entry_create
from knowledge.logs.reading import LogReport, Sighting
from knowledge.logs.weights import LogRole
from knowledge.models import Category, Entry, EntryOrigin, EntryStatus
from knowledge.reviews import review_hold
from knowledge.text import text_block, text_line

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Well below the longest problem of an entry, so that there is room to write.
EXCERPT_CHARS = 4_000
EXCERPT_LINES = 40
TITLE_CHARS = 200
CODES_FILLED_IN = 12

_CATEGORIES = {
    CodeKind.SQLCODE: Category.DB2,
    CodeKind.CICS_ABEND: Category.CICS,
    CodeKind.IMS_STATUS: Category.IMS,
    CodeKind.MQ_REASON: Category.MQ,
    CodeKind.VSAM: Category.VSAM,
    CodeKind.FILE_STATUS: Category.COBOL,
    CodeKind.COMPILE: Category.COBOL,
}


def log_excerpt(report: LogReport) -> str:
    """The first line of each code that is not routine, in the order of the log, at most EXCERPT_CHARS."""
    telling = report.of_role(LogRole.CAUSE, LogRole.DETAIL, LogRole.CONSEQUENCE)
    first: dict[int, Sighting] = {code.sightings[0].line: code.sightings[0] for code in telling[:EXCERPT_LINES]}
    kept, length = [], 0
    for _line, sighting in sorted(first.items()):
        length += len(sighting.text) + 1
        if length > EXCERPT_CHARS:
            break
        kept.append(sighting.text)
    return "\n".join(kept)


def log_codes(report: LogReport) -> list[str]:
    """The codes that an entry about this log would have, the cause first."""
    telling = report.of_role(LogRole.CAUSE, LogRole.DETAIL, LogRole.CONSEQUENCE)
    return [code.code for code in telling[:CODES_FILLED_IN]]


def log_title(report: LogReport) -> str:
    """The cause and where it struck: "S0C7 in PAYPGM, step STEP020"."""
    first = next(iter(report.codes), None)
    if first is None:
        return ""
    program, step = (next(iter(names), "") for names in (first.programs, first.steps))
    facts = {"code": first.code, "program": program, "step": step}
    if program and step:
        return _("%(code)s in %(program)s, step %(step)s") % facts
    if program:
        return _("%(code)s in %(program)s") % facts
    return _("%(code)s in step %(step)s") % facts if step else first.code


def log_category(report: LogReport) -> str:
    """The category that fits the cause; Batch when the log is one of a job."""
    kind = next((code.kind for code in report.of_role(LogRole.CAUSE)), "")
    return _CATEGORIES.get(CodeKind(kind), Category.BATCH) if kind else Category.OTHER


def log_draft_create(*, title: str, lines: str, codes: list[str], category: str, author: User | None) -> Entry:
    """A draft entry with these lines of a log as its problem, held back as work in progress.

    Raises EntryInvalidError.
    """
    kept = text_block(lines)[:EXCERPT_CHARS]
    fence = "`" * max(3, _longest_run(kept) + 1)
    with transaction.atomic():
        made = entry_create(
            title=text_line(title)[:TITLE_CHARS],
            problem=f"{fence}\n{kept}\n{fence}",
            solution=_("Not known yet: write what caused it, how it was found and what fixed it."),
            category=category,
            codes=codes[:CODES_FILLED_IN],
            status=EntryStatus.DRAFT,
            origin=EntryOrigin.MANUAL,
            author=author,
        )
        review_hold(entry=made)
    return made


def _longest_run(text: str) -> int:
    """Length of the longest run of backticks."""
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    return longest
