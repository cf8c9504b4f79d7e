"""What people do with cleanups: each is a run, and its undo is the way back of that run."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.urls import reverse

from migrations_ops.errors import CleanupStateError, ConfirmationError
from migrations_ops.integrity.cleaning import cleanup_confirmation, cleanup_create, cleanup_named
from migrations_ops.integrity.step import TASK
from migrations_ops.models import CleanupRecord, Run
from migrations_ops.runs import rollback_confirmation_expected, run_rollback
from migrations_ops.task_runs import task_enqueue


def cleanup_enqueue(
    *,
    name: str,
    options: Mapping[str, object],
    actor: str,
    confirmation: str,
    reason: str = "",
    inline: bool = False,
) -> tuple[CleanupRecord, Run]:
    """Queue a cleanup.

    Raises CleanupUnknownError, CleanupOptionError, ConfirmationError, RunActiveError, PlanBlockedError.
    """
    expected = cleanup_confirmation(cleanup_named(name))
    if expected and confirmation.strip() != expected:
        raise ConfirmationError(expected=expected)
    with transaction.atomic():
        record = cleanup_create(name=name, options=options, actor=actor, reason=reason)
        record.run = task_enqueue(
            task=TASK,
            label=record.title,
            actor=actor,
            options={"cleanup": record.pk},
            page=reverse("console:cleanup", args=[record.pk]),
            reason=reason,
            inline=inline,
        )
        record.save(update_fields=["run"])
    return record, record.run


def undo_confirmation(record: CleanupRecord) -> str:
    """What a person types before a cleanup is undone."""
    return rollback_confirmation_expected(record.run) if record.run else ""


def cleanup_undo_enqueue(*, record: CleanupRecord, actor: str, confirmation: str, reason: str = "") -> Run:
    """Queue the undo of a cleanup. Raises ConfirmationError, CleanupStateError, RunStateError, RunActiveError."""
    if record.run is None:
        allowed = "one that was started as a run"
        raise CleanupStateError(
            number=record.pk, state=record.get_state_display(), action="undoing it", allowed=allowed
        )
    return run_rollback(run=record.run, actor=actor, confirmation=confirmation, reason=reason)
