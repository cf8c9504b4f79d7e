"""Limits: requests in a minute of the clock."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from knowledge import rates
from knowledge.errors import RateLimitedError
from knowledge.rates import rate_take
from tests.rates import rates_clear

NOON = datetime(2025, 3, 4, 12, 0, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fresh_rates() -> None:
    rates_clear()


def test_the_limit_counts_each_key_for_itself_and_opens_with_the_next_minute() -> None:
    assert [rate_take(key="a", limit=2, at=NOON) for _ in range(2)] == [1, 0]
    with pytest.raises(RateLimitedError) as refused:
        rate_take(key="a", limit=2, at=NOON)
    assert refused.value.facts["seconds"] == 50
    assert rate_take(key="b", limit=2, at=NOON) == 1
    assert rate_take(key="a", limit=2, at=NOON + timedelta(seconds=50)) == 1


def test_requests_at_the_same_instant_are_each_counted() -> None:
    with ThreadPoolExecutor(8) as threads:
        left = list(threads.map(lambda _number: rate_take(key="a", limit=200, at=NOON), range(200)))
    assert sorted(left) == list(range(200))


def test_counts_of_minutes_that_are_over_go(settings: Settings) -> None:
    for minutes in range(4):
        rate_take(key="a", limit=9, at=NOON + timedelta(minutes=minutes))
    assert len(list(settings.RATES_DIR.iterdir())) == 2


def test_a_flood_of_callers_makes_no_flood_of_files(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_KEYS", 3)
    for caller in range(9):
        rate_take(key=f"caller {caller}", limit=1, at=NOON)
    (minute,) = settings.RATES_DIR.iterdir()
    assert len(list(minute.iterdir())) == 4
    with pytest.raises(RateLimitedError):
        rate_take(key="caller 2", limit=1, at=NOON)


def test_nobody_is_turned_away_because_the_disk_is_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_file: int, _byte: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    assert [rate_take(key="a", limit=1, at=NOON) for _ in range(3)] == [0, 0, 0]
    assert "not counted" in caplog.text
