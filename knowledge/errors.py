"""Every error the knowledge base raises on purpose. The docstring of a class is its message."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any, ClassVar


class KnowledgeError(Exception):
    """The knowledge base could not do this."""

    #: Stable name for scripts, JSON and tests.
    code: ClassVar[str] = "knowledge_error"

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        super().__init__(cleandoc(type(self).__doc__ or "").replace("\n", " ").format(**facts))


class EntryInvalidError(KnowledgeError):
    """The entry cannot be saved: {problems}"""

    #: `fields` in the facts: field name -> list of messages, as forms show them.
    code = "entry_invalid"

    @property
    def fields(self) -> dict[str, list[str]]:
        """What is wrong, by field."""
        fields: dict[str, list[str]] = self.facts["fields"]
        return fields


class StaleEntryError(KnowledgeError):
    """Somebody saved this entry in the meantime (you edited version {expected_version}, it is at version
    {current_version} now). Compare both texts and save again."""

    code = "entry_stale"


class EntryGoneError(KnowledgeError):
    """There is no entry {entry}; it may have been deleted."""

    code = "entry_gone"


class RevisionGoneError(KnowledgeError):
    """Entry {entry} has no version {version} in its history. Nothing was restored."""

    code = "revision_gone"


class FlagInvalidError(KnowledgeError):
    """The report was not saved: {problem}"""

    code = "flag_invalid"


class FlagGoneError(KnowledgeError):
    """Report {flag} is not open: somebody settled it already, or its entry was deleted."""

    code = "flag_gone"


class ReviewStaleError(KnowledgeError):
    """Somebody saved this entry in the meantime (you read version {expected_version}, it is at version
    {current_version} now). Read it again, then validate it."""

    code = "review_stale"


class ReviewDateError(KnowledgeError):
    """{due_on} cannot be the day of the next review. Choose one from {first} to {last}."""

    code = "review_date"


class MergeRefusedError(KnowledgeError):
    """The entries cannot be merged: {reason}"""

    code = "merge_refused"


class LogTooLargeError(KnowledgeError):
    """This log is longer than {limit_kb} KB, so it was not read. Send the part around the first error."""

    code = "log_too_large"


class LogUnreadableError(KnowledgeError):
    """The log cannot be read: {problem} Send it as it is, as text/plain, or as JSON: {{"text": "..."}}."""

    code = "log_unreadable"


class TokenInvalidError(KnowledgeError):
    """This token is unknown, has ended, or its person may no longer log in. Make a new one at /tokens/."""

    code = "token_invalid"


class TokenLimitError(KnowledgeError):
    """You have {most} tokens, and nobody has more. End one that is no longer used."""

    code = "token_limit"


class TokenGoneError(KnowledgeError):
    """You have no token {token}; it may have been ended already."""

    code = "token_gone"


class RateLimitedError(KnowledgeError):
    """More than {limit} requests in a minute. Go on in {seconds} seconds."""

    code = "rate_limited"


class StatusHiddenError(KnowledgeError):
    """Entries that are {status} are shown to staff and to those who may edit."""

    code = "status_hidden"


class PromotionInvalidError(KnowledgeError):
    """Nobody can search for “{query}”: give a code or at least one word."""

    code = "promotion_invalid"


class FeedbackInvalidError(KnowledgeError):
    """The feedback cannot be saved: {problem}"""

    code = "feedback_invalid"


class StarterInvalidError(KnowledgeError):
    """The starter knowledge base has {count} problem(s), nothing was loaded: {problems}"""

    code = "starter_invalid"


class PluginUnknownError(KnowledgeError):
    """There is no plugin {plugin}. This release knows: {known}."""

    code = "plugin_unknown"


class PluginClosedError(KnowledgeError):
    """Plugin {plugin} opens with MVP{required}; this site is at MVP{level}. Plan the move in the console."""

    code = "plugin_closed"


class PluginDependencyError(KnowledgeError):
    """Plugin {plugin} needs {missing}, which is not enabled. Enable that first."""

    code = "plugin_dependency"


class PluginNeededError(KnowledgeError):
    """Plugin {plugin} is needed by {dependants}. Disable that first."""

    code = "plugin_needed"


class PluginConfigurationError(KnowledgeError):
    """The configuration of plugin {plugin} was not changed: {problems}."""

    code = "plugin_configuration"


class ImportUnreadableError(KnowledgeError):
    """The file cannot be read as {format}: {reason}"""

    code = "import_unreadable"


class ImportTooLargeError(KnowledgeError):
    """The file has {found}, and an import here takes at most {most}. Split the file."""

    code = "import_too_large"


class ImportNotKeptError(KnowledgeError):
    """The file could not be kept in {folder}: {reason}. Nothing was imported. Make room there, or let the site write
    there, and bring the file again."""

    code = "import_not_kept"


class ImportOptionError(KnowledgeError):
    """The option {option} of an import cannot be “{value}”. Known here: {known}."""

    code = "import_option"


class ImportStateError(KnowledgeError):
    """Import {number} is “{state}”, so this cannot be done with it."""

    code = "import_state"


class ImportGoneError(KnowledgeError):
    """There is no import {number}, or its file was removed when its time was over."""

    code = "import_gone"


class ImportRefusedError(KnowledgeError):
    """Nothing was imported: {reason}"""

    code = "import_refused"


class ExportOptionError(KnowledgeError):
    """The export was not made: {reason}"""

    code = "export_option"


class ExportGoneError(KnowledgeError):
    """The file of export {run} is not there: it was removed, or its time was over. Make a new export."""

    code = "export_gone"
