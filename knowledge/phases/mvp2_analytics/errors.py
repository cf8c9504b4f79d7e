"""Errors of MVP2. The docstring of a class is its message."""

from knowledge.errors import KnowledgeError


class PatternNotFoundError(KnowledgeError):
    """There is no pattern {pattern}. The patterns page lists them."""

    code = "pattern_not_found"


class PatternStateError(KnowledgeError):
    """“{title}” is {state} already (by {by}). Nothing was changed; reload the page to see it."""

    code = "pattern_state"


class AliasUnfitError(KnowledgeError):
    """The alias “{alias}” cannot be added: {reason}"""

    code = "alias_unfit"
