"""What the pages of an import say about its file and its rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from knowledge.models import Import
from knowledge.transfer.files import FACTS, VERDICTS, import_folder
from knowledge.transfer.importing import CLOSED, UNREAD
from knowledge.transfer.judging import Verdict
from knowledge.transfer.reading.rows import ENTRIES
from knowledge.transfer.reading.source import FileKind
from knowledge.transfer.reports import Report
from knowledge.transfer.restoring.tables import table_title
from knowledge.views.bulk import import_badge
from migrations_ops.console.present.quantities import count_text, size_text

VERDICT_LABELS = {
    Verdict.NEW: (_("New"), "ok"),
    Verdict.CHANGED: (_("Changed"), "info"),
    Verdict.SAME: (_("The same"), "neutral"),
    Verdict.DUPLICATE: (_("Duplicate, skipped"), "warn"),
    Verdict.INVALID: (_("Invalid"), "fail"),
    Verdict.EDITED: (_("Edited after the preview, left alone"), "warn"),
}
#: What became of rows of other tables than the entries.
OTHER_WORDS = {
    Verdict.NEW: _("%s new"),
    Verdict.CHANGED: _("%s changed"),
    Verdict.SAME: _("%s the same"),
    Verdict.DUPLICATE: _("%s skipped"),
    Verdict.INVALID: _("%s invalid"),
    CLOSED: _("%s not imported: their level is closed"),
    UNREAD: _("%s not imported: nothing reads them"),
}
#: What an import writes.
WRITTEN = (Verdict.NEW, Verdict.CHANGED)
DELIMITERS = {",": _("comma"), ";": _("semicolon"), "\t": _("tab"), "|": _("bar")}
REASONS_SHOWN = 20
#: What the endings of names promise; others promise nothing.
KINDS_PROMISED = {
    ".csv": {FileKind.CSV},
    ".tsv": {FileKind.CSV},
    ".xlsx": {FileKind.XLSX},
    ".json": {FileKind.JSON, FileKind.JSONL},
    ".jsonl": {FileKind.JSON, FileKind.JSONL},
    ".ndjson": {FileKind.JSON, FileKind.JSONL},
    ".zip": {FileKind.ARCHIVE},
}
CONTENT_WORDS = {
    FileKind.CSV: _("text, and is read as CSV"),
    FileKind.XLSX: _("a workbook, and is read as XLSX"),
    FileKind.JSON: _("text, and is read as JSON"),
    FileKind.JSONL: _("text, and is read as JSONL"),
    FileKind.ARCHIVE: _("the archive of a knowledge base, and is read as that"),
}


def figures(job: Import, values: dict[str, Any]) -> dict[str, Any]:
    """Numbers of entries by verdict, the reasons of invalid rows, and what became of the rows of other tables."""
    report = Report(values)
    return {
        "rows": count_text(report.rows),
        "verdicts": _verdicts(report.sections.get(ENTRIES, {})),
        "verdicts_of_all": _verdicts(sum(report.sections.values(), Counter())),
        "reasons": [(text, count_text(count)) for text, count in report.reasons.most_common(REASONS_SHOWN)],
        "others": [
            (
                table_title(name),
                ", ".join(str(OTHER_WORDS[word]) % count_text(numbers[word]) for word in OTHER_WORDS if numbers[word]),
            )
            for name, numbers in report.sections.items()
            if name != ENTRIES
        ],
        "does_nothing": not any(numbers[word] for numbers in report.sections.values() for word in WRITTEN),
        "has_rows": (import_folder(job) / VERDICTS).exists(),
    }


def _verdicts(numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {"name": verdict.value, "label": label, "tone": tone, "count": count_text(numbers.get(verdict, 0))}
        for verdict, (label, tone) in VERDICT_LABELS.items()
        if verdict != Verdict.EDITED or numbers.get(verdict)
    ]


def content_words(job: Import) -> str:
    """What the file is and is read as, where its name promises something else; else empty."""
    kind, promised = FileKind(job.kind), KINDS_PROMISED.get(Path(job.file_name).suffix.lower())
    return str(CONTENT_WORDS[kind]) if promised and kind not in promised else ""


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
        "read_as": content_words(job),
        "delimiter": DELIMITERS.get(delimiter, delimiter),
        "example": facts.get("example", {}),
        "failed_path": failed,
        "has_file": bool(job.path) and (folder / job.path).exists(),
    }
