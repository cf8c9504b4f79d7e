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
    codes = tuple(link.error_code.code for link in entry.code_links[:CODES_SHOWN])  # type: ignore[attr-defined]
    pieces = (
        _piece("knowledge/_entry_badges.html", entry, (entry.severity, entry.category, entry.status)),
        _piece("knowledge/_entry_codes.html", entry, codes) if codes else "",
        _piece("knowledge/_success.html", entry, (entry.success_count, entry.failure_count)) if entry.votes else "",
    )
    return mark_safe("".join(pieces))  # noqa: S308 - each is a rendered template


def _piece(template: str, entry: Entry, values: tuple[Any, ...]) -> SafeString:
    """The template for an entry; it shows nothing but what these values say, in this language, at this address."""
    key = (template, get_language(), get_script_prefix(), values)
    if key in _kept and not settings.DEBUG:
        return _kept[key]
    if len(_kept) >= PIECES_KEPT:
        _kept.clear()
    found = _kept[key] = mark_safe(render_to_string(template, {"entry": entry}).strip())  # noqa: S308 - a template
    return found
