"""How long writers are held when the database moves, and what recording costs those who write.

    python -m tests.bench.cutover

1. Data as in tests.bench.moving.data on SQLite (ten times with KB_BENCH_LARGE=1), copied to PostgreSQL with
   fsync switched on.
2. 20 cut-overs there and 20 back while two processes write 200 rows a second and one reads, visitors read and
   vote on the site that is served meanwhile, and its worker has jobs; at the end every row that a writer was
   told of, every vote and every job is looked for.
3. A single-row insert and a vote on the site, with recording and without, in turns.

Costs are processor time of this process and of PostgreSQL's, in pairs with and without recording side by
side: the median of the pairs' differences and their middle half; holding times are on the clock, and all shown.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

from migrations_ops.place.addresses import database_settings
from tests.bench.site_users import jobs_print, visits_print, votes_of
from tests.engine.test_live import SETUP, shell
from tests.move.conftest import EVERY_LEVEL, alias_open
from tests.postgres import URL_VARIABLE, postgres_server
from tests.sites import Site, site_drop, site_new

CUTOVERS = 20
WRITES_PER_SECOND = 200
WRITERS = 2
SECONDS_BETWEEN = 0.5
PATIENCE = timedelta(seconds=1)
INSERT = "INSERT INTO kb_tags (name, created_at) VALUES (%s, '2024-01-01 00:00:00')"
ROUNDS = 10


def main() -> None:
    """Measure here, in a process that writes or reads, or in one with an environment of its own."""
    if sys.argv[1:2] == ["write"]:
        work(sys.argv[2:], write)
    elif sys.argv[1:2] == ["read"]:
        work(sys.argv[2:], read)
    elif sys.argv[1:2] == ["costs"]:
        django.setup()
        costs()
    elif sys.argv[1:2] == ["move"]:
        django.setup()
        moves(*sys.argv[2:])
    else:
        everything()


def everything() -> None:
    """Both parts, on sites of their own."""
    own_server = URL_VARIABLE not in os.environ
    server = postgres_server()
    if own_server:  # the server of the tests is fast because it may lose everything
        for statement in ("ALTER SYSTEM SET fsync = on", "ALTER SYSTEM SET full_page_writes = on"):
            server._execute(statement)
        server._execute("SELECT pg_reload_conf()")
    times = 10 if os.environ.get("KB_BENCH_LARGE") == "1" else 1
    with tempfile.TemporaryDirectory() as folder:
        sites = [site_new(vendor, Path(folder) / vendor) for vendor in ("sqlite", "postgresql")]
        for site in sites:
            site.manage("migrate", "--verbosity=0")
            site.python("-c", EVERY_LEVEL)
        path = sites[0].data_dir / "kb.sqlite3"
        site = Site("sqlite", sites[0].data_dir, "")  # which lives where its data folder says
        entry = shell(site, SETUP)
        with site.served() as served:  # before there are entries that it would have to index first
            fill(site, "-m", "tests.bench.moving.data", str(path), str(times))
            fill(site, "-m", "tests.bench.cutover", "move", str(path), sites[1].url, served.address, entry)
        site_drop(sites[1])
    for vendor in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as folder:
            site = site_new(vendor, Path(folder) / "site")
            site.manage("migrate", "--verbosity=0")
            fill(site, "-m", "tests.bench.cutover", "costs")
            site_drop(site)


def fill(site: Site, *command: str) -> None:
    """Run a program on a site and show what it prints."""
    print(site.python(*command, timeout_seconds=3_600).stdout, end="", flush=True)


def load() -> str:
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


# Cut-overs --------------------------------------------------------------------------------------


def moves(path: str, url: str, address: str, entry: str) -> None:
    """Copy, then move there and back under load, and print how long writers were held."""
    from django.conf import settings

    from migrations_ops.move.capture import capture_install
    from migrations_ops.move.tables import tables_moved
    from migrations_ops.place.pointer import place_of_settings, site_id

    sqlite, postgresql = alias_open("bench-sqlite", f"sqlite://{path}"), alias_open("bench-postgresql", url)
    tables = tables_moved(sqlite)
    began = time.perf_counter()
    capture_install(sqlite, tables)
    copied(sqlite, postgresql, tables)
    print(f"Copied in {time.perf_counter() - began:.0f} s; load {load()}")
    data_dir = Path(settings.DATA_DIR)
    places = [database_settings(each, data_dir) for each in (f"sqlite://{path}", url)]
    votes = votes_of(sqlite)
    with crowd(data_dir, path, url, [["visit", address, entry], ["queue"]]) as told:
        held, drained, again = [], 0, 0
        for number in range(2 * CUTOVERS):
            time.sleep(SECONDS_BETWEEN)
            source, target = (sqlite, postgresql) if number % 2 == 0 else (postgresql, sqlite)
            place = place_of_settings(places[1 - number % 2], data_dir, epoch=number + 1, site=site_id(data_dir))
            report = moved(source, target, tables, data_dir, place)
            held.append(report.held / timedelta(milliseconds=1))
            drained += report.drained
            again += report.tries - 1
    visits, jobs = told[-2:]
    del told[-2:]
    print(f"Writers held at {2 * CUTOVERS} cut-overs, {WRITES_PER_SECOND} writes a second, ms; load {load()}")
    figures("  SQLite to PostgreSQL", held[0::2])
    figures("  PostgreSQL to SQLite", held[1::2])
    print(f"  changes brought over while held: {drained / len(held):.1f} on average; tries given up: {again}")
    figures("  a write, all of the time", [each for part in told for each in part["milliseconds"] if part["names"]])
    figures("  a read, all of the time", [each for part in told for each in part["milliseconds"] if not part["names"]])
    outcome(
        sqlite, [name for part in told for name in part["names"]], [each for part in told for each in part["errors"]]
    )
    visits_print(sqlite, visits, votes)
    jobs_print(sqlite, jobs, data_dir)


def outcome(live: Any, told: list[str], errors: list[str]) -> None:
    """Compare what writers were told with what is there."""
    with live.cursor() as cursor:
        cursor.execute("SELECT name FROM kb_tags WHERE name LIKE 'load-%'")
        there = [name for (name,) in cursor.fetchall()]
    lost, doubled = set(told) - set(there), len(there) - len(set(there))
    unasked = set(there) - set(told)
    print(
        f"  {len(told)} writes told, {len(lost)} lost, {doubled} doubled, {len(unasked)} not told, {len(errors)} errors"
    )
    print("".join(f"  {error}\n" for error in errors[:5]), end="")


def figures(title: str, values: list[float]) -> None:
    """One line: median, 99 of 100, most."""
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(
        f"{title:<32} p50 {statistics.median(ordered):7.1f}  p99 {p99:7.1f}  max {ordered[-1]:7.1f}  of {len(ordered)}"
    )


def copied(source: Any, target: Any, tables: Any) -> None:
    """The rows of every table, one range after the other."""
    from migrations_ops.move.copying import range_copy
    from migrations_ops.move.drain import drain_to_end
    from migrations_ops.move.fence import mover_transaction
    from migrations_ops.move.ranges import ranges_left, ranges_plan, ranges_table
    from migrations_ops.move.sequences import sequences_read, sequences_write

    quoted = ", ".join(target.ops.quote_name(table.name) for table in tables)
    with target.cursor() as cursor:
        cursor.execute(f"TRUNCATE {quoted} CASCADE")
        cursor.execute("SET session_replication_role = replica")
    ranges_table(target)
    ranges_plan(source, target, tables)
    for key_range in ranges_left(target):
        range_copy(source, target, next(table for table in tables if table.name == key_range.table), key_range)
    with mover_transaction(target), target.cursor() as cursor:
        cursor.execute("SET session_replication_role = origin")
    with target.cursor() as cursor:
        cursor.execute("ANALYZE")
    drain_to_end(source, target, tables)
    sequences_write(target, tables, sequences_read(source, tables))


def moved(source: Any, target: Any, tables: Any, data_dir: Path, place: Any) -> Any:
    """One cut-over, after the return path was drained as every minute."""
    from migrations_ops.move.cutover import cutover
    from migrations_ops.move.return_path import return_drain

    if place.epoch > 1:
        return_drain(live=source, old=target, tables=tables, data_dir=data_dir)
    return cutover(
        source=source, target=target, tables=tables, place_new=place, data_dir=data_dir, patience=PATIENCE, tries=10
    )


@contextmanager
def crowd(data_dir: Path, path: str, url: str, users: list[list[str]]) -> Iterator[list[dict[str, Any]]]:
    """Writers, a reader and users of the site in processes of their own; what they were told, after the block."""
    places = [str(data_dir), path, url]
    direct = [["cutover", kind, *places] for kind in (*["write"] * WRITERS, "read")]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for module, *arguments in (*direct, *(["site_users", *user] for user in users))
    ]
    told: list[dict[str, Any]] = []
    try:
        for process in started:
            process.stdout.readline()  # it is at work
        yield told
    finally:
        told += [json.loads(process.communicate("")[0].splitlines()[-1]) for process in started]


def work(arguments: list[str], act: Callable[[Any, str], None]) -> None:
    """Write or read in an even rhythm until the input ends; print what came of it."""
    import select

    django.setup()
    from migrations_ops.place.pointer import place_read
    from migrations_ops.place.turnstile import Pass

    data_dir, path, url = arguments
    databases = {"bench-sqlite": alias_open("bench-sqlite", f"sqlite://{path}")}
    databases["bench-postgresql"] = alias_open("bench-postgresql", url)
    through, reading = Pass(Path(data_dir)), act is read
    names, milliseconds, errors = [], [], []
    pause, number = WRITERS / WRITES_PER_SECOND, 0
    print("ready", flush=True)
    following = time.perf_counter()
    while not select.select([sys.stdin], [], [], max(0, following - time.perf_counter()))[0]:
        following += pause
        name, began = f"load-{os.getpid()}-{number}", time.perf_counter()
        number += 1
        try:
            if not reading:
                through.take()
            place = place_read(Path(data_dir))
            act(databases["bench-postgresql" if place and not place.url.startswith("sqlite") else "bench-sqlite"], name)
        except Exception as error:  # noqa: BLE001 - printed
            errors.append(repr(error))
        else:
            names += [] if reading else [name]
        finally:
            through.give_back()
        milliseconds.append((time.perf_counter() - began) * 1_000)
    print(json.dumps({"names": names, "milliseconds": milliseconds, "errors": errors}))


def write(database: Any, name: str) -> None:
    """A single row, as a transaction of the site."""
    from django.db import transaction

    with transaction.atomic(using=database.alias), database.cursor() as cursor:
        cursor.execute(INSERT, [name])


def read(database: Any, name: str) -> None:
    """A page of entries."""
    with database.cursor() as cursor:
        cursor.execute("SELECT * FROM kb_entries WHERE status = 'published' ORDER BY updated_at DESC LIMIT 20")
        cursor.fetchall()


# Costs ------------------------------------------------------------------------------------------


def costs() -> None:
    """What recording adds to an insert and to a request, on this site's database."""
    from django.db import connection

    from migrations_ops.move.capture import capture_install, capture_remove
    from migrations_ops.move.tables import tables_moved

    bare: dict[bool, list[float]] = {False: [], True: []}
    votes: dict[bool, list[float]] = {False: [], True: []}
    vote = voting()

    for number in range(ROUNDS):
        for recorded in (number % 2 == 1, number % 2 == 0):  # what comes first changes: the machine may be on its way
            if recorded:
                capture_install(connection, tables_moved(connection))
            for _ in range(5):  # functions are compiled, plans are made
                vote()
            bare[recorded].append(inserting(2_000))
            votes[recorded].append(microseconds(vote, 40))
            if recorded:
                capture_remove(connection)
    print(f"Recording on {connection.display_name}, {ROUNDS} pairs; load {load()}")
    cost("a single-row insert in a transaction", bare)
    cost("a vote on the site, whole request", votes)


