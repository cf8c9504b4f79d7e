"""What a file of an entry holds, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from knowledge.labels import codes_by_entry
from knowledge.models import Entry


@dataclass(frozen=True, kw_only=True)
class EntrySheet:
    """Texts in Markdown, facts as pairs of label and value."""

    title: str
    permalink: str
    facts: tuple[tuple[str, str], ...]
    problem: str
    solution: str


def entry_sheet(entry: Entry, permalink: str) -> EntrySheet:
    """The entry as it is now; facts without a value are left out."""
    worked = _("%(percent)d %% of %(votes)d votes") % {"percent": entry.success_percent or 0, "votes": entry.votes}
    changed = date_format(timezone.localtime(entry.updated_at), "Y-m-d H:i")
    facts = (
        (_("Category"), entry.get_category_display()),
        (_("Severity"), entry.get_severity_display()),
        (_("Status"), entry.get_status_display()),
        (_("Codes"), ", ".join(codes_by_entry([entry.pk])[entry.pk])),
        (_("Tags"), ", ".join(sorted(entry.tags.values_list("name", flat=True)))),
        (_("Worked"), worked if entry.votes else ""),
        (_("Version"), _("%(version)d, changed %(when)s") % {"version": entry.version, "when": changed}),
    )
    return EntrySheet(
        title=entry.title,
        permalink=permalink,
        facts=tuple((label, str(value)) for label, value in facts if value),
        problem=entry.problem,
        solution=entry.solution,
    )
