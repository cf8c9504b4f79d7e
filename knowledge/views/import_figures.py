"""What the pages of an import say about its file and its rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from knowledge.models import Import
from knowledge.transfer.files import FACTS, VERDICTS, import_folder
from knowledge.transfer.judging import Verdict
from knowledge.transfer.reports import Report
from knowledge.views.bulk import import_badge
from migrations_ops.console.present.quantities import count_text, size_text

VERDICT_LABELS = {
    Verdict.NEW: (_("New"), "ok"),
    Verdict.CHANGED: (_("Changed"), "info"),
    Verdict.SAME: (_("The same"), "neutral"),
    Verdict.DUPLICATE: (_("Duplicate, skipped"), "warn"),
    Verdict.INVALID: (_("Invalid"), "fail"),
}
DELIMITERS = {",": _("comma"), ";": _("semicolon"), "\t": _("tab"), "|": _("bar")}
REASONS_SHOWN = 20


def figures(job: Import, values: dict[str, Any]) -> dict[str, Any]:
    """Numbers of rows by verdict, the reasons of invalid ones, sections that were only counted."""
    report = Report(values)
    entries: Mapping[str, int] = report.sections.get("entries", {})
    others = {name: sum(numbers.values()) for name, numbers in report.sections.items() if name != "entries"}
    return {
        "rows": count_text(report.rows),
        "verdicts": [
            {"name": verdict.value, "label": label, "tone": tone, "count": count_text(entries.get(verdict, 0))}
            for verdict, (label, tone) in VERDICT_LABELS.items()
        ],
        "reasons": [(text, count_text(count)) for text, count in report.reasons.most_common(REASONS_SHOWN)],
        "others": [(name, count_text(count)) for name, count in others.items()],
        "has_rows": (import_folder(job) / VERDICTS).exists(),
    }


def import_facts(job: Import) -> dict[str, Any]:
    """The file: what it is, how it was read, and the rows to mend."""
    folder = import_folder(job)
    name = "failed" if job.report and job.started_at else "invalid"
    failed = next((path for path in folder.glob(f"{name}.*") if path.stat().st_size), None)
    known = folder / FACTS
    facts = json.loads(known.read_text()) if known.exists() else {}
    delimiter = facts.get("delimiter", "")
    return {
        "badge": import_badge(job),
        "size": size_text(job.size_bytes),
        "rows": count_text(job.rows_total) if job.rows_total else "",
        "encoding": facts.get("encoding", ""),
        "delimiter": DELIMITERS.get(delimiter, delimiter),
        "failed_path": failed,
        "has_file": bool(job.path) and (folder / job.path).exists(),
    }
