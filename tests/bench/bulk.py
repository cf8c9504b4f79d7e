"""A million rows out of a site as an archive and into an empty one, on both databases; entries as CSV besides.

    python -m tests.bench.bulk

KB_BENCH_ROWS=n sets the number of rows (100,000, or 1,000,000 with KB_BENCH_LARGE=1): a tenth of them entries with
tags and codes, the others searches of the past. Each command is a process of its own, whose memory is its largest.
What the second site exports again has to be what the first one had, table by table.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from tests.bench.moving.data import rows_write
from tests.sites import Site, site_drop, site_new

LARGE = os.environ.get("KB_BENCH_LARGE") == "1"
ROWS = int(os.environ.get("KB_BENCH_ROWS", "1000000" if LARGE else "100000"))
VENDORS = os.environ.get("KB_BENCH_DATABASES", "sqlite,postgresql").split(",")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="kb-bench-") as name:
        folder = Path(name)
        print(f"\n{ROWS:,} rows out and in (load of the machine {os.getloadavg()[0]:.1f})", flush=True)
        first = site_new("sqlite", folder / "first")
        try:
            first.manage("migrate", "--verbosity=0")
            filled(first.data_dir / "kb.sqlite3")
            archive, entries = folder / "site.zip", folder / "entries.csv"
            command(first, "archive out of SQLite", ROWS, "export", "--format=archive", str(archive))
            command(first, "CSV of the entries out", ROWS // 10, "export", "--format=csv", str(entries))
        finally:
            site_drop(first)
        for vendor in VENDORS:
            site = site_new(vendor, folder / vendor)
            try:
                site.manage("migrate", "--verbosity=0")
                command(site, f"archive into {vendor}", ROWS, "import", str(archive))
                again = folder / f"{vendor}.zip"
                command(site, f"archive out of {vendor}", ROWS, "export", "--format=archive", str(again))
                assert tables(again) == tables(archive), f"{vendor} has other rows than it was given"
                command(site, f"the same entries as CSV into {vendor}", ROWS // 10, "import", str(entries))
            finally:
                site_drop(site)
        print("  what went out of each is what had come in")


def filled(path: Path) -> None:
    """Put the rows into a migrated SQLite file. Nobody wrote or opened them: accounts go into no archive."""
    few, entries = {"kb_tags": 200, "kb_error_codes": 500}, ROWS // 10
    rows_write(path, {**few, "kb_entries": entries, "search_history": ROWS - entries - sum(few.values())})
    with sqlite3.connect(path) as database:
        database.execute("UPDATE kb_entries SET created_by_id = NULL, origin = 'manual'")
        database.execute("UPDATE search_history SET user_id = NULL, opened_entry_id = NULL")


def command(site: Site, what: str, rows: int, *args: str) -> None:
    """Run `kb` in a process of its own and print how fast it was and how much memory it took."""
    began = time.perf_counter()
    process = site.spawn("manage.py", "kb", "--skip-checks", *args, "--json", stdout=-1, stderr=-1)
    with process.stdout as out, process.stderr as errors:  # type: ignore[union-attr]
        said, wrong = out.read(), errors.read()
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - began
    if process.returncode:
        sys.exit(f"{what}: ended with {process.returncode}\n{said[-2_000:]}\n{wrong[-2_000:]}")
    cpu = used.ru_utime + used.ru_stime
    print(
        f"  {what:<40} {rows / took:9,.0f} rows/s, {took:6.1f} s, {cpu:6.1f} s of processor, "
        f"{used.ru_maxrss / 1024:4.0f} MB, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def tables(archive: Path) -> dict[str, str]:
    """What each table of an archive holds, whatever the order of its rows."""
    found: dict[str, Any] = {}
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            if name.endswith(".jsonl"):
                with file.open(name) as lines:
                    found[name] = sum(int.from_bytes(hashlib.sha256(line).digest()[:16], "big") for line in lines)
    return {name: json.dumps(total) for name, total in found.items()}


if __name__ == "__main__":
    main()
