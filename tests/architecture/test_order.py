"""Long tests begin first and no test is lost on the way."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from tests.order import long_first

LONG = ["engine/test_move.py", "engine/test_kill.py", "engine/test_live.py", "search/test_index.py"]
SHORT = [f"knowledge/test_{number}.py" for number in range(9)]


def test_every_process_begins_with_its_share_of_the_long_tests() -> None:
    ordered = [item.path.as_posix() for item in long_first([item(name) for name in SHORT + LONG], processes=3)]

    assert sorted(ordered) == sorted(f"tests/{name}" for name in SHORT + LONG)
    starts = [ordered[0], ordered[1], ordered[4], ordered[8]]
    assert starts == [f"tests/{name}" for name in (LONG[0], LONG[3], LONG[2], LONG[1])]


def item(name: str) -> SimpleNamespace:
    return SimpleNamespace(path=Path("tests") / name, fixturenames=[], get_closest_marker=lambda mark: None)
