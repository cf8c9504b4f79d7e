"""verify: every row of both databases, foreign keys, sequences, and the answers to real questions.

1. The source is read in a snapshot; `catch_up` brings the target to exactly that state; the target is
   then read in a snapshot of its own. So it is right under load, and nobody waits.
2. One side leads: it reads a table in spans of keys and digests each column. The other side digests the
   same spans in a thread of its own meanwhile (migrations_ops.move.spans). Equal digests are equal values.
3. Where a digest differs, rows and fields are compared by meaning (migrations_ops.move.narrowing).
4. Foreign keys, sequences, and the questions of the phases (migrations_ops.move.parity).
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from migrations_ops.move.fence import mover_transaction
from migrations_ops.move.ledger import LISTED_PER_TABLE, Difference, DifferenceKind, Ledger, TableLedger
from migrations_ops.move.narrowing import differences_of
from migrations_ops.move.pages import pages_unmapped
from migrations_ops.move.parity import ParityQuery, parity_differences
from migrations_ops.move.sequences import sequences_write
from migrations_ops.move.soundness import (
    foreign_keys,
    foreign_keys_broken,
    largest_key,
    sequence_compared,
    sequence_next,
)
from migrations_ops.move.spans import Chunk, Digests, Side
from migrations_ops.move.spans_postgresql import PostgresqlSide
from migrations_ops.move.spans_sqlite import SqliteSide
from migrations_ops.move.tables import Table
from migrations_ops.move.values import rows_delete, rows_fetch, rows_write

#: Spans that the leading side may be ahead; each holds its JSON in memory.
AHEAD = 4
#: Rows that are copied again in one transaction.
RECOPY_ROWS = 500


@dataclass(frozen=True, kw_only=True)
class VerifyProgress:
    """How far a verification is."""

    table: str
    rows_done: int
    rows_total: int
    differences: int


def verify(
    source: BaseDatabaseWrapper,
    target: BaseDatabaseWrapper,
    tables: tuple[Table, ...],
    *,
    heartbeat: Callable[[], None] = lambda: None,
    progress: Callable[[VerifyProgress], None] = lambda progress: None,
    catch_up: Callable[[], object] | None = None,
    queries: Iterable[ParityQuery] = (),
    known: Sequence[TableLedger] = (),
) -> Ledger:
    """The ledger of both databases. Neither connection may be used by anything else meanwhile.

    `catch_up` is called once, inside the source's snapshot, and brings the target to it; the target's
    sequences follow. Without it the target must stand still as it is. `heartbeat` is called at every span and may
    raise to stop; `progress` after it. `known` are tables whose rows an earlier comparison has shown to be equal,
    and which nothing but `catch_up` has changed since: their rows are not read again.
    """
    ledger = Ledger(source=_place(source), target=_place(target), started_at=timezone.now())
    there = tuple(_tables_there(source, target, tables, ledger))
    with pages_unmapped(source), pages_unmapped(target), _snapshot(source):
        if catch_up is not None:
            catch_up()
        given = {table.name: sequence_next(source, table) for table in there}
        if catch_up is not None:
            _sequences_follow(target, there, given)
        with _snapshot(target):
            with _sides(source, target) as (ours, theirs):
                equal = {table.table: table for table in known}
                ledger.tables += [equal[table.name] for table in there if table.name in equal]
                for table in there:
                    if table.name in equal:
                        continue
                    _Comparison(ours, theirs, table, ledger).run(heartbeat, progress)
            _held_together(target, there, given, ledger, heartbeat)
            for found in parity_differences(queries, source.alias, target.alias):
                heartbeat()
                ledger.queries_compared += 1
                ledger.differences += [found] if found else []
    ledger.finished_at = timezone.now()
    return ledger


def rows_recopy(
    source: BaseDatabaseWrapper,
    target: BaseDatabaseWrapper,
    tables: tuple[Table, ...],
    differences: Iterable[Difference],
) -> int:
    """Copy the rows of these differences again, each transaction whole; how many rows there were.

    Raises the database's IntegrityError where a row cannot stand there, and ValueUnfitError.
    """
    by_name = {table.name: table for table in tables}
    keys: dict[str, dict[object, None]] = {}
    for difference in differences:
        if difference.kind in _ROW_KINDS and difference.table in by_name:
            keys.setdefault(difference.table, {})[difference.key] = None
    with mover_transaction(target):
        for name, wanted in keys.items():
            _recopied(source, target, by_name[name], list(wanted))
    return sum(len(wanted) for wanted in keys.values())


_ROW_KINDS = {DifferenceKind.CHANGED, DifferenceKind.MISSING, DifferenceKind.EXTRA}


def _recopied(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, table: Table, keys: list[object]) -> None:
    rows_delete(target, table, keys)  # all of them first: two rows may have swapped a unique value
    for start in range(0, len(keys), RECOPY_ROWS):
        rows_write(target, table, rows_fetch(source, table, keys[start : start + RECOPY_ROWS]))


def _sequences_follow(target: BaseDatabaseWrapper, tables: tuple[Table, ...], given: dict[str, int | None]) -> None:
    """Rows that a drain brought have their numbers already; the target's sequences go on behind them."""
    numbers = {
        table.name: max(following - 1, largest_key(target, table))
        for table in tables
        if (following := given[table.name]) is not None
    }
    with mover_transaction(target):
        sequences_write(target, tables, {name: number for name, number in numbers.items() if number > 0})


# The snapshots and their sides ------------------------------------------------------------------


