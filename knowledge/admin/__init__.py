"""The admin of MVP1. Buttons and forms call services and nothing else."""

from knowledge.admin import accounts, entries, history, journal, plugins, promotions, queue, reviews, tokens, vocabulary

__all__ = [
    "accounts",
    "entries",
    "history",
    "journal",
    "plugins",
    "promotions",
    "queue",
    "reviews",
    "tokens",
    "vocabulary",
]
