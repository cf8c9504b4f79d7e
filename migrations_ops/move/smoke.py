"""Questions to a database that the site has just moved to, before anybody relies on it."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import DatabaseError, connection, transaction

from migrations_ops.gate import site_level
from migrations_ops.models import FindingStatus, Run, RunEvent
from migrations_ops.move.tables import Table
from migrations_ops.phase import phases_open


class _UndoneError(Exception):
    """Ends a transaction whose rows nobody shall see."""


def smoke(run: Run, tables: tuple[Table, ...]) -> Iterator[str]:
    """What is wrong with the database that the site works with now, one sentence each; nothing is changed."""
    yield from _level(run)
    yield from _reads(tables)
    yield from _write(run)
    for phase in phases_open(run.plan.to_level):
        for check in phase.checks:
            for found in check():
                if found.status == FindingStatus.FAIL:
                    yield f"{found.title}: {found.evidence}"


def _level(run: Run) -> Iterator[str]:
    if site_level() != run.plan.to_level:
        yield f"It says that the site is at MVP{site_level()} and not at MVP{run.plan.to_level}."


def _reads(tables: tuple[Table, ...]) -> Iterator[str]:
    """Every table answers for its newest row, all columns of it."""
    quote = connection.ops.quote_name
    for table in tables:
        columns = ", ".join(quote(name) for name in table.names)
        query = f"SELECT {columns} FROM {quote(table.name)} ORDER BY {quote(table.key.name)} DESC LIMIT 1"
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                cursor.fetchall()
        except DatabaseError as error:
            yield f"{table.name} does not answer: {error}"


def _write(run: Run) -> Iterator[str]:
    """A row can be written, with a number of its own; it is not kept."""
    newest = RunEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    try:
        with transaction.atomic():
            made = RunEvent.objects.create(run=run, plan=run.plan, message="Trial")
            if made.pk <= newest:
                yield f"A new row got the number {made.pk}, and {newest} is given already."
            raise _UndoneError  # noqa: TRY301 the way out of a transaction is an exception
    except _UndoneError:
        return
    except DatabaseError as error:
        yield f"It takes no row: {error}"
