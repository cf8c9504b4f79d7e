"""SQL of the triggers that record changes and refuse writes.

Every table gets triggers that note the key of each changed row in the log, and the note is refused on a
database that is fenced. The mover's own writes are neither noted nor refused.

* SQLite: a row of state says who may write. The mover sets `passing` inside its transaction, which
  nobody else can see: there is one writer at a time.
* PostgreSQL: the mover's transactions have the setting `kb.mover`. Everybody else's trigger takes a lock
  shared, which the mover takes alone to find all writers out, and then looks at the fence.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from migrations_ops.move.tables import Table

CAPTURE = "ops_move_capture"
LOG = "ops_move_log"
#: What a refused writer reads. The site's own backends know it by its first word.
MOVED = "KB_MOVED The site has moved to another database; this one takes no more writes."
#: Two numbers of PostgreSQL's advisory locks: shared by every writer of a captured table.
WRITERS_LOCK = (0x6B62, 0x6D76)

_COLUMNS = (
    "id INTEGER PRIMARY KEY CHECK (id = 1), token VARCHAR(32) NOT NULL, up INTEGER NOT NULL DEFAULT 0, "
    "passing INTEGER NOT NULL DEFAULT 0, moved_to TEXT NOT NULL DEFAULT '', "
    "trimmed_xid BIGINT NOT NULL DEFAULT 0, trimmed_seq BIGINT NOT NULL DEFAULT 0"
)


def literal(text: str) -> str:
    """A text inside SQL that takes no parameters."""
    return "'" + text.replace("'", "''") + "'"


# SQLite -----------------------------------------------------------------------------------------


def sqlite_state() -> Iterator[str]:
    """Statements that make log and state; they may be run again."""
    yield f"CREATE TABLE IF NOT EXISTS {CAPTURE} ({_COLUMNS})"
    # AUTOINCREMENT: a number is never used twice, even after the log was emptied.
    yield (f"CREATE TABLE IF NOT EXISTS {LOG} (seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, key NOT NULL)")
    yield (
        f"CREATE TRIGGER IF NOT EXISTS ops_move_fence BEFORE INSERT ON {LOG} BEGIN "
        "SELECT CASE WHEN passing THEN RAISE(IGNORE) "
        f"WHEN up THEN RAISE(ABORT, {literal(MOVED)}) END FROM {CAPTURE} WHERE id = 1; END"
    )


def sqlite_names(table: Table) -> list[str]:
    """Names of a table's triggers."""
    return [f"ops_move_{event}_{table.name}" for event in ("insert", "update", "delete")]


def sqlite_triggers(connection: BaseDatabaseWrapper, table: Table) -> Iterator[str]:
    """Statements that make the triggers of one table."""
    quote = connection.ops.quote_name
    key, name, on = quote(table.key.name), literal(table.name), quote(table.name)
    insert, update, delete = (quote(name) for name in sqlite_names(table))
    note = f"INSERT INTO {LOG} (tbl, key)"
    yield f"CREATE TRIGGER {insert} AFTER INSERT ON {on} BEGIN {note} VALUES ({name}, NEW.{key}); END"
    yield (
        f"CREATE TRIGGER {update} AFTER UPDATE ON {on} BEGIN {note} VALUES ({name}, NEW.{key}); "
        f"{note} SELECT {name}, OLD.{key} WHERE OLD.{key} IS NOT NEW.{key}; END"
    )
    yield f"CREATE TRIGGER {delete} AFTER DELETE ON {on} BEGIN {note} VALUES ({name}, OLD.{key}); END"


# PostgreSQL -------------------------------------------------------------------------------------

#: Triggers of each table.
POSTGRESQL_NAMES = ("ops_move_note", "ops_move_truncated")

_LOG_COLUMNS = (
    "xid xid8 NOT NULL DEFAULT pg_current_xact_id(), seq BIGINT GENERATED ALWAYS AS IDENTITY, "
    "tbl TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (xid, seq)"
)

