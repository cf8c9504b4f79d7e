"""What a move carries: the tables of the site with their columns, in words that both databases share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from django.apps import apps
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from migrations_ops.errors import ColumnUnknownError
from migrations_ops.move.pages import pages_unmapped

#: Tables of the mover itself begin like this. They are made by SQL of its own and never moved.
OWN_PREFIX = "ops_move_"


class ColumnKind(Enum):
    """What the values of a column mean, whatever a database makes of them."""

    INTEGER = "integer"
    BOOLEAN = "boolean"
    FLOAT = "float"
    DECIMAL = "decimal"
    TEXT = "text"
    UUID = "uuid"
    JSON = "json"
    TIMESTAMP = "timestamp"
    DATE = "date"
    TIME = "time"
    DURATION = "duration"
    BINARY = "binary"


#: Django's names of fields for each kind. A subclass says which of these it is by get_internal_type().
_KINDS = {
    ColumnKind.INTEGER: (
        *("AutoField", "BigAutoField", "SmallAutoField", "IntegerField", "BigIntegerField", "SmallIntegerField"),
        *("PositiveIntegerField", "PositiveBigIntegerField", "PositiveSmallIntegerField"),
    ),
    ColumnKind.BOOLEAN: ("BooleanField",),
    ColumnKind.FLOAT: ("FloatField",),
    ColumnKind.DECIMAL: ("DecimalField",),
    ColumnKind.TEXT: ("CharField", "TextField", "SlugField", "FileField", "FilePathField"),
    ColumnKind.UUID: ("UUIDField",),
    ColumnKind.JSON: ("JSONField",),
    ColumnKind.TIMESTAMP: ("DateTimeField",),
    ColumnKind.DATE: ("DateField",),
    ColumnKind.TIME: ("TimeField",),
    ColumnKind.DURATION: ("DurationField",),
    ColumnKind.BINARY: ("BinaryField",),
}
KIND_OF_FIELD = {name: kind for kind, names in _KINDS.items() for name in names}


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    kind: ColumnKind
    null: bool
    #: Characters, of a text that has a limit.
    max_length: int | None = None
    #: All digits of a decimal, and those behind the point.
    digits: int | None = None
    places: int | None = None
    unique: bool = False
    #: Table and column that a foreign key points at.
    references: tuple[str, str] | None = None


@dataclass(frozen=True)
class Table:
    """One table. `columns` holds the key too, and stands in the order of the model's fields."""

    name: str
    key: Column
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """The column of this name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)


def table_as_dict(table: Table) -> dict[str, Any]:
    """For JSON; `table_from` reads it."""

    def plain(column: Column) -> dict[str, Any]:
        return {**asdict(column), "kind": column.kind.value}

    return {"name": table.name, "key": table.key.name, "columns": [plain(column) for column in table.columns]}


def table_from(facts: dict[str, Any]) -> Table:
    """The table that `table_as_dict` wrote."""

    def column(given: dict[str, Any]) -> Column:
        references = given["references"] and tuple(given["references"])
        return Column(**{**given, "kind": ColumnKind(given["kind"]), "references": references})

    columns = tuple(map(column, facts["columns"]))
    key = next(each for each in columns if each.name == facts["key"])
    return Table(name=facts["name"], key=key, columns=columns)


def tables_moved(connection: BaseDatabaseWrapper) -> tuple[Table, ...]:
    """Every table of the site that this database has, parents before the tables that point at them.

    Tables of closed levels are not there and so not in it. Raises ColumnUnknownError.
    """
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
    tables = {model._meta.db_table: table_of(model) for model in _models(connection)}
    return tuple(_parents_first([table for name, table in tables.items() if name in there]))


def _models(connection: BaseDatabaseWrapper) -> Iterator[type[models.Model]]:
    yield MigrationRecorder(connection).Migration
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            yield model


def table_of(model: type[models.Model]) -> Table:
    """The table of a model. Raises ColumnUnknownError."""
    fields = [field for field in model._meta.concrete_fields if not getattr(field, "generated", False)]
    columns = tuple(column_of(field) for field in fields)
    key = next(column for column, field in zip(columns, fields, strict=True) if field.primary_key)
    return Table(name=model._meta.db_table, key=key, columns=columns)


def column_of(field: models.Field[Any, Any]) -> Column:
    """The column of a field. Raises ColumnUnknownError."""
    references, target = None, field
    while isinstance(target, models.ForeignKey):
        target = target.target_field
        references = references or (target.model._meta.db_table, str(target.column))
    kind = KIND_OF_FIELD.get(target.get_internal_type())
    if kind is None:
        raise ColumnUnknownError(table=field.model._meta.db_table, column=field.column, type=target.get_internal_type())
    return Column(
        name=str(field.column),
        kind=kind,
        null=field.null,
        max_length=target.max_length if kind is ColumnKind.TEXT else None,
        digits=getattr(target, "max_digits", None),
        places=getattr(target, "decimal_places", None),
        unique=field.unique,
        references=references,
    )


def _parents_first(tables: list[Table]) -> Iterator[Table]:
    """Tables in an order in which no foreign key points ahead, as far as there is one (tables may point in a ring)."""
    waiting = {table.name: table for table in sorted(tables, key=lambda table: table.name)}
    while waiting:
        ready = [table for table in waiting.values() if not _parents(table) & waiting.keys()]
        for table in ready or [next(iter(waiting.values()))]:
            yield waiting.pop(table.name)


def _parents(table: Table) -> set[str]:
    return {column.references[0] for column in table.columns if column.references} - {table.name}


def rows_counted(connection: BaseDatabaseWrapper, tables: Iterable[Table]) -> dict[str, int]:
    """How many rows each table has."""
    counted = {}
    with pages_unmapped(connection), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table.name)}")
            counted[table.name] = int(cursor.fetchone()[0])
    return counted
