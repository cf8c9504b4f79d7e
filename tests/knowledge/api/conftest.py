"""Fresh counters for every test."""

from __future__ import annotations

import pytest

from tests.rates import rates_clear


@pytest.fixture(autouse=True)
def _fresh_rates() -> None:
    rates_clear()
