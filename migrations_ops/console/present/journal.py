"""The journal of a run and its checks, line by line."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from migrations_ops.console.present.badges import EVENT_TONES, finding_badge
from migrations_ops.models import EventLevel, Finding, FindingStatus, Run, RunEvent

#: Journal lines on the run's own page; all of them are on the journal page.
LINES_SHOWN = 40


def journal_context(run: Run) -> dict[str, Any]:
    """The newest lines of the journal, oldest first, and how many came before them."""
    newest = list(run.events.order_by("-id")[: LINES_SHOWN + 1])
    return {
        "lines": [line_context(event) for event in reversed(newest[:LINES_SHOWN])],
        "lines_before": len(newest) > LINES_SHOWN,
    }


def line_context(event: RunEvent) -> dict[str, Any]:
    """One journal line."""
    return {
        "at": timezone.localtime(event.created_at),
        "tone": EVENT_TONES[EventLevel(event.level)],
        "level": event.get_level_display() if event.level != EventLevel.INFO else "",
        "message": event.message,
        "step": event.step,
        "actor": event.actor,
        "reason": event.reason,
    }


def findings_context(run: Run) -> dict[str, Any]:
    """The checks that the run repeated: those that need a look, and how many passed."""
    findings = list(run.findings.all())
    return {
        "findings_open": [finding_context(found) for found in findings if found.status != FindingStatus.PASS],
        "findings_passed": sum(found.status == FindingStatus.PASS for found in findings),
    }


def finding_context(found: Finding) -> dict[str, Any]:
    """One check with its badge."""
    return {
        "badge": finding_badge(found.status),
        "title": found.title,
        "code": found.code,
        "evidence": found.evidence,
        "remedy": "" if found.status == FindingStatus.PASS else found.remedy,
        "status": found.status,
    }
