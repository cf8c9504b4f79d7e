"""By what a row of each table is known on another site, and who may bring it."""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps
from django.db.models import Model

from knowledge.models import Feedback
from knowledge.transfer.tables import Section, models_of

VOTES = Feedback._meta.db_table


@dataclass(frozen=True, kw_only=True)
class Known:
    """How the rows of one table are found again."""

    by: tuple[str, ...]
    #: Whether the database allows one such row only.
    once: bool = True
    #: Comes only with an entry that the same file adds; an entry that is here has its own.
    with_entry: bool = False
    permission: str = ""


KNOWN: dict[str, Known] = {
    "kb_tags": Known(by=("name",)),
    "kb_error_codes": Known(by=("code",)),
    "kb_code_aliases": Known(by=("alias",)),
    "kb_entry_revisions": Known(by=("entry_id", "version"), with_entry=True),
    "kb_entry_addresses": Known(by=("old_id",)),
    "kb_entry_reviews": Known(by=("entry_id",), permission="knowledge.validate_entry"),
    "kb_feedback": Known(by=("entry_id", "voter")),
    "kb_entry_marks": Known(by=("entry_id", "user_id")),
    "kb_entry_flags": Known(by=("entry_id", "reporter", "created_at"), once=False),
    "kb_promoted_results": Known(by=("normalized", "entry_id"), permission="knowledge.change_promotedresult"),
    "search_history": Known(by=("created_at", "searcher", "query"), once=False),
    "kb_settings": Known(by=("key",), permission="knowledge.change_setting"),
    "kb_plugins": Known(by=("name",), permission="knowledge.change_plugin"),
    "usage_metrics": Known(by=("entry_id", "day")),
    "usage_patterns": Known(by=("type", "key")),
    "ignored_queries": Known(by=("normalized",), permission="analytics.ignore_query"),
    "analytics_baselines": Known(by=("metric",)),
}


def models_open() -> dict[str, type[Model]]:
    """The models whose rows can come in at the level of the site, by table."""
    found = (model for section in Section for model in models_of(section))
    return {model._meta.db_table: model for model in found if model._meta.db_table in KNOWN}


def table_title(table: str) -> str:
    """What people call the rows of a table; the name of the table when nothing here has it."""
    for model in apps.get_models():
        if model._meta.db_table == table:
            return str(model._meta.verbose_name_plural)
    return table
