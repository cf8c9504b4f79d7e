"""What the engine can ask any database: its own check, foreign keys, sequences, moments in the future."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection, models, transaction
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from migrations_ops.archive import foreign_keys
from migrations_ops.checkpoints import sequences_reset
from migrations_ops.integrity.check import Example, Found
from migrations_ops.integrity.cleanup import Options
from migrations_ops.integrity.journal import Work
from migrations_ops.integrity.tables import models_known
from migrations_ops.steps.base import Batch, Cursor

#: Clocks of machines differ; a moment counts as future beyond this.
AHEAD = timedelta(days=1)
#: Moments that are meant to come.
TO_COME = {"expires_at", "go_at", "keep_until", "lease_until"}
BATCH_ROWS = 500


def structure_checked(limit: int) -> Found:
    """The database's own check of its pages and indexes; every row is read."""
    return _structure_postgresql(limit) if connection.vendor == "postgresql" else _structure_sqlite(limit)


def _structure_sqlite(limit: int) -> Found:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA integrity_check({limit})")
        lines = [line for row in cursor.fetchall() for line in str(row[0]).splitlines()]
    damage = [] if lines == ["ok"] else lines
    return Found(len(damage), tuple(Example(line) for line in damage[:limit]), "PRAGMA integrity_check")


def _structure_postgresql(limit: int) -> Found:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
        damage = [_("Index %(name)s is not valid") % {"name": row[0]} for row in cursor.fetchall()]
        cursor.execute("SELECT has_function_privilege(oid, 'EXECUTE') FROM pg_proc WHERE proname = 'bt_index_check'")
        has_amcheck = any(row[0] for row in cursor.fetchall())
    damage += _indexes_damaged() if has_amcheck else _tables_unreadable()
    method = "amcheck: bt_index_check" if has_amcheck else _("every row read (amcheck is not installed)")
    return Found(len(damage), tuple(Example(line) for line in damage[:limit]), method)


def _indexes_damaged() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.oid FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid "
            "WHERE a.amname = 'btree' AND i.indisvalid AND c.relnamespace = current_schema()::regnamespace"
        )
        indexes = [row[0] for row in cursor.fetchall()]
    return [error for index in indexes if (error := _refused("SELECT bt_index_check(%s::oid::regclass)", [index]))]


def _tables_unreadable() -> list[str]:
    quote = connection.ops.quote_name
    tables = [model._meta.db_table for model in models_known()]
    read = ((table, _refused(f"SELECT max(length(t::text)) FROM {quote(table)} t", [])) for table in tables)
    return [f"{table}: {error}" for table, error in read if error]


def _refused(sql: str, params: list[Any]) -> str:
    """What the database says instead of an answer; empty when it answers."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, params)
            cursor.fetchall()
    except DatabaseError as error:
        return str(error).splitlines()[0]
    return ""


# Foreign keys -----------------------------------------------------------------------------------


def references_broken() -> Iterator[tuple[models.ForeignKey[Any, Any], QuerySet[Any]]]:
    """Every foreign key with the rows whose parent is not there.

    Asked as a query and not of the constraint, which a database trusts once it was checked.
    """
    known = models_known()
    for model in known:
        for field in foreign_keys(model):
            parent = field.related_model
            if parent in known or parent._meta.app_label in {"auth", "contenttypes"}:
                found = parent._base_manager.filter(**{field.target_field.attname: OuterRef(field.attname)})
                rows = model._base_manager.exclude(**{f"{field.attname}__isnull": True})
                yield field, rows.filter(~Exists(found))


def references_checked(limit: int) -> Found:
    """Rows that point to nothing, over all tables."""
    count, examples = 0, list[Example]()
    for field, rows in references_broken():
        number = rows.count()
        count += number
        if number and len(examples) < limit:
            table, parent = field.model._meta.db_table, field.related_model._meta.db_table
            for pk, value in rows.order_by("pk").values_list("pk", field.attname)[: limit - len(examples)]:
                examples.append(Example(f"{table} {pk}: {field.attname} {value}, {parent} has no such row"))
    return Found(count, tuple(examples))


def references_preview(options: Options, limit: int) -> Found:
    """Which rows would go, and which would lose their reference."""
    found, removed = references_checked(limit), 0
    for field, rows in references_broken():
        removed += 0 if field.null else rows.count()
    evidence = _("%(removed)d row(s) would be removed, %(emptied)d would lose the reference.") % {
        "removed": removed,
        "emptied": found.count - removed,
    }
    return Found(found.count, found.examples, evidence)


def references_mend(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Empty references that may be empty; remove the rows whose reference may not."""
    for field, rows in references_broken():
        while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH_ROWS]):
            batch = field.model._base_manager.filter(pk__in=keys)
            if field.null:
                with work.unit(batch):
                    batch.update(**{field.attname: None})
            else:
                work.remove(batch)
            yield Batch(None, len(keys))


