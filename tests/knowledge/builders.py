"""Valid objects of the knowledge base; tests name only what they are about."""

from __future__ import annotations

from typing import Any

from knowledge.entries import entry_create
from knowledge.models import Category, Entry, EntryStatus, Severity


def entry_built(**fields: Any) -> Entry:
    """A published entry."""
    values: dict[str, Any] = {
        "title": "Nightly run ends early",
        "problem": "The run ends before the last step.",
        "solution": "## Fix\nStart it again at the last step.",
        "category": Category.BATCH,
        "severity": Severity.MEDIUM,
        "status": EntryStatus.PUBLISHED,
    }
    return entry_create(**{**values, **fields})
