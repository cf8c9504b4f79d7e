"""The words that files use for fields, severities and states."""

from __future__ import annotations

import re

from knowledge.models import EntryStatus, Severity

FIELDS = (
    *("id", "title", "problem", "solution", "category", "severity", "status", "tags", "codes"),
    *("created_by", "created_at", "updated_at", "usage_count", "success_count", "failure_count"),
)
#: Columns that an export or a file of failed rows adds for people.
FOR_PEOPLE = frozenset({"row", "reason", "version", "updated_by", "origin", "link"})
_OTHER_NAMES = {
    "id": "uuid, guid, kb_id, entry_id, number, nr",
    "title": "name, subject, summary, short_description, headline",
    "problem": "description, symptom, symptoms, issue, question, error_text",
    "solution": "resolution, answer, fix, workaround, how_to_fix, text",
    "category": "area, component, subsystem, topic",
    "severity": "priority, urgency, impact, level",
    "status": "state",
    "tags": "tag, keywords, keyword, labels, label",
    "codes": "code, error_codes, error_code, abend, abend_code, message_id",
    "created_by": "author, creator, owner, createdby",
    "created_at": "created, created_on, date, createdat, date_created",
    "updated_at": "updated, modified, changed, updated_on, last_modified, updatedat, date_modified",
    "usage_count": "views, usage, usagecount",
    "success_count": "worked, successcount",
    "failure_count": "did_not_work, failed, failurecount",
}
_FIELD_BY_NAME = {
    **{other: field for field, others in _OTHER_NAMES.items() for other in others.split(", ")},
    **{field: field for field in FIELDS},
}
_SEVERITY_NAMES = {
    Severity.CRITICAL: "critical, crit, blocker, urgent, very high, fatal, 1, sev1, severity 1, p1, prio 1",
    Severity.HIGH: "high, major, severe, important, 2, sev2, severity 2, p2, prio 2",
    Severity.MEDIUM: "medium, med, moderate, normal, average, 3, sev3, severity 3, p3, prio 3",
    Severity.LOW: "low, minor, trivial, info, informational, cosmetic, 4, sev4, severity 4, p4, prio 4, 5, p5, sev5",
}
_STATUS_NAMES = {
    EntryStatus.DRAFT: "draft, new, wip, in progress, work in progress",
    EntryStatus.PUBLISHED: "published, active, open, live, approved",
    EntryStatus.ARCHIVED: "archived, closed, retired, obsolete, inactive",
}


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


_SEVERITIES = {_folded(name): severity for severity, names in _SEVERITY_NAMES.items() for name in names.split(",")}
_STATUSES = {_folded(name): status for status, names in _STATUS_NAMES.items() for name in names.split(",")}


def field_named(column: str) -> str:
    """The field that a column is for; empty when none is."""
    return _FIELD_BY_NAME.get(column, "")


def severity_named(name: str) -> Severity | None:
    """The severity that a word stands for."""
    return _SEVERITIES.get(_folded(name))


def status_named(name: str) -> EntryStatus | None:
    """The status that a word stands for."""
    return _STATUSES.get(_folded(name))
