"""Counts of requests, for tests that count them."""

from __future__ import annotations

import shutil

from django.conf import settings


def rates_clear() -> None:
    """Forget every request of the last minutes."""
    shutil.rmtree(settings.RATES_DIR, ignore_errors=True)
