"""Limits: requests in a minute of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import caches

from knowledge.errors import RateLimitedError
from knowledge.rates import rate_take

NOON = datetime(2025, 3, 4, 12, 0, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fresh_rates() -> None:
    caches["rates"].clear()


def test_the_limit_counts_each_key_for_itself_and_opens_with_the_next_minute() -> None:
    assert [rate_take(key="a", limit=2, at=NOON) for _ in range(2)] == [1, 0]
    with pytest.raises(RateLimitedError) as refused:
        rate_take(key="a", limit=2, at=NOON)
    assert refused.value.facts["seconds"] == 50
    assert rate_take(key="b", limit=2, at=NOON) == 1
    assert rate_take(key="a", limit=2, at=NOON + timedelta(seconds=50)) == 1
