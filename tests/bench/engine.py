"""What the engine's journal, checkpoints and restores cost beside doing the same without them.

Prints ratios of alternatives measured in one run on this machine, best of three each; absolute times
say nothing on a shared machine. Without arguments it does so on a new site on each database.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import django

from tests.sites import site_drop, site_new

SEARCHES = 20_000
ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Measure here, or in a process of its own on each database."""
    if sys.argv[1:] == ["here"]:
        measure()
        return
    for vendor in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as folder:
            site = site_new(vendor, Path(folder) / "site")
            print(site.python("-m", "tests.bench.engine", "here", timeout_seconds=900).stdout, end="", flush=True)
            site_drop(site)


def measure() -> None:
    """Build a site, measure, print the table."""
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from knowledge.starter import starter_load
    from tests.engine.builders import searches_made

    call_command("migrate", verbosity=0)
    starter_load()
    searches_made(SEARCHES)
    rows = [*backfill(), *archive(), *restore()]
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"Engine on {connection.display_name}, {SEARCHES} searches, 215 entries; load {load}")
    for name, ours, other, against in rows:
        print(f"  {name:<46} {ours / other:6.2f} x  {against}")


def backfill() -> list[tuple[str, float, float, str]]:
    """The journaled backfill of a run against the same batches in bare transactions."""
    from django.db import connection, transaction

    from knowledge.phases.mvp2_analytics.models import SearchAnalytics
    from knowledge.phases.mvp2_analytics.searches import searches_add, searches_after
    from tests.engine.builders import run_back, run_up

    def bare() -> None:
        after, more = 0, True
        while more:
            with transaction.atomic():
                searches = searches_after(after)
                searches_add(searches)
            more = bool(searches)
            after = searches[-1].pk if more else after

    journaled, plain = [], []
    for _ in range(ROUNDS):
        run = run_up()
        step = run.steps.get(name="mvp2/backfill-searches")
        journaled.append((step.finished_at - step.started_at).total_seconds())
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {SearchAnalytics._meta.db_table}")
        plain.append(seconds(bare))
        run_back(run)
        forget_parked()
    return [("backfill in a run, journaled and fenced", min(journaled), min(plain), "the same batches without a run")]


def forget_parked() -> None:
    """Let the next round begin with empty tables."""
    from migrations_ops.models import Checkpoint

    Checkpoint.objects.filter(kind="parked").update(state="deleted")


def archive() -> list[tuple[str, float, float, str]]:
    """A checkpoint, read back, against Django's dumpdata of the same tables."""
    from django.core.management import call_command

    from migrations_ops.checkpoints import checkpoint_create, checkpoint_verify

    ours = min(
        seconds(lambda: checkpoint_verify(checkpoint=checkpoint_create(label="bench", actor="bench")))
        for _ in range(ROUNDS)
    )
    dump = min(seconds(lambda: call_command("dumpdata", "knowledge", stdout=io.StringIO())) for _ in range(ROUNDS))
    return [("checkpoint, written and read back", ours, dump, "dumpdata of the same tables, in memory")]


def restore() -> list[tuple[str, float, float, str]]:
    """A restore, verified, against Django's loaddata of the same rows."""
    from django.core.management import call_command

    from migrations_ops.checkpoints import checkpoint_create, checkpoint_restore
    from migrations_ops.schema import ddl_transaction

    checkpoint = checkpoint_create(label="bench", actor="bench")

    def ours() -> None:
        with ddl_transaction():
            checkpoint_restore(checkpoint=checkpoint)

    with tempfile.TemporaryDirectory() as folder:
        fixture = Path(folder) / "rows.json"
        with fixture.open("w") as file:
            call_command("dumpdata", "knowledge", stdout=file)
        mine = min(seconds(ours) for _ in range(ROUNDS))
        load = min(seconds(lambda: call_command("loaddata", str(fixture), verbosity=0)) for _ in range(ROUNDS))
    return [("restore, every row verified, index made again", mine, load, "loaddata of the same rows, unverified")]


if __name__ == "__main__":
    main()
