"""What a list shows of an entry beside its title, as HTML that is kept: lists show the same few values again and again."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from knowledge.models import Entry

#: Pieces of HTML that a process keeps; it begins again when there are more.
PIECES_KEPT = 5_000
CODES_SHOWN = 4

_kept: dict[tuple[Any, ...], SafeString] = {}


def entry_facts(entry: Entry) -> SafeString:
    """Severity, category, status, first codes and success of an entry that has its `code_links`."""
    place = (get_language(), get_script_prefix())
    pieces = [
        _piece("knowledge/_entry_badges.html", {"entry": entry}, (place, entry.severity, entry.category, entry.status))
    ]
    for number, link in enumerate(entry.code_links[:CODES_SHOWN]):  # type: ignore[attr-defined]
        code, own = link.error_code.code, not number
        pieces.append(_piece("knowledge/_entry_code.html", {"code": code, "own": own}, (place, code, own)))
    if entry.votes:
        shown = (place, entry.votes, entry.success_percent)
        pieces.append(_piece("knowledge/_success.html", {"entry": entry}, shown))
    return mark_safe("".join(pieces))  # noqa: S308 - each is a rendered template


def _piece(template: str, context: dict[str, Any], values: tuple[Any, ...]) -> SafeString:
    """The template with this context; it shows nothing but what these values say: language, address and facts."""
    key = (template, values)
    if key in _kept and not settings.DEBUG:
        return _kept[key]
    if len(_kept) >= PIECES_KEPT:
        _kept.clear()
    found = _kept[key] = mark_safe(render_to_string(template, context).strip())  # noqa: S308 - a template
    return found
