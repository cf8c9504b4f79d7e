"""Rows shaped like those of a site at its highest level, made in SQL in seconds.

    python -m tests.bench.moving.data <SQLite file of a migrated site> <times>

Once: 100,000 entries of 1 kB, 1,000,000 narrow rows and some more, with JSON, UUIDs, decimals and letters
of many scripts. The numbers look random and are the same every time.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path

ENTRIES = 100_000
#: Rows by table, at one time.
ROWS = {
    "auth_user": 1_000,
    "kb_tags": 200,
    "kb_error_codes": 500,
    "kb_entries": ENTRIES,
    "kb_entry_tags": 200_000,
    "kb_entry_codes": 100_000,
    "search_history": 300_000,
    "usage_metrics": 100_000,
    "kb_search_terms": 50_000,
    "kb_search_grams": 150_000,
    "bench_prices": 100_000,
}

#: A table that no level has yet: decimals.
PRICES = (
    'CREATE TABLE IF NOT EXISTS bench_prices (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, "price" decimal NOT NULL, '
    '"share" decimal NULL, "note" varchar(80) NOT NULL, "at" datetime NOT NULL)'
)

#: A text that looks like prose of the trade, of about the length of parameter 1 in the function below.
WORDS = (
    "The job step ended with abend S0C7 in program PAYR{n} at offset {n}. Prüfen Sie das Feld, vérifiez les données. "
    "IEF450I JOB{n} STEP020 - ABEND=S0C7 U0000. データを確認してください。 Check the copybook against the file; a packed "
    "field holds blanks. SQLCODE -803 follows where the row is there already. 😀 Ran {n} times without it. "
)


def number(index: int) -> int:
    """Looks random, is the same every time; below 2**31."""
    return (index * 2_654_435_761 + 12_345) % 4_294_967_291 >> 1


def text(index: int, length: int) -> str:
    """A text of so many characters."""
    source = WORDS.replace("{n}", str(number(index) % 99_991))
    start = index % 40
    return (source[start:] + source * (length // len(source) + 1))[:length].strip().ljust(10, ".")


def entry_id(index: int) -> str:
    """The key of an entry as Django spells it on SQLite."""
    return f"{number(index):08x}{number(index + 7):08x}4{number(index * 3) % 2**28:07x}8{index:07x}"


def moment(index: int) -> str:
    """A time as Django spells it on SQLite."""
    n = number(index)
    return f"202{n % 6}-{n % 12 + 1:02}-{n % 28 + 1:02} {n % 24:02}:{n % 59:02}:{n % 58:02}" + (
        f".{n % 1_000_000:06}" if n % 1_000_000 else ""
    )


def data_write(path: Path, times: int) -> int:
    """Fill the tables of a migrated SQLite file; how many rows there are then."""
    with sqlite3.connect(path) as database:
        database.execute(PRICES)
    once = {"auth_user", "kb_tags", "kb_error_codes"}
    return rows_write(path, {table: rows * (1 if table in once else times) for table, rows in ROWS.items()})


def rows_write(path: Path, counts: Mapping[str, int]) -> int:
    """Fill these tables of a migrated SQLite file with so many rows each; how many rows they have then."""
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA foreign_keys = OFF")
        for function, arguments in ((text, 2), (entry_id, 1), (moment, 1), (number, 1)):
            database.create_function(function.__name__, arguments, function, deterministic=True)
        database.execute("BEGIN")
        for table, rows in counts.items():
            series = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
            database.execute(f"{series} {STATEMENTS[table]}")
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return sum(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in counts)


_SOME_ENTRY = f"entry_id(number(i) % {ENTRIES} + 1)"
STATEMENTS = {
    "auth_user": "INSERT INTO auth_user SELECT i + 1000, 'x', NULL, 0, 'user' || i, 'Möller', 'u' || i || '@example.org', "
    "i % 2, 1, moment(i), 'Zoë' FROM n",
    "kb_tags": "INSERT INTO kb_tags SELECT i + 1000, 'bench-' || i, moment(i) FROM n",
    "kb_error_codes": "INSERT INTO kb_error_codes SELECT i + 5000, 'BNCH' || i, 'other', text(i, 60) FROM n",
    "kb_entries": "INSERT INTO kb_entries (id, title, problem, solution, problem_html, solution_html, category, severity, "
    "status, origin, usage_count, success_count, failure_count, last_used_at, version, created_at, updated_at, "
    "created_by_id, updated_by_id) SELECT entry_id(i), 'Entry ' || i || text(i, 40), text(i, 300), text(i + 5, 500), '', '', "
    "'JCL', 'high', 'published', 'person', number(i) % 900, i % 50, i % 9, iif(i % 3, moment(i), NULL), 1 + i % 4, "
    "moment(i), moment(i + 1), 1001 + i % 1000, NULL FROM n",
    "kb_entry_tags": f"INSERT INTO kb_entry_tags SELECT i + 1000, entry_id(i % {ENTRIES} + 1), 1001 + i / {ENTRIES} FROM n",
    "kb_entry_codes": f"INSERT INTO kb_entry_codes SELECT i + 9000, i % 5, entry_id(i % {ENTRIES} + 1), 5001 + i / {ENTRIES} FROM n",
    "search_history": "INSERT INTO search_history (id, query, normalized, filters, result_count, elapsed_ms, searcher, "
    "created_at, opened_entry_id, user_id) SELECT i + 9000, text(i, 20 + i % 30), 'abend s0c7 ' || i, "
    '\'{"category": "JCL", "tag": [\' || i || \', 1.50], "ü": null}\', number(i) % 200, number(i) / 1e7 + i / 3.0, '
    f"'session:' || number(i), moment(i), iif(i % 4, NULL, {_SOME_ENTRY}), iif(i % 2, 1001 + i % 1000, NULL) FROM n",
    "usage_metrics": "INSERT INTO usage_metrics (id, day, views, worked, failed, views_total, entry_id) "
    f"SELECT i + 9000, date('2020-01-01', (i / {ENTRIES}) || ' days'), i % 90, i % 7, i % 3, i % 3000, entry_id(i % {ENTRIES} + 1) FROM n",
    "kb_search_terms": "INSERT INTO kb_search_terms SELECT i + 9000, 'term' || i, number(i) % 1000 FROM n",
    "kb_search_grams": "INSERT INTO kb_search_grams SELECT i + 9000, 'gram' || i, 'größe' || (i / 3) FROM n",
    "bench_prices": "INSERT INTO bench_prices SELECT i, (number(i) % 100000000) / 100.0, "
    "iif(i % 2, (number(i) % 1000000) / 1000000.0, NULL), text(i, 40), moment(i) FROM n",
}


if __name__ == "__main__":
    print(data_write(Path(sys.argv[1]), int(sys.argv[2])))
