"""The ledger of a move as files beside the database, for the download."""

from __future__ import annotations

import json
import os
from pathlib import Path

from django.conf import settings

from migrations_ops.models import Move
from migrations_ops.move.ledger import Ledger

FORMS = {"json": "application/json", "csv": "text/csv; charset=utf-8"}


def ledger_path(move: Move, form: str) -> Path:
    """Where the newest ledger of a move is, in one of FORMS."""
    return Path(settings.OPS_MOVE_DIR) / f"ledger-{move.plan_id}.{form}"


def ledger_keep(move: Move, ledger: Ledger) -> None:
    """Write the whole ledger in both forms; each takes its name when it is complete."""
    Path(settings.OPS_MOVE_DIR).mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(ledger_path(move, "json"), json.dumps(ledger.as_json(), indent=1, default=str))
    _write(ledger_path(move, "csv"), ledger.as_csv())


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)
