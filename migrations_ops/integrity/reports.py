"""Checks and cleanups as JSON; the same for commands and pages."""

from __future__ import annotations

from typing import Any

from migrations_ops.models import CheckRun, CleanupRecord


def check_report(check_run: CheckRun) -> dict[str, Any]:
    """A pass over the checks."""
    results = {
        result.name: {
            "status": result.status,
            "count": result.count,
            "evidence": result.evidence,
            "examples": [example["text"] for example in result.examples],
        }
        for result in check_run.results.all()
    }
    return {"check": check_run.pk, "status": check_run.status, "results": results}


def cleanup_report(record: CleanupRecord) -> dict[str, Any]:
    """A cleanup: what it did, and what an undo has left."""
    return {
        "number": record.pk,
        "cleanup": record.name,
        "state": record.state,
        "done": record.done,
        "rows_changed": record.rows_changed,
        "can_be_undone_until": record.keep_until.isoformat() if record.keep_until else None,
        "kept": record.kept_count,
        "kept_rows": record.kept,
    }
