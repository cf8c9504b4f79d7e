"""The model fields behind the columns of a table, for what a Column does not say: types of the target."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.migrations.recorder import MigrationRecorder


def column_type(table: str, column: str, target: Any) -> str:
    """SQL of the target's type of a column, without numbering. Raises KeyError for a table without a model."""
    field = _fields(table)[column]
    return str(field.rel_db_type(target) if field.remote_field or field.primary_key else field.db_type(target))


def integer_range(table: str, column: str) -> tuple[int, int]:
    """The whole numbers that PostgreSQL's type of a column holds."""
    try:
        field = _fields(table)[column]
    except KeyError:
        return _RANGES["BigIntegerField"]
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return _RANGES.get(field.get_internal_type(), _RANGES["BigIntegerField"])


_RANGES = BaseDatabaseOperations.integer_field_ranges


@cache
def _fields(table: str) -> dict[str, models.Field[Any, Any]]:
    every: list[type[models.Model]] = [model for of_app in apps.all_models.values() for model in of_app.values()]
    every.append(MigrationRecorder(connection).Migration)
    for model in every:
        if model._meta.db_table == table:
            return {str(field.column): field for field in model._meta.concrete_fields}
    raise KeyError(table)
