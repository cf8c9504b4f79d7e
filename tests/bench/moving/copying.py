"""The copy beside other ways to bring the same rows from SQLite into the same bare tables of PostgreSQL.

The limit is what PostgreSQL takes for files in binary form that were made beforehand, over two connections;
nothing that reads rows can be faster.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from django.core.management import call_command
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import atomic

from migrations_ops.move.copiers import Control, Copiers
from migrations_ops.move.filling import keys_make, target_finish
from migrations_ops.move.ranges import ranges_left, ranges_plan
from migrations_ops.move.target_schema import target_flush
from tests.bench.moving.processor import processor_seconds
from tests.bench.moving.world import World, load, url_of

ROUNDS = 2
BLOCK_BYTES = 128 * 1024
#: Rows of one table that the slow ways get.
FEW = 5_000


@dataclass(frozen=True)
class Measured:
    """One way."""

    way: str
    rows: int
    seconds: float
    #: Most memory of its largest process, in MB; 0 where that says nothing.
    megabytes: float = 0
    #: Processor time of everybody, the server included.
    processor: float = 0

    @property
    def rate(self) -> float:
        return max(self.rows, 1) / self.seconds

    @property
    def work(self) -> float:
        """Processor seconds a row."""
        return self.processor / max(self.rows, 1)


def measure(world: World) -> None:
    """Print the ways side by side."""
    files = world.folder / "files"
    with world.target() as target:
        copied(world, target, workers=2)
        files_made(world, target, files)
        later = finished(world, target)
    limit: list[Measured] = []
    ours: list[Measured] = []
    for _ in range(ROUNDS):
        limit.append(into_empty(world, lambda target: files_loaded(world, target, files)))
        ours.append(into_empty(world, lambda target: copied(world, target, workers=2)))
    one = into_empty(world, lambda target: copied(world, target, workers=1))
    ways = [best(limit), best(ours), one]
    if shutil.which("pgloader"):
        try:
            ways.append(into_empty(world, lambda target: by_pgloader(world, target)))
        except PgloaderError as error:
            print(f"pgloader failed and is left out: {error}", flush=True)
    if world.times == 1:
        ways += [
            into_empty(world, lambda target: naively(world, target)),
            into_empty(world, lambda target: by_fixture(world, target)),
        ]
    print_ways(ways)
    print(f"  keys, indexes, foreign keys, statistics afterwards, 2 workers: {later:.1f} s")


def best(rounds: list[Measured]) -> Measured:
    return min(rounds, key=lambda measured: measured.seconds)


def print_ways(ways: list[Measured]) -> None:
    limit, ours = ways[0], ways[1]
    print(f"\nCopy into bare tables (load of the machine {load()})")
    print(f"  {'':<44} {'seconds':>9} {'rows/s':>12}   per row: limit, ours; processor: s, limit, ours; memory")
    for each in ways:
        memory = f"{each.megabytes:6.0f} MB" if each.megabytes else " " * 9
        ratios = f"{limit.rate / each.rate:8.2f} x {ours.rate / each.rate:8.2f} x"
        used = f"{each.processor:8.1f} s {each.work / limit.work:8.2f} x {each.work / ours.work:8.2f} x"
        print(f"  {each.way:<44} {each.seconds:7.1f} s {each.rate:10,.0f}/s {ratios} {used} {memory}", flush=True)


def into_empty(world: World, way: Callable[[BaseDatabaseWrapper], Measured]) -> Measured:
    """One way into a database of its own, whose number of rows is looked at when it was to bring all of them."""
    with world.target() as target:
        before = processor_seconds(url_of(target))
        measured = way(target)
        measured = replace(measured, processor=processor_seconds(url_of(target)) - before)
        with target.cursor() as cursor:
            counts = 0
            for table in world.tables:
                cursor.execute(f'SELECT count(*) FROM "{table.name}"')
                counts += cursor.fetchone()[0]
        assert counts >= measured.rows, (measured, counts)
    return measured


# Ours -------------------------------------------------------------------------------------------


def copied(world: World, target: BaseDatabaseWrapper, *, workers: int) -> Measured:
    """With processes started, planned, and flushed at the end."""
    began = time.perf_counter()
    rows, most = 0, 0.0
    with Copiers(world.source, target, world.tables, workers) as copiers:
        copiers.start()
        ranges_plan(world.source, target, world.tables)
        for _order, answer in copiers.work(ranges_left(target), Control()):
            rows += answer["rows"]
            most = max(most, *(memory_of(pid) for pid in copiers.pids))
    target_flush(target)
    return Measured(f"ours, {workers} process{'es' if workers > 1 else ''}", rows, time.perf_counter() - began, most)


def memory_of(pid: int) -> float:
    """The most memory that a process has had, in MB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0


def finished(world: World, target: BaseDatabaseWrapper) -> float:
    began = time.perf_counter()
    for _ in (*keys_make(world.source, target, world.tables), *target_finish(world.source, target, world.tables)):
        pass
    return time.perf_counter() - began


# The limit --------------------------------------------------------------------------------------