# Sequences --------------------------------------------------------------------------------------


def sequences_behind() -> list[tuple[type[Model], int, int]]:
    """Tables whose next number was given already: model, last number of the sequence, largest key.

    SQLite goes by the largest key itself, so none is behind there.
    """
    found = []
    for model in models_known() if connection.vendor == "postgresql" else []:
        if not isinstance(model._meta.pk, models.AutoField | models.BigAutoField):
            continue
        quote, table, key = connection.ops.quote_name, model._meta.db_table, str(model._meta.pk.column)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [quote(table), key])
            if not (name := cursor.fetchone()[0]):
                continue
            cursor.execute(f"SELECT last_value, is_called, (SELECT max({quote(key)}) FROM {quote(table)}) FROM {name}")
            last, is_called, largest = cursor.fetchone()
        if (largest or 0) >= last + int(is_called):
            found.append((model, last, largest))
    return found


def sequences_checked(limit: int) -> Found:
    """Sequences that would give a number again."""
    behind = sequences_behind()
    texts = [f"{model._meta.db_table}: {last}, {largest}" for model, last, largest in behind]
    return Found(len(behind), tuple(Example(text) for text in texts[:limit]))


def sequences_preview(options: Options, limit: int) -> Found:
    """The same as what the check finds."""
    return sequences_checked(limit)


def sequences_mend(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Set each sequence behind the last row of its table."""
    if behind := [model for model, _last, _largest in sequences_behind()]:
        sequences_reset(behind)
        yield Batch(None, len(behind))


# Moments in the future --------------------------------------------------------------------------


def future_rows() -> Iterator[tuple[QuerySet[Any], list[str]]]:
    """Rows with a moment that cannot have been yet, and the columns that may hold one."""
    limit = timezone.now() + AHEAD
    for model in models_known():
        names = [
            field.name
            for field in model._meta.concrete_fields
            if isinstance(field, models.DateTimeField) and field.name not in TO_COME
        ]
        if names:
            late = Q(*((f"{name}__gt", limit) for name in names), _connector=Q.OR)
            yield model._base_manager.filter(late), names


def future_checked(limit: int) -> Found:
    """Rows that say they were written in the future."""
    count, examples = 0, list[Example]()
    for rows, names in future_rows():
        number = rows.count()
        count += number
        if number and len(examples) < limit:
            table = rows.model._meta.db_table
            for pk, *moments in rows.order_by("pk").values_list("pk", *names)[: limit - len(examples)]:
                latest = max(moment for moment in moments if moment)
                examples.append(Example(f"{table} {pk}: {latest:%Y-%m-%d %H:%M} UTC"))
    return Found(count, tuple(examples))


def future_preview(options: Options, limit: int) -> Found:
    """The same as what the check finds."""
    return future_checked(limit)


def future_mend(work: Work, cursor: Cursor) -> Iterator[Batch]:
    """Set moments in the future to now."""
    for rows, names in future_rows():
        while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH_ROWS]):
            now = timezone.now()
            batch = rows.model._base_manager.filter(pk__in=keys)
            with work.unit(batch):
                for name in names:
                    batch.filter(**{f"{name}__gt": now + AHEAD}).update(**{name: now})
            yield Batch(None, len(keys))
