"""The tables of MVP1, a module per noun. Table names are the ones that operators know from their reports."""

from knowledge.models.api import ApiToken
from knowledge.models.entry import (
    PROBLEM_CHARS,
    SOLUTION_CHARS,
    TITLE_CHARS,
    Category,
    Entry,
    EntryCode,
    EntryOrigin,
    EntryStatus,
    EntryTag,
    Severity,
    entry_slug,
    length_between,
)
from knowledge.models.feedback import Feedback
from knowledge.models.following import EntryFlag, EntryMark, FlagReason
from knowledge.models.history import EntryAddress, EntryRevision
from knowledge.models.plugin import Plugin, PluginHealth, Setting
from knowledge.models.review import EntryReview, Validation
from knowledge.models.search import PromotedResult, SearchDoc, SearchGram, SearchQuery, SearchTerm
from knowledge.models.transfer import Import, ImportedRow, ImportState
from knowledge.models.vocabulary import CodeAlias, ErrorCode, Tag

__all__ = [
    "PROBLEM_CHARS",
    "SOLUTION_CHARS",
    "TITLE_CHARS",
    "ApiToken",
    "Category",
    "CodeAlias",
    "Entry",
    "EntryAddress",
    "EntryCode",
    "EntryFlag",
    "EntryMark",
    "EntryOrigin",
    "EntryReview",
    "EntryRevision",
    "EntryStatus",
    "EntryTag",
    "ErrorCode",
    "Feedback",
    "FlagReason",
    "Import",
    "ImportState",
    "ImportedRow",
    "Plugin",
    "PluginHealth",
    "PromotedResult",
    "SearchDoc",
    "SearchGram",
    "SearchQuery",
    "SearchTerm",
    "Setting",
    "Severity",
    "Tag",
    "Validation",
    "entry_slug",
    "length_between",
]
