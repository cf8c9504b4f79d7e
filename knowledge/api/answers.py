"""The shapes of the answers. What is here is a promise: fields are added, not renamed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ninja import Field, Schema

from knowledge.models import Category, EntryStatus, Severity


class ErrorFacts(Schema):
    """What went wrong."""

    code: str = Field(description="Stable name of the error.")
    message: str = Field(description="What happened and what to do, in words.")


class ErrorAnswer(Schema):
    """Every answer that is no success."""

    error: ErrorFacts


#: What every operation may answer that is no success.
FAILURES = dict.fromkeys((401, 403, 404, 422, 429), ErrorAnswer)


class Success(Schema):
    """Whether the entry worked for those who tried it."""

    votes: int
    worked: int
    percent: int | None = Field(description="Share of votes that say it worked; null without votes.")


class EntrySummary(Schema):
    """An entry as lists have it."""

    id: UUID
    title: str
    url: str = Field(description="Address of the page for people.")
    category: Category
    severity: Severity
    status: EntryStatus
    tags: list[str]
    codes: list[str] = Field(description="Codes in canonical form, the entry's own first.")
    success: Success
    views: int
    created_at: datetime
    updated_at: datetime


class EntryAnswer(EntrySummary):
    """A whole entry."""

    problem: str = Field(description="Markdown.")
    solution: str = Field(description="Markdown.")
    version: int


class SearchHitAnswer(EntrySummary):
    """An entry that fits a search."""

    score: float
    promoted: bool = Field(description="Staff put it first for this search.")
    snippet_html: str = Field(description="The telling part, safe HTML; <mark> around what was searched for.")


class PageFacts(Schema):
    """Where a list is."""

    page: int
    page_size: int
    total: int
    total_capped: bool = Field(description="There are more than total; counting stops at 1,000.")
    next: str | None = Field(description="Address of the next page.")


class EntryPage(PageFacts):
    """One page of entries."""

    items: list[EntrySummary]


class CodeMention(Schema):
    """A code that was recognised in the text of a search."""

    code: str
    kind: str


class SearchPage(PageFacts):
    """One page of results, best first."""

    items: list[SearchHitAnswer]
    codes: list[CodeMention]
    did_you_mean: str
    elapsed_ms: float


class CodeSummary(Schema):
    """A code and what it means."""

    code: str
    kind: str
    meaning: str
    url: str
    entries: int = Field(description="Published entries that mention it.")


class CodePage(PageFacts):
    """One page of codes."""

    items: list[CodeSummary]


class CodeAnswer(CodeSummary):
    """A code with its other names and the entries about it, its own first; at most 50."""

    aliases: list[str]
    items: list[EntrySummary]


class SightingAnswer(Schema):
    """A place of a log where a code stands; names are empty where the log gives none."""

    line: int = Field(description="Counts from 1.")
    text: str
    job: str
    step: str
    program: str
    transaction: str


class LogCodeAnswer(Schema):
    """A code of a log."""

    code: str
    kind: str
    role: str = Field(description="cause, detail, consequence or routine: what to read first, in this order.")
    meaning: str
    url: str | None = Field(description="Address of its page; null where the knowledge base does not know it.")
    entries: int = Field(description="Published entries that mention it.")
    count: int = Field(description="How often it stands in the log.")
    sightings: list[SightingAnswer] = Field(description="The first 5 places.")


class LogStepAnswer(Schema):
    """A step of a job."""

    job: str
    step: str
    program: str
    outcome: str
    abended: bool


class LogEntryAnswer(EntrySummary):
    """An entry that may help; `matched` are the codes of the log that it is about or mentions."""

    matched: list[str]


class LogAnswer(Schema):
    """What a log says."""

    lines: int
    jobs: list[str]
    steps: list[LogStepAnswer]
    codes: list[LogCodeAnswer] = Field(description="Causes first, then in the order of the log.")
    items: list[LogEntryAnswer] = Field(description="Entries, the one to read first at the top.")
