"""A process that copies ranges and makes indexes, one order after the other.

    python -m migrations_ops.move.copier

It reads JSON lines: first the two databases and the tables, then orders; it answers each with one line. It
knows no model and none of the site's settings, which keeps it small, and it ends with its input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.errors import OpsError
from migrations_ops.move.copying import range_copy
from migrations_ops.move.later import Later, Stage, later_make
from migrations_ops.move.pages import pages_unmapped
from migrations_ops.move.ranges import KeyRange
from migrations_ops.move.tables import Table, table_from

#: Memory that the target's server may take to build one index.
MAINTENANCE_MEMORY = "128MB"


def main() -> None:
    """Take orders until there are no more."""
    setup = json.loads(sys.stdin.readline())
    settings.configure(
        DATABASES={**setup["databases"], "default": {}}, USE_TZ=True, TIME_ZONE="UTC", LOGGING_CONFIG=None
    )
    django.setup()
    source, target = connections["source"], connections["target"]
    _prepare(target)
    tables = {table.name: table for table in map(table_from, setup["tables"])}
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line), source, target, tables), default=str) + "\n")
        sys.stdout.flush()


def _prepare(target: BaseDatabaseWrapper) -> None:
    """No waiting for the disk at each commit (target_schema.target_flush does that once), no order of tables."""
    target.ensure_connection()
    if target.vendor == "sqlite":
        target.disable_constraint_checking()
        return
    with target.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(f"SET maintenance_work_mem = '{MAINTENANCE_MEMORY}'")


def _answer(
    order: dict[str, Any], source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: dict[str, Table]
) -> dict[str, Any]:
    orders: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "range": lambda facts: _copy(source, target, tables, KeyRange(**facts)),
        "later": lambda facts: {"made": later_make(target, Later(**{**facts, "stage": Stage(facts["stage"])}))},
    }
    ((name, facts),) = order.items()
    try:
        return orders[name](facts)
    except OpsError as error:
        return {"code": error.code, "facts": error.facts}
    except DatabaseError as error:
        return {"failure": f"{type(error).__name__}: {error}"}


def _copy(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: dict[str, Table], key_range: KeyRange
) -> dict[str, Any]:
    with pages_unmapped(source):
        copied = range_copy(source, target, tables[key_range.table], key_range)
    return {"rows": copied.rows, "bytes": copied.bytes}


if __name__ == "__main__":
    main()
