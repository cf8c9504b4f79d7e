"""Cleanups as a whole: looked at, their batches and those of their undo, forgotten when their time is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from migrations_ops import audit
from migrations_ops.errors import CleanupGoneError, CleanupStateError, CleanupUnknownError
from migrations_ops.gate import site_level
from migrations_ops.integrity.aside import aside_discard
from migrations_ops.integrity.check import EXAMPLES, Found
from migrations_ops.integrity.cleanup import Cleanup
from migrations_ops.integrity.journal import Work
from migrations_ops.integrity.parking import parked_check, parked_discard, rows_park
from migrations_ops.integrity.undoing import cleanup_revert
from migrations_ops.models import CleanupRecord, CleanupState
from migrations_ops.phase import phases_open
from migrations_ops.steps.base import Batch

Heartbeat = Callable[[], None]

#: States from which a cleanup goes on, and from which it can be undone.
TO_RUN = (CleanupState.READY, CleanupState.RUNNING, CleanupState.FAILED)
TO_UNDO = (CleanupState.RUNNING, CleanupState.FAILED, CleanupState.DONE, CleanupState.UNDOING)


def cleanups_known() -> dict[str, Cleanup]:
    """Every cleanup of the open levels by name, the engine's own last."""
    from migrations_ops.integrity.own import CLEANUPS

    own = [cleanup for phase in phases_open(site_level()) for cleanup in phase.cleanups]
    return {cleanup.name: cleanup for cleanup in (*own, *CLEANUPS)}


def cleanup_named(name: str) -> Cleanup:
    """The cleanup of this name. Raises CleanupUnknownError."""
    known = cleanups_known()
    if name not in known:
        raise CleanupUnknownError(cleanup=name, known=", ".join(known))
    return known[name]


def cleanup_preview(*, name: str, options: Mapping[str, object]) -> Found:
    """What a cleanup would do now; nothing is changed. Raises CleanupUnknownError, CleanupOptionError."""
    cleanup = cleanup_named(name)
    return cleanup.preview(cleanup.chosen(options), EXAMPLES)


def cleanup_confirmation(cleanup: Cleanup) -> str:
    """What a person types before a cleanup runs; empty where it can do no harm."""
    return f"CLEAN {cleanup.name}" if cleanup.destructive else ""


def cleanup_create(*, name: str, options: Mapping[str, object], actor: str, reason: str = "") -> CleanupRecord:
    """Note that a cleanup is to run; nothing is changed yet. Raises CleanupUnknownError, CleanupOptionError."""
    cleanup = cleanup_named(name)
    chosen = cleanup.chosen(options)
    with transaction.atomic():
        record = CleanupRecord.objects.create(
            name=name,
            title=str(cleanup.title)[:200],
            options=chosen,
            undoable=cleanup.undoable,
            created_by=actor,
            reason=reason[:500],
        )
        audit.record(action="cleanup", actor=actor, reason=reason, message=f"Cleanup {record}")
    return record


def cleanup_get(number: int | str) -> CleanupRecord:
    """The cleanup with this number. Raises CleanupGoneError."""
    record = CleanupRecord.objects.filter(pk=int(number)).first() if str(number).isdecimal() else None
    if record is None:
        raise CleanupGoneError(number=number)
    return record


def cleanup_apply(record: CleanupRecord, heartbeat: Heartbeat = lambda: None) -> Iterator[Batch]:
    """The batches of a cleanup, each with its journal and its place in the transaction of the caller.

    The last one ends the cleanup. Raises CleanupStateError, also when another process works on it.
    """
    _begin(record, TO_RUN, CleanupState.RUNNING, "running it")
    cleanup = cleanup_named(record.name)
    for batch in cleanup.apply(Work(record, heartbeat), record.cursor):
        _noted(record, batch)
        yield batch
    now = timezone.now()
    record.state, record.cursor, record.finished_at = CleanupState.DONE, None, now
    record.keep_until = now + keep_for() if record.undoable and record.units else None
    record.save(update_fields=["state", "cursor", "finished_at", "keep_until"])
    yield Batch()


