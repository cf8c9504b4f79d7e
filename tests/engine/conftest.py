"""A site in this process whose phases above MVP1 are closed, as after the first `migrate`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrations_ops.gate import site_level_set
from migrations_ops.phase import phases
from migrations_ops.schema import app_close, app_open, ddl_transaction


@pytest.fixture
def closed_site(transactional_db: None, settings: pytest.FixtureDef, tmp_path: Path) -> Iterator[Path]:
    """MVP1 with an empty folder for checkpoints; the phases' tables come back for other tests."""
    settings.OPS_CHECKPOINT_DIR = tmp_path / "checkpoints"
    settings.OPS_REHEARSAL_DIR = tmp_path / "rehearsals"
    higher = [phase for phase in phases() if phase.level > 1]
    with ddl_transaction():
        for phase in reversed(higher):
            app_close(phase.app_label)
        site_level_set(1)
    yield tmp_path
    with ddl_transaction():
        for phase in higher:
            app_open(phase.app_label)
        site_level_set(1)
