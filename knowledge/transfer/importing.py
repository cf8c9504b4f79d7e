"""A file becomes entries, and the archive of a site its other rows too: generators of batches, each of which
commits with the place it has come to.

`import_read` reads the file to its end; `import_check` decides about every row and writes none; `import_write`
decides in the same way and writes. A generator that was cut off begins again at the last committed cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby, islice
from typing import Any, TypeVar
from uuid import UUID

from django.db import DataError, IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from knowledge.errors import ImportGoneError, ImportRefusedError
from knowledge.models import Entry, Import
from knowledge.transfer.ahead import Ahead, texts_ahead
from knowledge.transfer.drafts import DraftReader
from knowledge.transfer.files import PREVIEWED, ROWS, SEEN, VERDICTS, import_folder
from knowledge.transfer.judging import LEFT_OUT, Judge, Judged, Verdict, by_verdict
from knowledge.transfer.options import ImportOptions, OnError
from knowledge.transfer.previewed import Previewed, previewed_opened
from knowledge.transfer.reading import FileKind, source_open
from knowledge.transfer.reading.rows import ENTRIES, column_named
from knowledge.transfer.reports import FailedRows, Report, verdict_lines
from knowledge.transfer.restoring.judging import TableJudge, TableRow
from knowledge.transfer.restoring.tables import KNOWN
from knowledge.transfer.restoring.writing import table_rows_write
from knowledge.transfer.seen import Seen, seen_opened
from knowledge.transfer.spool import SpooledRow, spool_rows, spool_write
from knowledge.transfer.writing import Labels, entries_write
from migrations_ops.move.pages import pages_unmapped
from migrations_ops.steps.base import Batch

BATCH_ROWS = 500
#: SQLite's cache of pages meanwhile.
WRITERS_CACHE_KIB = 20_000
START = {"place": 0, "offset": 0}
#: What is counted of rows that nothing reads.
UNREAD = "unread"
#: What is counted of rows of tables whose level is closed.
CLOSED = "closed"
Heartbeat = Callable[[], None]
_Row = TypeVar("_Row", Judged, TableRow)


def _silent() -> None:
    """Nobody waits for a sign of life."""


def import_read(job: Import, heartbeat: Heartbeat = _silent) -> dict[str, Any]:
    """Read the file of an import to its end and keep its rows; how many there are, by section.

    Done again after a crash, with the same result. Raises ImportUnreadableError, ImportTooLargeError.
    """
    folder = import_folder(job)
    source = source_open(folder / job.path)
    columns = [column_named(name) for name in source.columns()]
    facts = spool_write(source, folder / ROWS, heartbeat)
    return {"rows": facts.rows, "sections": facts.sections, "kind": source.kind.value, "columns": columns}


def import_check(
    job: Import, cursor: dict[str, Any] | None, heartbeat: Heartbeat = _silent, *, showing: bool = True
) -> Iterator[Batch]:
    """Decide about every row and write none; the report is in `preview`, the verdicts in a file.

    What it has shown of entries is remembered, so that the import leaves alone what people edit after it; not
    `showing`, it is itself a part of the import. The first batch only looks up what is there already, so that its caller can do without a transaction.
    """
    if cursor is None:
        yield _prepared(job, "preview", heartbeat, showing=showing)
        cursor = START
    opened = _work_opened(job, cursor, "preview", heartbeat, showing=showing)
    with opened as work, (work.folder / VERDICTS).open("ab") as file:
        file.truncate(work.cursor.get("verdicts", 0))
        for rows in work.batches():
            judged: list[Judged | TableRow] = []
            for section, some in _by_section(rows):
                judged += work.judged(section, some)
            file.write("".join(verdict_lines(judged)).encode())
            file.flush()
            yield work.done(rows, judged, verdicts=file.tell())


def import_write(job: Import, cursor: dict[str, Any] | None, heartbeat: Heartbeat = _silent) -> Iterator[Batch]:
    """Write the rows: each batch with its journal and its index in the transaction that the caller commits.

    The first batch writes nothing, as in a check. Raises ImportRefusedError when there are invalid rows and the
    options say to import nothing then.
    """
    if cursor is None:
        invalid_refused(job)
        yield _prepared(job, "report", heartbeat)
        cursor = START
    labels = Labels()
    with _work_opened(job, cursor, "report", heartbeat) as work, texts_ahead(job, work.folder / ROWS, cursor) as ahead:
        for rows in work.batches():
            judged: list[Judged | TableRow] = []
            for section, some in _by_section(rows):
                judged += _section_written(work, section, some, labels, ahead)
            yield work.done(rows, judged)


def _prepared(job: Import, field: str, heartbeat: Heartbeat, *, showing: bool = False) -> Batch:
    """Look up what is there already; where the first row stands."""
    with _work_opened(job, {}, field, heartbeat, showing=showing):
        return Batch(START)


def invalid_refused(job: Import) -> None:
    """Raises ImportRefusedError when an invalid row is to stop everything, and there is one or nobody looked."""
    if ImportOptions.of(job.options).on_error != OnError.STOP:
        return
    if not job.preview:
        raise ImportRefusedError(reason=_("the file was not checked before."))
    if invalid := Report(job.preview).invalid:
        reason = _("%(count)d row(s) are invalid, and you chose to import nothing then.")
        raise ImportRefusedError(reason=reason % {"count": invalid})


def _by_section(rows: list[SpooledRow]) -> Iterator[tuple[str, list[SpooledRow]]]:
    return ((section, list(some)) for section, some in groupby(rows, key=lambda one: one.row.section))


def _section_written(
    work: _Work, section: str, some: list[SpooledRow], labels: Labels, ahead: Ahead
) -> Sequence[Judged | TableRow]:
    """Decide about rows of one section and write them."""
    if section == ENTRIES:
        judged = work.judge.judged(some)
        found = by_verdict(judged)
        if new_first := [*found[Verdict.NEW], *found[Verdict.CHANGED]]:
            write = partial(entries_write, work.job, labels=labels, user=work.job.user, known=ahead.known(some))
            _written(new_first, write, labels.forget)
        return judged
    if ahead.begun:  # entries stand together, and are over
        ahead.end()
    table_rows = work.table_judged(section, some)
    _written(
        [row for row in table_rows if row.verdict in {Verdict.NEW, Verdict.CHANGED}],
        lambda rows: table_rows_write(work.job, rows, work.seen),
        labels.forget,
    )
    return table_rows


def _written(rows: list[_Row], write: Callable[[list[_Row]], None], forget: Callable[[], None]) -> None:
    """Write rows; what the database refuses is looked for by halves, and only that is left out."""
    if not rows:
        return
    try:
        with transaction.atomic():
            write(rows)
    except (DataError, IntegrityError) as error:
        forget()
        if len(rows) == 1:
            rows[0].verdict = Verdict.INVALID
            rows[0].reason = _("the database refused it: %(error)s") % {"error": str(error).strip()[:200]}
            return
        middle = len(rows) // 2
        _written(rows[:middle], write, forget)
        _written(rows[middle:], write, forget)


class _Work:
    """A pass over the rows of a file, and how far it is."""

    def __init__(
        self, job: Import, cursor: dict[str, Any], field: str, seen: Seen, previewed: Previewed, *, showing: bool
    ) -> None:
        if job.for_account and job.user is None:
            reason = _("the account of %(name)s, whose rights it had, is removed. Bring the file again.")
            raise ImportRefusedError(reason=reason % {"name": job.created_by})
        self.job, self.cursor, self.field = job, cursor, field
        self.folder = import_folder(job)
        self.report = Report(getattr(job, field) if cursor.get("place") else None)
        self.seen, exact = seen, job.kind == FileKind.ARCHIVE
        reader = DraftReader(ImportOptions.of(job.options), user=job.user, exact=exact)
        reader.unknown = self.report.unknown
        locking = field == "report"
        self.judge = Judge(reader, seen, previewed, locking=locking, showing=showing)
        self.tables = TableJudge(reader.options, seen, user=job.user, locking=locking) if exact else None
        name = "failed" if field == "report" else "invalid"
        self.failed = FailedRows(self.folder, name, job.kind, job.columns, cursor.get("failed", 0))

    def batches(self) -> Iterator[list[SpooledRow]]:
        """The rows after the cursor."""
        place, offset = self.cursor.get("place", 0), self.cursor.get("offset", 0)
        rows = spool_rows(self.folder / ROWS, place=place, offset=offset)
        while batch := list(islice(rows, BATCH_ROWS)):
            yield batch

    def judged(self, section: str, rows: list[SpooledRow]) -> Sequence[Judged | TableRow]:
        """What becomes of rows of one section."""
        return self.judge.judged(rows) if section == ENTRIES else self.table_judged(section, rows)

    def table_judged(self, section: str, rows: list[SpooledRow]) -> list[TableRow]:
        """What becomes of rows of a table; those of a closed level, or that nothing reads, are counted."""
        if self.tables is not None and section in self.tables.models:
            return self.tables.judged(section, rows)
        closed = self.tables is not None and section in KNOWN
        self.report.add(section, CLOSED if closed else UNREAD, count=len(rows))
        return []

    def done(self, rows: list[SpooledRow], judged: Sequence[Judged | TableRow], **more: int) -> Batch:
        """Count a batch, keep its failed rows, save the report; where to go on."""
        for one in judged:
            self.report.add(one.spooled.row.section, one.verdict.value, one.reason)
        self.failed.add(
            (one.spooled.row.number, one.spooled.row.values, one.reason)
            for one in judged
            if one.verdict in LEFT_OUT and one.spooled.row.section == ENTRIES
        )
        place, offset = rows[-1].place, rows[-1].offset
        self.cursor = {"place": place, "offset": offset, "failed": self.failed.size_bytes, **more}
        setattr(self.job, self.field, self.report.as_dict())
        self.job.save(update_fields=[self.field])
        return Batch(self.cursor, len(rows))


@contextmanager
def _work_opened(
    job: Import, cursor: dict[str, Any], field: str, heartbeat: Heartbeat, *, showing: bool = False
) -> Iterator[_Work]:
    """A pass that begins at the cursor. Raises ImportGoneError when the rows are no longer kept."""
    folder = import_folder(job)
    if not (folder / ROWS).exists():
        raise ImportGoneError(number=job.pk)

    def own() -> Iterator[tuple[int, UUID]]:
        written = job.rows.filter(table=Entry._meta.db_table).order_by("pk")
        for number, key in written.values_list("number", "key").iterator(chunk_size=2_000):
            yield number, UUID(key)

    def own_made() -> Iterator[bytes]:
        added = job.rows.filter(before__isnull=True, version__isnull=False).order_by("pk")
        for table, key in added.values_list("table", "key").iterator(chunk_size=2_000):
            yield UUID(key).bytes if table == Entry._meta.db_table else f"{table}:{key}".encode()

    name = SEEN if field == "report" else f"preview-{SEEN}"
    path = folder / name
    with (
        pages_unmapped(connection, cache_kib=WRITERS_CACHE_KIB),
        seen_opened(path, place=cursor.get("place"), heartbeat=heartbeat, own=own, own_made=own_made) as seen,
        previewed_opened(folder / PREVIEWED, anew=showing and not cursor) as previewed,
    ):
        yield _Work(job, cursor, field, seen, previewed, showing=showing)
