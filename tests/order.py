"""In which order tests run, and which of them one database is enough for.

Tests of whole sites take up to a minute and wait a lot; begun last, they would leave the other
processes of the run without work. They begin first, dealt to the processes like cards.
"""

from __future__ import annotations

import pytest

#: Files of tests that take long and touch no shared database, the longest first; others lose no more than time.
LONG = (
    "engine/test_move.py",
    "engine/test_live.py",
    "engine/test_move_kill.py",
    "engine/test_move_live.py",
    "engine/test_kill.py",
    "engine/test_rehearsal.py",
    "place/test_live.py",
    "move/test_live.py",
    "search/test_parity.py",
    "search/test_index.py",
    "browser/test_story.py",
    "browser/test_accessibility.py",
)
#: Fixtures that give a test the database of the run.
SHARED = {"db", "transactional_db", "live_server"}
#: A test without any of these and without the mark is refused every database in this process.
OPENING = SHARED | {"django_db_setup", "unblocked", "vendor", "postgres_server"}


def long_first(items: list[pytest.Item], processes: int) -> list[pytest.Item]:
    """The tests such that each of the equal parts that the processes begin with starts with its share of the long ones."""
    ranked = [(_rank(item), item) for item in items]
    long = [item for _, item in sorted((pair for pair in ranked if pair[0] is not None), key=lambda pair: pair[0])]
    rest = [item for rank, item in ranked if rank is None]
    ordered: list[pytest.Item] = []
    for process in range(processes):
        size = (len(items) - len(ordered)) // (processes - process)
        share = long[process::processes]
        taken = size - len(share)
        ordered += [*share, *rest[:taken]]
        del rest[:taken]
    return ordered


def needs_database(item: pytest.Item) -> bool:
    """Whether this test may open any database in this process, or chooses one for its sites."""
    return _has(item, OPENING)


def takes_long(item: pytest.Item) -> bool:
    """Whether the test is in one of the files that take long."""
    return item.path.as_posix().endswith(LONG)


def _rank(item: pytest.Item) -> int | None:
    """The place of the test's file among the long ones; None for all others."""
    if _has(item, SHARED) and "browser" not in item.path.parts:
        return None  # what empties the shared database stays behind what only borrows it
    return next((rank for rank, name in enumerate(LONG) if item.path.as_posix().endswith(name)), None)


def _has(item: pytest.Item, fixtures: set[str]) -> bool:
    """Whether the test has pytest-django's mark or one of these fixtures."""
    return item.get_closest_marker("django_db") is not None or bool(fixtures & set(getattr(item, "fixturenames", ())))