#: Ahead of every note: the mover passes; everybody else comes into the shared lock. (An expression is several
#: times cheaper than PERFORM.) A snapshot may be older than the fence: a lock on the row sees what is committed.
_ENTER = """
    IF current_setting('kb.mover', true) = 'on' THEN RETURN NULL; END IF;
    IF pg_advisory_xact_lock_shared({lock}) IS NULL THEN END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM 1 FROM {capture} FOR SHARE;
    END IF;
"""

_REFUSE = """
    IF NOT FOUND THEN
        RAISE EXCEPTION USING MESSAGE = {moved}, ERRCODE = 'read_only_sql_transaction';
    END IF;
"""

_NOTE = f"""
BEGIN
    {_ENTER}
    IF TG_OP = 'DELETE' THEN
        INSERT INTO {{log}} (tbl, key) SELECT TG_TABLE_NAME, OLD.{{key}}::text FROM {{capture}} WHERE up = 0;
    ELSE
        INSERT INTO {{log}} (tbl, key) SELECT TG_TABLE_NAME, NEW.{{key}}::text FROM {{capture}} WHERE up = 0;
    END IF;
    {_REFUSE}
    IF TG_OP = 'UPDATE' THEN
        IF OLD.{{key}} IS DISTINCT FROM NEW.{{key}} THEN
            INSERT INTO {{log}} (tbl, key) VALUES (TG_TABLE_NAME, OLD.{{key}}::text);
        END IF;
    END IF;
    RETURN NULL;
END
"""

_TRUNCATED = f"""
BEGIN
    {_ENTER}
    PERFORM 1 FROM {{capture}} WHERE up = 0;
    {_REFUSE}
    EXECUTE format('INSERT INTO {{log}} (tbl, key) SELECT %L, %I::text FROM %I.%I',
        TG_TABLE_NAME, TG_ARGV[0], TG_TABLE_SCHEMA, TG_TABLE_NAME);
    RETURN NULL;
END
"""


def postgresql_schema(connection: BaseDatabaseWrapper) -> str:
    """The schema of the site's tables, quoted; triggers must find the log whatever a writer's path is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        return str(cursor.fetchone()[0])


def postgresql_state(connection: BaseDatabaseWrapper) -> Iterator[str]:
    """Statements that make log, state and the functions that every table uses; they may be run again."""
    schema = postgresql_schema(connection)
    yield f"CREATE TABLE IF NOT EXISTS {schema}.{CAPTURE} ({_COLUMNS})"
    yield f"CREATE TABLE IF NOT EXISTS {schema}.{LOG} ({_LOG_COLUMNS})"
    # Whoever may write a table of the site may cause a note of it.
    yield f"GRANT SELECT ON {schema}.{CAPTURE} TO PUBLIC"
    yield f"GRANT INSERT ON {schema}.{LOG} TO PUBLIC"
    yield _function(f"{schema}.ops_move_truncated", _TRUNCATED.format(**_facts(schema)))


def postgresql_triggers(connection: BaseDatabaseWrapper, table: Table) -> Iterator[str]:
    """Statements that make the triggers of one table, and the function for a key of that name."""
    schema, quote = postgresql_schema(connection), connection.ops.quote_name
    on, function = quote(table.name), f"{schema}.{quote(f'ops_move_note_{table.key.name}')}"
    yield _function(function, _NOTE.format(key=quote(table.key.name), **_facts(schema)))
    yield (
        f"CREATE OR REPLACE TRIGGER ops_move_note AFTER INSERT OR UPDATE OR DELETE ON {on} "
        f"FOR EACH ROW EXECUTE FUNCTION {function}()"
    )
    yield (
        f"CREATE OR REPLACE TRIGGER ops_move_truncated BEFORE TRUNCATE ON {on} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {schema}.ops_move_truncated({literal(table.key.name)})"
    )
    for name in POSTGRESQL_NAMES:  # also for sessions that replicate
        yield f"ALTER TABLE {on} ENABLE ALWAYS TRIGGER {name}"


def _facts(schema: str) -> dict[str, str]:
    return {
        "log": f"{schema}.{LOG}",
        "capture": f"{schema}.{CAPTURE}",
        "moved": literal(MOVED),
        "lock": ", ".join(map(str, WRITERS_LOCK)),
    }


def _function(name: str, body: str) -> str:
    return f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $kb${body}$kb$"
