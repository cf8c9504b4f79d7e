"""What a rehearsal has shown."""

from __future__ import annotations

from typing import Any

from migrations_ops.console.present.quantities import count_text, duration_text, rate_text
from migrations_ops.models import Run


def rehearsal_context(run: Run) -> dict[str, Any]:
    """What a rehearsal has proven: times of each step, and whether every row came back equal."""
    facts: dict[str, Any] = {}
    for result in run.steps.order_by("position").values_list("result", flat=True):
        facts |= result
    measured = facts.get("measured") or {}
    longest = max((line["seconds"] for line in measured.values()), default=0) or 1
    return {
        "is_move": "target" in run.plan.options,
        "rehearsed_plan": run.plan.options.get("plan"),
        "manifest_equal": facts.get("manifest_equal"),
        "measured_total": duration_text(sum(line["seconds"] for line in measured.values())) if measured else "",
        "measured": [
            {
                "step": step,
                "rows": count_text(line["rows"]) if line["rows"] else "",
                "seconds": duration_text(line["seconds"]),
                "share": round(100 * line["seconds"] / longest, 1),
                "rate": rate_text(line["rows"] / line["seconds"] if line["seconds"] and line["rows"] > 1 else None),
            }
            for step, line in measured.items()
        ],
    }