def cost(title: str, measured: dict[bool, list[float]]) -> None:
    """One line: what it takes, and what recording adds, the median of the pairs and the middle half of them."""
    without = statistics.median(measured[False])
    added = [recorded - plain for plain, recorded in zip(measured[False], measured[True], strict=True)]
    low, middle, high = statistics.quantiles(added, n=4)
    share = middle / without
    print(
        f"  {title:<38} {without:8.1f} us, recorded {middle:+7.1f} us ({low:+.1f} to {high:+.1f}), "
        f"{share:+6.1%} ({low / without:+.1%} to {high / without:+.1%})"
    )


def inserting(count: int) -> float:
    """Microseconds of one insert of a row, of many in one transaction: without the disk, without the network."""
    from django.db import connection, transaction

    prefix = f"bare-{time.perf_counter_ns()}-"
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            began = processor_seconds()
            cursor.execute(
                f"DO $$ BEGIN FOR number IN 1..{count} LOOP "
                f"INSERT INTO kb_tags (name, created_at) VALUES ('{prefix}' || number, now()); END LOOP; END $$"
            )
            return (processor_seconds() - began) / count * 1e6
        raw, sql = connection.connection, INSERT.replace("%s", "?")
        numbers = iter(range(count))
        return microseconds(lambda: raw.execute(sql, [f"{prefix}{next(numbers)}"]), count)


def voting() -> Callable[[], None]:
    """A function that votes on an entry as a new visitor, through every layer of the site."""
    from django.test import Client

    from tests.engine.builders import entry_made

    path = f"/entries/{entry_made().pk}/vote/"

    def vote() -> None:
        answer = Client(SERVER_NAME="127.0.0.1").post(path, {"worked": "yes"})
        assert answer.status_code in {200, 302}, answer.status_code

    return vote


def microseconds(act: Callable[[], None], count: int) -> float:
    """Processor time of a call, average of `count`."""
    began = processor_seconds()
    for _ in range(count):
        act()
    return (processor_seconds() - began) / count * 1e6


def processor_seconds() -> float:
    """What this process and the process of PostgreSQL that serves it have used of the processor."""
    from django.db import connection

    used = time.process_time()
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        statistics_file = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
        used += int(statistics_file.read_text().split()[0]) / 1e9
    return used


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kbsite.settings")
    main()
