"""What it costs that writers pass a turnstile and connections follow the database.

Each row compares our backend with Django's own in the same process, taking turns, best of several
rounds, and says the difference for one operation. Counted is the time of the processor, which a busy
machine disturbs less than the clock on the wall; the work of a PostgreSQL server is not in it. Without
arguments it does so on a new site on each database.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import django

from tests.sites import site_drop, site_new

ROUNDS = 15


def main() -> None:
    """Measure here, or in a process of its own on each database."""
    if sys.argv[1:] == ["here"]:
        measure()
        return
    for vendor in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as folder:
            site = site_new(vendor, Path(folder) / "site")
            print(site.python("-m", "tests.bench.place", "here", timeout_seconds=900).stdout, end="", flush=True)
            site_drop(site)


def measure() -> None:
    """Build a site, measure, print the table."""
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.test.utils import setup_test_environment

    from knowledge.starter import starter_load

    settings.ALLOWED_HOSTS = ["*"]
    setup_test_environment()
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    call_command("migrate", verbosity=0)
    starter_load()
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\nTurnstile and following on {connection.display_name} (load of the machine {load})")
    for name, work, times in works():
        ours, plain = compared(work, times)
        cost = (ours - plain) / times * 1e6
        print(
            f"  {name:<44} {ours / plain:5.2f} x Django's own backend: {cost:+7.1f} µs to {plain / times * 1e6:8.1f} µs"
        )
    for name, work in parts():
        print(f"  {name:<44} {min(seconds(work, 20_000) for _ in range(ROUNDS)) / 20_000 * 1e6:5.2f} µs")


def works() -> list[tuple[str, Callable[[], object], int]]:
    """What is compared, and how often in one round."""
    from django.db import connection, transaction
    from django.test import Client

    from knowledge.models import Entry, Tag

    entry = Entry.objects.filter(status="published").first()
    assert entry
    reader, numbers = Client(), iter(range(10**9))

    def insert_raw() -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO kb_tags (name, created_at) VALUES (%s, '2020-01-01')", [f"r{next(numbers)}"])

    def insert_atomic() -> None:
        with transaction.atomic():
            insert_raw()

    return [
        ("request that reads (page of an entry)", lambda: reader.get(f"/entries/{entry.pk}/", follow=True), 20),
        ("request that writes (vote)", lambda: Client().post(f"/entries/{entry.pk}/vote/", {"worked": "yes"}), 20),
        ("one row read by the ORM", lambda: Tag.objects.filter(name="nothing").exists(), 300),
        ("one row written by the ORM", lambda: Tag.objects.create(name=f"o{next(numbers)}"), 200),
        ("one row written, raw", insert_raw, 300),
        ("one row written, raw, in atomic()", insert_atomic, 300),
    ]


def parts() -> list[tuple[str, Callable[[], object]]]:
    """What it consists of."""
    from django.db import connections

    from migrations_ops.place.follow import place_follow
    from migrations_ops.place.turnstile import Pass

    turn: Pass = connections["default"].turn

    def passed() -> None:
        turn.take()
        turn.give_back()

    return [("turnstile, both ways", passed), ("look at the pointer", place_follow)]


def compared(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Seconds for so many with our backend and with Django's."""
    from django.db import connections

    settings = connections.settings["default"]
    ours, plain = [], []
    engine = settings["ENGINE"]
    for _ in range(ROUNDS):
        for name, found in ((engine, ours), (f"django.db.backends.{engine.rpartition('.')[2]}", plain)):
            connections["default"].close()
            del connections["default"]
            settings["ENGINE"] = name
            work()
            found.append(seconds(work, times))
    connections["default"].close()
    del connections["default"]
    settings["ENGINE"] = engine
    return min(ours), min(plain)


def seconds(work: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
