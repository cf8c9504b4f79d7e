"""Health, checks and cleanups as their pages show them."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from migrations_ops.console.present.badges import Badge
from migrations_ops.console.present.quantities import age_text, count_text, duration_text, size_text
from migrations_ops.integrity.check import Check, HealthFact
from migrations_ops.integrity.checking import checks_known, latest_results
from migrations_ops.integrity.cleaning import cleanups_known, undo_refused
from migrations_ops.integrity.health import health, health_tone
from migrations_ops.models import CheckResult, CheckRun, CheckStatus, CleanupRecord, CleanupState

CHECK_TONES = {
    CheckStatus.OK: "ok",
    CheckStatus.NOTICE: "info",
    CheckStatus.WARNING: "warn",
    CheckStatus.ERROR: "fail",
    CheckStatus.FAILED: "fail",
}
CLEANUP_TONES = {
    CleanupState.READY: "neutral",
    CleanupState.RUNNING: "running",
    CleanupState.DONE: "ok",
    CleanupState.FAILED: "fail",
    CleanupState.UNDOING: "running",
    CleanupState.UNDONE: "neutral",
    CleanupState.EXPIRED: "neutral",
}


def health_context() -> dict[str, Any]:
    """Every part of the site with its colour, worst first in words."""
    facts = health()
    tone = health_tone(facts)
    words = {
        "ok": _("Everything is in order"),
        "warn": _("Needs attention"),
        "fail": _("Something needs attention now"),
    }
    return {"parts": [_part(fact) for fact in facts], "tone": tone, "headline": words[tone]}


def _part(fact: HealthFact) -> dict[str, Any]:
    words = {"ok": _("In order"), "warn": _("Warning"), "fail": _("Red")}
    return {
        "fact": fact,
        "badge": Badge(words[fact.tone], fact.tone),
        "url": reverse(fact.url_name) if fact.url_name else "",
    }


def check_badge(status: str) -> Badge:
    """The verdict of a check."""
    value = CheckStatus(status)
    return Badge(value.label, CHECK_TONES[value])


def checks_context() -> dict[str, Any]:
    """Every check with its newest answer: those that found something first, the worst on top."""
    latest, known, order = latest_results(), checks_known(), list(CheckStatus)
    rows = [_check_row(check, latest.get(check.name)) for check in known.values()]
    rows.sort(key=lambda row: -order.index(row["result"].status) if row["result"] else 0)
    last = CheckRun.objects.first()
    return {
        "rows": rows,
        "found": sum(1 for row in rows if row["result"] and row["result"].status != CheckStatus.OK),
        "last": last,
        "age": age_text(last.started_at) if last else "",
        "under_way": last is not None and last.finished_at is None,
    }


def _check_row(check: Check, result: CheckResult | None) -> dict[str, Any]:
    wrong = result is not None and result.status != CheckStatus.OK
    return {
        "check": check,
        "result": result,
        "badge": check_badge(result.status) if result else Badge(_("Not yet"), "neutral"),
        "count": count_text(result.count) if wrong and result else "",
        "more": max(0, result.count - len(result.examples)) if result and result.examples else 0,
        "age": age_text(result.check_run.started_at) if result else "",
        "took": duration_text(result.seconds) if result else "",
        "wrong": wrong,
        "repair": check.repair if wrong else "",
    }


def cleanup_badge(state: str) -> Badge:
    """Where a cleanup has got to."""
    value = CleanupState(state)
    return Badge(value.label, CLEANUP_TONES[value])


def cleanup_row(record: CleanupRecord) -> dict[str, Any]:
    """One line of the history of cleanups."""
    return {
        "record": record,
        "badge": cleanup_badge(record.state),
        "done": count_text(record.done),
        "rows": count_text(record.rows_changed),
        "age": age_text(record.created_at),
        "undo_refused": undo_refused(record),
    }


def cleanup_context(record: CleanupRecord) -> dict[str, Any]:
    """Everything that a cleanup's page prints."""
    known = cleanups_known().get(record.name)
    labels = {option.name: option.label for option in known.options} if known else {}
    return {
        **cleanup_row(record),
        "consequences": known.consequences if known else (),
        "options": [(labels.get(name, name), value) for name, value in record.options.items()],
        "size": size_text(record.size_bytes) if record.size_bytes else "",
        "kept_more": max(0, record.kept_count - sum(row["rows"] for row in record.kept)),
    }
