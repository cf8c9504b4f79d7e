"""Writing entries. Every change renders the Markdown, takes up the codes and updates the index."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from knowledge.models import Entry, EntryOrigin, EntryStatus, Severity

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def entry_create(
    *,
    title: str,
    problem: str,
    solution: str,
    category: str,
    severity: str = Severity.MEDIUM,
    tags: Iterable[str] = (),
    codes: Iterable[str] = (),
    status: str = EntryStatus.DRAFT,
    origin: str = EntryOrigin.MANUAL,
    author: User | None = None,
    id: UUID | None = None,
) -> Entry:
    """A new entry. Raises EntryInvalidError."""
    raise NotImplementedError


def entry_update(*, entry: Entry, expected_version: int, author: User | None, **fields: Any) -> Entry:
    """The entry with these fields changed (of title, problem, solution, category, severity, tags, codes,
    status). Raises EntryInvalidError, StaleEntryError, EntryGoneError."""
    raise NotImplementedError


def entry_publish(*, entry: Entry, author: User | None) -> Entry:
    raise NotImplementedError


def entry_archive(*, entry: Entry, author: User | None) -> Entry:
    raise NotImplementedError


def entry_delete(*, entry: Entry) -> None:
    raise NotImplementedError


def entry_viewed(*, entry: Entry) -> None:
    """Count one reader."""
    raise NotImplementedError


def entries_refresh(ids: Iterable[UUID]) -> int:
    """Render and index these entries again after a bulk write; how many there are."""
    raise NotImplementedError
