"""What is cheaper to make when the rows are there: keys, indexes, foreign keys, triggers.

`put_off` takes them away and keeps their definitions in the target; `later_left` lists what is missing and
`later_make` makes one of them again, in one transaction with the note that it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import atomic

from migrations_ops.move.tables import OWN_PREFIX

TABLE = f"{OWN_PREFIX}later"


class Stage(IntEnum):
    """In which order things are made. Up to TRIGGER rows may contradict each other, as they were read at several
    moments; from UNIQUE on the target has to be one moment of the source."""

    KEY = 1
    TRIGGER = 2
    UNIQUE = 3
    INDEX = 4
    REFERENCE = 5
    STATISTICS = 6


@dataclass(frozen=True)
class Later:
    """One thing that is to be made: the statement, and of which table it is."""

    number: int
    stage: Stage
    table: str
    name: str
    sql: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON; Later(**that) is the same again."""
        return asdict(self)


def later_table(target: BaseDatabaseWrapper) -> None:
    """Make the table of definitions."""
    with target.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {TABLE} (number integer PRIMARY KEY, stage integer NOT NULL, tbl varchar(200) NOT NULL, "
            "name varchar(200) NOT NULL, sql_text text NOT NULL, done integer NOT NULL DEFAULT 0)"
        )


def put_off(target: BaseDatabaseWrapper) -> None:
    """Drop everything that can be made later and note it; the caller has a transaction open."""
    find = _postgresql_objects if target.vendor == "postgresql" else _sqlite_objects
    with target.cursor() as cursor:
        for number, (stage, table, name, sql, drop) in enumerate(sorted(find(cursor), key=_drop_order), 1):
            cursor.execute(
                f"INSERT INTO {TABLE} (number, stage, tbl, name, sql_text) VALUES (%s, %s, %s, %s, %s)",
                [number, int(stage), table, name, sql],
            )
            if drop:
                cursor.execute(drop)


def later_left(target: BaseDatabaseWrapper, stages: Iterable[Stage]) -> list[Later]:
    """What of these stages is still missing, in the order in which it can be made."""
    marks = [int(stage) for stage in stages]
    with target.cursor() as cursor:
        cursor.execute(
            f"SELECT number, stage, tbl, name, sql_text FROM {TABLE} WHERE done = 0 "
            f"AND stage IN ({', '.join(['%s'] * len(marks))}) ORDER BY stage, number DESC",
            marks,
        )
        return [Later(number, Stage(stage), *rest) for number, stage, *rest in cursor.fetchall()]


def later_make(target: BaseDatabaseWrapper, later: Later) -> bool:
    """Make one of them; False where it is there already."""
    with atomic(using=target.alias), target.cursor() as cursor:
        cursor.execute(f"UPDATE {TABLE} SET done = 1 WHERE number = %s AND done = 0", [later.number])
        if cursor.rowcount != 1:
            return False
        cursor.execute(later.sql)
    return True


_Found = tuple[Stage, str, str, str, str]


def _drop_order(found: _Found) -> int:
    """Foreign keys go before the keys that they lean on."""
    return -int(found[0])


_CONSTRAINT_STAGES = {"f": Stage.REFERENCE, "u": Stage.UNIQUE, "x": Stage.UNIQUE, "p": Stage.KEY}


def _postgresql_objects(cursor: Any) -> Iterator[_Found]:
    ours = f"n.nspname = current_schema() AND c.relkind = 'r' AND NOT starts_with(c.relname, '{OWN_PREFIX}')"
    relation = "JOIN pg_class c ON c.oid = {} JOIN pg_namespace n ON n.oid = c.relnamespace"
    cursor.execute(
        "SELECT contype::text, c.relname, conname, quote_ident(c.relname), quote_ident(conname), pg_get_constraintdef(o.oid) "
        f"FROM pg_constraint o {relation.format('o.conrelid')} WHERE contype IN ('f', 'u', 'x', 'p') AND {ours}"
    )
    for kind, table, name, quoted_table, quoted, definition in cursor.fetchall():
        change = f"ALTER TABLE {quoted_table}"
        add, drop = f"{change} ADD CONSTRAINT {quoted} {definition}", f"{change} DROP CONSTRAINT {quoted}"
        yield _CONSTRAINT_STAGES[kind], table, name, add, drop
    cursor.execute(
        "SELECT c.relname, i.relname, pg_get_indexdef(i.oid), quote_ident(i.relname), x.indisunique "
        f"FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid {relation.format('x.indrelid')} "
        f"WHERE {ours} AND NOT EXISTS (SELECT 1 FROM pg_constraint o WHERE o.conindid = i.oid AND o.contype <> 'f')"
    )
    for table, name, definition, quoted, unique in cursor.fetchall():
        yield Stage.UNIQUE if unique else Stage.INDEX, table, name, definition, f"DROP INDEX {quoted}"
    cursor.execute(
        "SELECT c.relname, tgname, pg_get_triggerdef(t.oid), quote_ident(tgname), quote_ident(c.relname) "
        f"FROM pg_trigger t {relation.format('t.tgrelid')} WHERE NOT tgisinternal AND {ours}"
    )
    for table, name, definition, quoted, quoted_table in cursor.fetchall():
        yield Stage.TRIGGER, table, name, definition, f"DROP TRIGGER {quoted} ON {quoted_table}"
    cursor.execute(
        f"SELECT relname, quote_ident(relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {ours}"
    )
    for table, quoted_table in cursor.fetchall():
        yield Stage.STATISTICS, table, f"statistics of {table}", f"ANALYZE {quoted_table}", ""


def _sqlite_objects(cursor: Any) -> Iterator[_Found]:
    """SQLite makes keys and most uniques with the table itself; they stay."""
    cursor.execute(
        "SELECT type, tbl_name, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('index', 'trigger') "
        f"AND tbl_name NOT LIKE '{OWN_PREFIX.replace('_', '!_')}%%' ESCAPE '!'"
    )
    for kind, table, name, sql in cursor.fetchall():
        quoted = '"' + name.replace('"', '""') + '"'
        if kind == "trigger":
            yield Stage.TRIGGER, table, name, sql, f"DROP TRIGGER {quoted}"
        else:
            stage = Stage.UNIQUE if sql.upper().startswith("CREATE UNIQUE") else Stage.INDEX
            yield stage, table, name, sql, f"DROP INDEX {quoted}"
    yield Stage.STATISTICS, "", "statistics", "ANALYZE", ""
