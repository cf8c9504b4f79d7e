"""How fast a file of entries with tags comes in, on both databases, and how much memory that takes.

KB_BENCH_ENTRIES=n sets the number (100,000). Each figure is a process of its own on a new site, in one run:

* ours: `kb import` of a CSV file: read, checked, duplicates looked for, entries with tags, codes, rendered
  texts, search index and the journal for the way back.
* django-import-export with `use_bulk`, as it comes: rows alone, for it leaves tags out.
* the same brought to the same end: tags linked in bulk, texts rendered, codes found, index filled.
* a bare bulk insert of the same rows and tags.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.sites import Site, site_drop, site_new

COLUMNS = ("id", "title", "problem", "solution", "category", "severity", "status", "tags")
WAYS = ("ours", "stock", "stock_whole", "bare")
BATCH_ROWS = 1_000


def main() -> None:
    entries = int(os.environ.get("KB_BENCH_ENTRIES", "100000"))
    for vendor in os.environ.get("KB_BENCH_DATABASES", "sqlite,postgresql").split(","):
        with tempfile.TemporaryDirectory(prefix="kb-bench-") as folder:
            file = Path(folder) / "entries.csv"
            load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
            print(f"\nImport, {entries:,} entries with tags on {vendor} (load of the machine {load})", flush=True)
            print_figures({way: measured(vendor, Path(folder) / way, way, file, entries) for way in WAYS})


def measured(vendor: str, folder: Path, way: str, file: Path, entries: int) -> dict[str, float]:
    """Seconds, seconds of the processor and megabytes of one way on a new site."""
    site: Site = site_new(vendor, folder)
    try:
        site.manage("migrate", "--verbosity=0")
        if not file.exists():
            site.python("-m", "tests.bench.transfer", "write", str(entries), str(file), timeout_seconds=3_600)
        done = site.python("-m", "tests.bench.transfer", way, str(entries), str(file), timeout_seconds=3_600)
    finally:
        site_drop(site)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    rate = entries / found["seconds"]
    print(f"  {way}: {rate:,.0f} entries/s, {found['seconds']:.1f} s, {found['cpu']:.1f} s of its processor time, "
          f"{found['mb']:.0f} MB at most", flush=True)  # fmt: skip
    return found


def print_figures(found: dict[str, dict[str, float]]) -> None:
    ours = found["ours"]
    if "eta_wrong" in ours:
        print(
            f"  the time left that ours told from the first tenth to the last was at most {ours['eta_wrong']:.0%} wrong"
        )
    for way, what in (
        ("stock_whole", "django-import-export with use_bulk, brought to the same end"),
        ("stock", "django-import-export with use_bulk, rows alone"),
        ("bare", "a bare bulk insert of rows and tags"),
    ):
        clock, processor = (found[way][unit] / ours[unit] for unit in ("seconds", "cpu"))
        print(f"  ours is {clock:.2f} times as fast as {what} ({processor:.2f} by its own processor time)")


def write(entries: int, file: Path) -> None:
    """The file that every way reads."""
    from tests.corpus import Corpus

    corpus = Corpus(entries)
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for number in range(entries):
            values, tags, _codes = corpus.entry(number)
            writer.writerow([*(str(values[name]) for name in COLUMNS[:-1]), ", ".join(tags)])


def ours(_entries: int, file: Path) -> dict[str, float]:
    """As a run; by how much the time that the console said would be left was wrong, after the first tenth."""
    from knowledge.transfer.jobs import import_create
    from knowledge.transfer.options import ImportOptions
    from knowledge.transfer.tasks import import_enqueue
    from migrations_ops.models import RunState, StepRecord, StepState
    from migrations_ops.reports import step_report
    from migrations_ops.runner import run_inline

    job = import_create(path=file, options=ImportOptions(), actor="bench")
    run = import_enqueue(job=job, actor="bench", inline=True)
    looks: list[tuple[float, float]] = []

    def look() -> None:
        record = StepRecord.objects.filter(run=run, state=StepState.RUNNING).first()
        report = step_report(record) if record else {}
        if report.get("rows_total") and 0.1 <= report["rows_done"] / report["rows_total"] <= 0.9:
            looks.append((time.perf_counter(), report["eta_seconds"]))

    while (run := run_inline(run.pk, watch=look)).state not in {RunState.SUCCEEDED, RunState.FAILED}:
        pass
    assert run.state == RunState.SUCCEEDED, run.error
    ended = time.perf_counter()
    return {"eta_wrong": max(abs(left / (ended - moment) - 1) for moment, left in looks)} if looks else {}


def stock(entries: int, file: Path) -> None:
    import tablib
    from import_export.resources import ModelResource

    from knowledge.models import Entry

    class EntriesInBulk(ModelResource):
        class Meta:
            model = Entry
            fields = COLUMNS[:-1]
            use_bulk = True
            batch_size = BATCH_ROWS

    with file.open(encoding="utf-8", newline="") as text:
        dataset = tablib.Dataset().load(text, format="csv")
    EntriesInBulk().import_data(dataset, raise_errors=True)


def stock_whole(entries: int, file: Path) -> None:
    from knowledge.entries import entries_refresh
    from knowledge.models import Entry

    stock(entries, file)
    tags_linked(file)
    entries_refresh(Entry.objects.order_by("pk").values_list("pk", flat=True))


def bare(entries: int, file: Path) -> None:
    from knowledge.models import Entry

    for some in rows(file):
        Entry.objects.bulk_create([Entry(pk=row["id"], **{name: row[name] for name in COLUMNS[1:-1]}) for row in some])
    tags_linked(file)


def rows(file: Path) -> Any:
    from itertools import islice

    with file.open(encoding="utf-8", newline="") as text:
        reader = csv.DictReader(text)
        while some := list(islice(reader, BATCH_ROWS)):
            yield some


def tags_linked(file: Path) -> None:
    from knowledge.models import EntryTag, Tag

    known: dict[str, int] = {}
    for some in rows(file):
        names = {name for row in some for name in row["tags"].split(", ")} - known.keys()
        known |= {tag.name: tag.pk for tag in Tag.objects.bulk_create([Tag(name=name) for name in sorted(names)])}
        EntryTag.objects.bulk_create(
            [EntryTag(entry_id=row["id"], tag_id=known[name]) for row in some for name in row["tags"].split(", ")]
        )


if __name__ == "__main__":
    if sys.argv[1:]:
        import django

        django.setup()
        work: Callable[[int, Path], dict[str, float] | None] = globals()[sys.argv[1]]
        began, cpu = time.perf_counter(), time.process_time()
        more = work(int(sys.argv[2]), Path(sys.argv[3])) or {}
        took, used = time.perf_counter() - began, time.process_time() - cpu
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": took, "cpu": used, "mb": most, **more}))
    else:
        main()
