"""The form of an import's choices: columns, unknown words, and what becomes of duplicates and errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from django.contrib.auth.models import User
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from knowledge.models import Category, EntryStatus, Import, Severity
from knowledge.transfer.naming import FIELDS, FOR_PEOPLE, field_named
from knowledge.transfer.options import DateOrder, Duplicates, Existing, ImportOptions, OnError, UnknownColumns
from knowledge.transfer.reports import Report

#: A wider file is mapped by the names of its columns, from here on.
COLUMNS_SHOWN = 200
WORDS_SHOWN = 60
_CHOICES: dict[str, tuple[Any, type[Any]]] = {
    "duplicates": (_("A new row whose title and problem are there already"), Duplicates),
    "existing": (_("A row whose id is there already"), Existing),
    "on_error": (_("When there are invalid rows"), OnError),
    "unknown_columns": (_("Columns that match no field"), UnknownColumns),
    "dates": (_("Dates like 03/04/2024"), DateOrder),
    "status": (_("Status of new entries without one"), EntryStatus),
}
#: Words of the file by field, the option that maps them, and ours.
_WORDS: dict[str, tuple[str, Any]] = {
    "category": ("categories", _("Categories")),
    "severity": ("severities", _("Severities")),
    "created_by": ("authors", _("Authors")),
}
SYSTEM_CHARS = 60


def choices_context(job: Import, example: Mapping[str, str]) -> dict[str, Any]:
    """What the form prints; `example` has the values of the first row."""
    options = ImportOptions.of(job.options)
    values = asdict(options)
    return {
        "columns": [
            {**_column(name, options), "example": example.get(name, "")}
            for name in job.columns[:COLUMNS_SHOWN]
            if name not in FOR_PEOPLE
        ],
        "columns_more": max(0, len(job.columns) - COLUMNS_SHOWN),
        "words": [group for name in _WORDS if (group := _words(job, name, values))],
        "selects": [
            (name, label, [(value, text, value == values[name]) for value, text in choices.choices])
            for name, (label, choices) in _CHOICES.items()
        ],
        "system": options.system,
    }


def _column(name: str, options: ImportOptions) -> dict[str, Any]:
    chosen = options.columns.get(name, field_named(name))
    return {"name": name, "fields": [(field, field == chosen) for field in FIELDS], "mapped": bool(chosen)}


def _words(job: Import, name: str, values: dict[str, Any]) -> dict[str, Any] | None:
    """Words that the preview did not know, and those that are mapped already."""
    option, label = _WORDS[name]
    mapped: dict[str, str] = values[option]
    unknown: Mapping[str, int] = Report(job.preview).unknown.get(name, {})
    words = list(dict.fromkeys([*mapped, *unknown]))[:WORDS_SHOWN]
    if not words:
        return None
    known = _known(option)
    return {
        "option": option,
        "label": label,
        "rows": [
            {
                "word": word,
                "count": unknown.get(word, 0),
                "choices": [(value, text, value == mapped.get(word)) for value, text in known],
            }
            for word in words
        ],
    }


def _known(option: str) -> list[tuple[str, Any]]:
    if option == "authors":
        return [(name, name) for name in User.objects.order_by("username").values_list("username", flat=True)[:500]]
    return list(Category.choices if option == "categories" else Severity.choices)


def options_posted(job: Import, posted: QueryDict) -> ImportOptions:
    """The choices that somebody sent. Raises ImportOptionError."""
    options = ImportOptions.of(job.options)
    given: dict[str, Any] = {name: posted.get(name, getattr(options, name)) for name in _CHOICES}
    columns = dict(zip(posted.getlist("column"), posted.getlist("field"), strict=False))
    given["columns"] = {
        name: field
        for name, field in columns.items()
        if name in job.columns and (field in FIELDS or not field) and field != field_named(name)
    }
    for option, _label in _WORDS.values():
        words = dict(zip(posted.getlist(f"{option}_word"), posted.getlist(option), strict=False))
        given[option] = {word: ours for word, ours in words.items() if ours}
    return replace(options, **given, system=posted.get("system", "").strip()[:SYSTEM_CHARS])
