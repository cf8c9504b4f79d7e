"""Imports keep their files in a folder of the test."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _transfer_folder(tmp_path: Path, settings: Settings) -> None:
    settings.TRANSFER_DIR = tmp_path / "transfer"
