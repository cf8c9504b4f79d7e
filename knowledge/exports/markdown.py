"""An entry as one Markdown file."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from knowledge.exports.sheet import EntrySheet

#: Characters that would make something else of a title or tag than its text.
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|])")


def sheet_markdown(sheet: EntrySheet) -> str:
    """Title, facts and address, then both texts as they were written."""
    facts = [f"- {label}: {_plain(value)}" for label, value in sheet.facts]
    solution = sheet.solution if sheet.solution.startswith("#") else f"## {_('Solution')}\n\n{sheet.solution}"
    parts = [
        f"# {_plain(sheet.title)}",
        "\n".join([*facts, f"- {_('Link')}: <{sheet.permalink}>"]),
        f"## {_('Problem')}",
        sheet.problem,
        solution,
    ]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
