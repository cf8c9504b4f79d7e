"""Which table an export holds, and why others are in none. A table that is named nowhere fails a test."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from django.apps import apps
from django.db.models import Model

from migrations_ops.gate import site_level
from migrations_ops.phase import phase_of_app


class Section(StrEnum):
    """A part of the site that is exported by itself."""

    ENTRIES = "entries"
    VOCABULARY = "vocabulary"
    SEARCHES = "searches"
    SETTINGS = "settings"
    ANALYTICS = "analytics"


#: Tables of a section, parents first. Columns that name a person hold the user name.
EXPORTED: dict[Section, tuple[str, ...]] = {
    Section.VOCABULARY: ("kb_tags", "kb_error_codes", "kb_code_aliases"),
    Section.ENTRIES: (
        *("kb_entries", "kb_entry_revisions", "kb_entry_addresses", "kb_entry_reviews", "kb_feedback"),
        *("kb_entry_marks", "kb_entry_flags", "kb_promoted_results"),
    ),
    Section.SEARCHES: ("search_history",),
    Section.SETTINGS: ("kb_settings", "kb_plugins"),
    Section.ANALYTICS: ("usage_metrics", "usage_patterns", "ignored_queries", "analytics_baselines"),
}
#: By which column dates choose rows of tables that belong to no entry; tags, codes and settings are always whole.
DATED = {
    "search_history": "created_at",
    "usage_patterns": "last_seen",
    "ignored_queries": "ignored_at",
    "analytics_baselines": "computed_at",
}
#: Tables whose rows stand in the rows of another one.
WITHIN = {"kb_entry_tags": "kb_entries", "kb_entry_codes": "kb_entries"}
LEFT_OUT = {
    "kb_api_tokens": "secrets",
    "kb_imports": "a journal of this site",
    "kb_imported_rows": "a journal of this site",
    "kb_search_docs": "made from the entries",
    "kb_search_terms": "made from the entries",
    "kb_search_grams": "made from the entries",
    "search_analytics": "made from the search history",
}


def models_of(section: Section) -> Iterator[type[Model]]:
    """The models of a section whose level is open, parents first."""
    by_table = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    level = site_level()
    for table in EXPORTED[section]:
        model = by_table[table]
        phase = phase_of_app(model._meta.app_label)
        if phase is not None and phase.level <= level:
            yield model


def sections_open() -> tuple[Section, ...]:
    """The sections that have tables at the level of the site."""
    return tuple(section for section in Section if any(models_of(section)))
