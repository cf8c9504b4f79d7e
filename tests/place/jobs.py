"""Tasks for the queue of a served site."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.db import transaction


def job(number: int) -> None:
    """Note that this task ran, in a file and in the database."""
    from knowledge.models import Tag

    log = os.open(Path(settings.DATA_DIR) / "jobs.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, f"{number}\n".encode())
    os.close(log)
    with transaction.atomic():
        Tag.objects.create(name=f"job {number}")