@contextlib.contextmanager
def _snapshot(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """One state of the database for everything inside; nobody waits for it. Nothing can be written in it.

    A connection that the caller has put into a transaction already stays in that one.
    """
    if connection.in_atomic_block:
        yield
        return
    begin = "BEGIN" if connection.vendor == "sqlite" else "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    with connection.cursor() as cursor:
        cursor.execute(begin)
        cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")  # the first read takes the snapshot
    connection.in_atomic_block = True  # whoever reads through it begins no transaction of their own
    try:
        yield
    finally:
        connection.in_atomic_block = False
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("ROLLBACK")


@contextlib.contextmanager
def _sides(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper) -> Iterator[tuple[Side, Side]]:
    with contextlib.ExitStack() as stack:
        yield _side(stack, source), _side(stack, target)


def _side(stack: contextlib.ExitStack, connection: BaseDatabaseWrapper) -> Side:
    side: Side = SqliteSide(connection) if connection.vendor == "sqlite" else PostgresqlSide(connection)
    stack.callback(side.close)
    return side


def _place(connection: BaseDatabaseWrapper) -> str:
    """Where a database is, for a report; never with its password."""
    facts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite://{facts['NAME']}"
    host = f"{facts['HOST'] or 'localhost'}:{facts['PORT'] or 5432}"
    return f"postgresql://{facts['USER']}@{host}/{facts['NAME']}"


def _tables_there(
    source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, tables: tuple[Table, ...], ledger: Ledger
) -> Iterator[Table]:
    """The tables that both sides have; one that only one side has is a difference."""
    names = []
    for connection in (source, target):
        with connection.cursor() as cursor:
            names.append(set(connection.introspection.table_names(cursor)))
    for table in tables:
        if table.name in names[0] and table.name in names[1]:
            yield table
        else:
            words = ["there" if table.name in found else "not there" for found in names]
            ledger.differences.append(
                Difference(kind=DifferenceKind.TABLE, table=table.name, source=words[0], target=words[1])
            )


# One table --------------------------------------------------------------------------------------


class _Comparison:
    """One table of both sides. SQLite leads where there is one, so that its file is read once."""

    def __init__(self, source: Side, target: Side, table: Table, ledger: Ledger) -> None:
        self.source, self.target, self.table, self.ledger = source, target, table, ledger
        self.source_leads = source.vendor == "sqlite" or target.vendor != "sqlite"
        self.leader, self.follower = (source, target) if self.source_leads else (target, source)
        self.found = TableLedger(table=table.name)
        self.seal = hashlib.md5(usedforsecurity=False)

    def run(self, heartbeat: Callable[[], None], progress: Callable[[VerifyProgress], None]) -> None:
        """Compare every row and put the result into the ledger."""
        began = time.perf_counter()
        total = self.source.rows_count(self.table)
        with contextlib.closing(self._chunks()) as chunks:
            for chunk, digests in chunks:
                heartbeat()
                self._judge(chunk, digests)
                progress(self._progress(total))
        self.found.seal = self.seal.hexdigest()
        self.found.seconds = time.perf_counter() - began
        self.ledger.tables.append(self.found)

    def _progress(self, total: int) -> VerifyProgress:
        found = self.found
        return VerifyProgress(
            table=found.table, rows_done=found.rows_source, rows_total=total, differences=found.differences
        )

    def _chunks(self) -> Generator[tuple[Chunk, Digests]]:
        """Every chunk of the leader with the digests of the follower, which works in a thread of its own."""
        waiting: deque[tuple[Chunk, Future[Digests]]] = deque()
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="verify")
        try:
            for chunk in self.leader.chunks(self.table):
                waiting.append((chunk, thread.submit(self.follower.digests, self.table, chunk)))
                if len(waiting) > AHEAD:
                    yield _done(waiting)
            while waiting:
                yield _done(waiting)
        finally:
            thread.shutdown(cancel_futures=True)

    def _judge(self, chunk: Chunk, theirs: Digests) -> None:
        found, ours = self.found, chunk.digests
        found.spans += 1
        found.rows_source += ours.rows if self.source_leads else theirs.rows
        found.rows_target += theirs.rows if self.source_leads else ours.rows
        self.seal.update("".join(ours.columns).encode())
        columns = ours.differing(theirs, self.table)
        if not columns:
            return
        for difference in differences_of(self.source, self.target, self.table, chunk.span, columns):
            found.differences += 1
            if found.differences <= LISTED_PER_TABLE:
                self.ledger.differences.append(difference)


def _done(waiting: deque[tuple[Chunk, Future[Digests]]]) -> tuple[Chunk, Digests]:
    chunk, digests = waiting.popleft()
    return chunk, digests.result()


def _held_together(
    target: BaseDatabaseWrapper,
    tables: tuple[Table, ...],
    given: dict[str, int | None],
    ledger: Ledger,
    heartbeat: Callable[[], None],
) -> None:
    """Foreign keys of the target, whose rows are known to be the source's, and the sequences of both."""
    for broken in foreign_keys_broken(target, tables, heartbeat):
        ledger.differences += [broken] if broken else []
    ledger.foreign_keys_checked = len(list(foreign_keys(tables)))
    for table in tables:
        sequence = sequence_compared(given[table.name], target, table)
        if sequence is None:
            continue
        ledger.sequences.append(sequence)
        if not sequence.sound:
            ledger.differences.append(
                Difference(
                    kind=DifferenceKind.SEQUENCE,
                    table=table.name,
                    column=table.key.name,
                    source=f"next {sequence.source_next}",
                    target=f"next {sequence.target_next}",
                )
            )