def files_made(world: World, target: BaseDatabaseWrapper, files: Path) -> None:
    """Every table in pieces of about 20,000 rows, as PostgreSQL writes them."""
    files.mkdir()
    for table in world.tables:
        with target.cursor() as cursor:
            cursor.execute(f"SELECT count(*), pg_relation_size('{table.name}') / 8192 FROM \"{table.name}\"")
            rows, pages = cursor.fetchone()
            step = max(1, pages * 20_000 // max(rows, 1))
            for number, low in enumerate(range(0, pages, step)):
                names = ", ".join(f'"{name}"' for name in table.names)
                where = f"ctid >= '({low},0)'::tid AND ctid < '({low + step},0)'::tid"
                out = f'COPY (SELECT {names} FROM "{table.name}" WHERE {where}) TO STDOUT (FORMAT binary)'
                with (files / f"{table.name}.{number:04}").open("wb") as file, cursor.copy(out) as copy:
                    file.writelines(copy)


def files_loaded(world: World, target: BaseDatabaseWrapper, files: Path) -> Measured:
    columns = {table.name: ", ".join(f'"{name}"' for name in table.names) for table in world.tables}
    paths = sorted(files.iterdir(), key=lambda path: (-path.stat().st_size, path.name))
    work = [(url_of(target), str(path), columns[path.stem]) for path in paths]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_nothing, range(2)))
        began = time.perf_counter()
        rows = sum(pool.map(file_loaded, work))
        took = time.perf_counter() - began
    return Measured("the limit: COPY of ready files, 2 connections", rows, took)


def _nothing(_number: int) -> None:
    """Starts the processes."""


_open: dict[str, psycopg.Connection] = {}


def file_loaded(work: tuple[str, str, str]) -> int:
    """One file, one transaction."""
    url, path, columns = work
    if url not in _open:
        _open[url] = psycopg.connect(url, autocommit=True)
        _open[url].execute("SET synchronous_commit = off")
    with _open[url].transaction(), _open[url].cursor() as cursor:
        statement = f'COPY "{Path(path).stem}" ({columns}) FROM STDIN (FORMAT binary)'
        with Path(path).open("rb") as file, cursor.copy(statement) as copy:
            while block := file.read(BLOCK_BYTES):
                copy.write(block)
        return cursor.rowcount


# Others -----------------------------------------------------------------------------------------


class PgloaderError(Exception):
    """What it said at last."""


def by_pgloader(world: World, target: BaseDatabaseWrapper) -> Measured:
    """Rows only, into the same bare tables."""
    script = world.folder / "pgloader.load"
    tables = ", ".join(f"'{table.name}'" for table in world.tables)
    script.write_text(
        f"LOAD DATABASE FROM sqlite://{world.sqlite_path} INTO {url_of(target)} "
        "WITH data only, include no drop, create no tables, create no indexes, no foreign keys, reset no sequences "
        f"INCLUDING ONLY TABLE NAMES LIKE {tables};\n"
    )
    said = world.folder / "pgloader.out"
    began = time.perf_counter()
    with said.open("wb") as output:
        process = subprocess.Popen(["pgloader", script], stdout=output, stderr=subprocess.STDOUT)
        _pid, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise PgloaderError(said.read_text(errors="replace")[-300:])
    return Measured("pgloader, rows only", world.rows, took, usage.ru_maxrss / 1024)


def naively(world: World, target: BaseDatabaseWrapper) -> Measured:
    """A page of 500 rows at a time by LIMIT and OFFSET, and a statement for every row."""
    (table,) = (table for table in world.tables if table.name == "search_history")
    names, marks = ", ".join(f'"{name}"' for name in table.names), ", ".join(["%s"] * len(table.names))
    page = f'SELECT {names} FROM "{table.name}" ORDER BY "{table.key.name}" LIMIT 500 OFFSET %s'
    insert = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'
    offsets = [world.rows_of(table.name) - FEW + start for start in range(0, FEW, 500)]  # the last ones: OFFSET costs
    began = time.perf_counter()
    with world.source.cursor() as reader, target.cursor() as writer:
        for offset in offsets:
            with atomic(using=target.alias):
                for row in reader.execute(page, [offset]).fetchall():
                    writer.execute(insert, row)
    return Measured(f"LIMIT/OFFSET and INSERT, {FEW:,} rows", FEW, time.perf_counter() - began)


def by_fixture(world: World, target: BaseDatabaseWrapper) -> Measured:
    """Django's dumpdata and loaddata of some rows."""
    from knowledge.models import SearchQuery

    few = ",".join(
        map(str, SearchQuery.objects.using("bench-source").order_by("pk").values_list("pk", flat=True)[:FEW])
    )
    file = world.folder / "few.json"
    with target.cursor() as cursor:  # which it asks for
        cursor.execute("ALTER TABLE search_history ADD PRIMARY KEY (id)")
    began = time.perf_counter()
    call_command("dumpdata", "knowledge.searchquery", database="bench-source", primary_keys=few, output=str(file))
    call_command("loaddata", str(file), database="bench-target", verbosity=0)
    return Measured(f"dumpdata and loaddata, {FEW:,} rows", FEW, time.perf_counter() - began)
