"""Writes of usage_patterns: what detection found, and what people did about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from knowledge.phases.mvp2_analytics.detection import DETECTORS, Detection, Limits
from knowledge.phases.mvp2_analytics.errors import PatternNotFoundError, PatternStateError
from knowledge.phases.mvp2_analytics.models import IgnoredQuery, PatternState, PatternType, UsagePattern
from knowledge.phases.mvp2_analytics.plugins import PATTERNS
from knowledge.phases.mvp2_analytics.usage import today
from knowledge.plugins import plugin_configuration

TITLE_CHARS = 300
KEY_CHARS = 600
NOTE_CHARS = 1_000


def detection_limits(day: dt.date | None = None) -> Limits:
    """What counts as a pattern now, by the plugin's configuration."""
    configuration = plugin_configuration(PATTERNS)
    end = day or today()
    return Limits(
        since=end - dt.timedelta(days=configuration["window_days"] - 1),
        today=end,
        min_occurrences=configuration["min_occurrences"],
        min_confidence=configuration["min_confidence"],
    )


def patterns_detect(type_: PatternType, limits: Limits) -> int:
    """Find the patterns of one type and record them; how many there are."""
    return patterns_record(detections=DETECTORS[type_](limits), limits=limits)


def patterns_record(*, detections: Sequence[Detection], limits: Limits) -> int:
    """Insert new patterns, refresh known ones; what people decided stays as it is."""
    found = {(detection.type, detection.key[:KEY_CHARS]): detection for detection in detections}
    now = timezone.now()
    with transaction.atomic():
        types = {detection.type for detection in detections}
        known = {
            (row.type, row.key): row
            for row in UsagePattern.objects.select_for_update().filter(type__in=types).order_by("pk")
        }
        fresh = [_new_row(detection, now) for key, detection in found.items() if key not in known]
        UsagePattern.objects.bulk_create(fresh, ignore_conflicts=True)
        seen = [_refreshed(known[key], detection, limits, now) for key, detection in found.items() if key in known]
        UsagePattern.objects.bulk_update(seen, [*_COLUMNS, "came_back_at"], batch_size=100)
    return len(found)


_COLUMNS = ("title", "frequency", "confidence", "first_seen", "last_seen", "examples", "detected_at")


def _new_row(detection: Detection, now: dt.datetime) -> UsagePattern:
    return UsagePattern(
        type=detection.type,
        key=detection.key[:KEY_CHARS],
        title=detection.title[:TITLE_CHARS],
        frequency=detection.frequency,
        confidence=detection.confidence,
        first_seen=detection.first_seen,
        last_seen=detection.last_seen,
        examples=detection.examples,
        detected_at=now,
    )


def _refreshed(row: UsagePattern, detection: Detection, limits: Limits, now: dt.datetime) -> UsagePattern:
    fresh = _new_row(detection, now)
    fresh.first_seen = min(row.first_seen, detection.first_seen)
    fresh.last_seen = max(row.last_seen, detection.last_seen)
    for column in _COLUMNS:
        setattr(row, column, getattr(fresh, column))
    if _comes_back(row, detection, limits):
        row.came_back_at = now
    return row


def _comes_back(row: UsagePattern, detection: Detection, limits: Limits) -> bool:
    return (
        row.state == PatternState.RESOLVED
        and row.came_back_at is None
        and row.state_at is not None
        and detection.last_seen > row.state_at
        and detection.count_after(row.state_at) >= limits.min_occurrences
    )


def pattern_acknowledge(*, pattern_id: int, actor: str, note: str = "") -> None:
    """Somebody looks after it. Raises PatternNotFoundError, PatternStateError."""
    allowed = Q(state=PatternState.OPEN) | Q(came_back_at__isnull=False)
    _state_set(pattern_id, PatternState.ACKNOWLEDGED, allowed, actor, note)


def pattern_resolve(*, pattern_id: int, actor: str, note: str = "") -> None:
    """What caused it is dealt with. Raises PatternNotFoundError, PatternStateError."""
    allowed = ~Q(state=PatternState.RESOLVED) | Q(came_back_at__isnull=False)
    _state_set(pattern_id, PatternState.RESOLVED, allowed, actor, note)


def pattern_reopen(*, pattern_id: int, actor: str, note: str = "") -> None:
    """It needs somebody after all. Raises PatternNotFoundError, PatternStateError."""
    _state_set(pattern_id, PatternState.OPEN, ~Q(state=PatternState.OPEN), actor, note)


def _state_set(pattern_id: int, state: PatternState, allowed: Q, actor: str, note: str) -> None:
    changed = UsagePattern.objects.filter(allowed, pk=pattern_id).update(
        state=state, state_by=actor, state_at=timezone.now(), note=note.strip()[:NOTE_CHARS], came_back_at=None
    )
    if changed:
        return
    current = UsagePattern.objects.filter(pk=pattern_id).first()
    if current is None:
        raise PatternNotFoundError(pattern=pattern_id)
    raise PatternStateError(title=current.title, state=current.get_state_display().lower(), by=current.state_by or "-")


def query_ignore(*, normalized: str, actor: str) -> None:
    """Leave a query out of the list of queries without a result; doing it twice changes nothing."""
    IgnoredQuery.objects.bulk_create(
        [IgnoredQuery(normalized=normalized[:500], ignored_by=actor)], ignore_conflicts=True
    )


def query_unignore(*, normalized: str) -> None:
    """List a query again; nothing happens when it is not ignored."""
    IgnoredQuery.objects.filter(normalized=normalized).delete()


def patterns_waiting() -> Q:
    """Condition: nobody looks after it (open, or resolved and come back)."""
    return Q(state=PatternState.OPEN) | Q(came_back_at__isnull=False)
