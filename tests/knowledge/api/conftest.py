"""Fresh counters for every test."""

from __future__ import annotations

import pytest
from django.core.cache import caches


@pytest.fixture(autouse=True)
def _fresh_rates() -> None:
    caches["rates"].clear()