def undo_apply(record: CleanupRecord) -> Iterator[Batch]:
    """The batches of an undo, as those of `cleanup_apply`. Raises CleanupStateError, CleanupDamagedError."""
    undo_allowed(record)
    _begin(record, TO_UNDO, CleanupState.UNDOING, "undoing it")
    cleanup = cleanup_named(record.name)
    for batch in cleanup.put_back(record) if cleanup.put_back else cleanup_revert(record, cleanup, record.cursor):
        _noted(record, batch)
        yield batch
    record.state, record.cursor, record.undone_at = CleanupState.UNDONE, None, timezone.now()
    record.save(update_fields=["state", "cursor", "undone_at"])
    yield Batch()


def undo_refused(record: CleanupRecord) -> str:
    """Why a cleanup cannot be undone, without reading its file; empty when it can."""
    if record.state == CleanupState.EXPIRED:
        return _("Its time is over: the rows that it parked are deleted.")
    if record.state not in TO_UNDO:
        return _("It is “%(state)s”.") % {"state": record.get_state_display()}
    return "" if record.undoable and record.units else _("It changed no row that could come back.")


def undo_allowed(record: CleanupRecord) -> None:
    """Raise CleanupStateError or CleanupDamagedError where a cleanup cannot be undone."""
    _expect(record, TO_UNDO, "undoing it")
    if not record.undoable:
        raise _state_error(record, "undoing it", "one that changes rows")
    parked_check(record)


def _begin(record: CleanupRecord, allowed: tuple[CleanupState, ...], state: CleanupState, action: str) -> None:
    """Take the record as it is now and move it to `state`. Raises CleanupStateError."""
    record.refresh_from_db()
    _expect(record, allowed, action)
    if state == CleanupState.UNDOING and record.state != state:
        record.cursor, record.kept, record.kept_count = None, [], 0
    there = CleanupRecord.objects.filter(pk=record.pk, state=record.state).filter(state__in=allowed)
    values = {"state": state, "error": "", "cursor": record.cursor, "kept": record.kept}
    if not there.update(**values, kept_count=record.kept_count):  # its time ended just now, or another undo began
        record.refresh_from_db()
        raise _state_error(record, action, "worked on by one process at a time")
    record.state, record.error = state, ""


def _expect(record: CleanupRecord, allowed: tuple[CleanupState, ...], action: str) -> None:
    if record.state not in allowed:
        raise _state_error(record, action, ", ".join(str(state.label).lower() for state in allowed))


def _state_error(record: CleanupRecord, action: str, allowed: str) -> CleanupStateError:
    return CleanupStateError(number=record.pk, state=record.get_state_display(), action=action, allowed=allowed)


def _noted(record: CleanupRecord, batch: Batch) -> None:
    forward = record.state == CleanupState.RUNNING
    changes: dict[str, Any] = {
        "cursor": batch.cursor,
        "batches": record.batches + 1,
        "done": record.done + (batch.rows if forward else 0),
        "units": record.units,
        "rows_changed": record.rows_changed,
        "kept": record.kept,
        "kept_count": record.kept_count,
    }
    mine = CleanupRecord.objects.filter(pk=record.pk, batches=record.batches, state=record.state)
    if not mine.update(**changes):
        raise _state_error(record, "going on", "worked on by one process at a time")
    for name, value in changes.items():
        setattr(record, name, value)


def keep_for() -> timedelta:
    """How long a cleanup can be undone."""
    return timedelta(days=settings.OPS_CLEANUP_KEEP_DAYS)


def cleanups_tidy(now: datetime | None = None) -> int:
    """Park what finished cleanups have left in the database, and remove the parked rows of those whose time
    is over; how many these were."""
    moment = now or timezone.now()
    for record in CleanupRecord.objects.filter(
        state=CleanupState.DONE, keep_until__gte=moment, rows__isnull=False
    ).distinct():
        rows_park(record)
    # Whose time is over cannot be undone from here on; an undo that has begun goes first.
    over = CleanupRecord.objects.filter(state=CleanupState.DONE, keep_until__lt=moment).update(
        state=CleanupState.EXPIRED
    )
    ended = CleanupRecord.objects.filter(state__in=[CleanupState.EXPIRED, CleanupState.UNDONE])
    for record in ended.exclude(file_name="", rows=None).distinct():
        parked_discard(record)
        CleanupRecord.objects.filter(pk=record.pk).update(file_name="", sha256="")
    for record in ended.filter(state=CleanupState.EXPIRED):
        aside_discard(record)
    return over
