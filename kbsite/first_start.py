"""What has to be there before the site can serve: tables, static files, starter entries, one administrator."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command, get_commands

from migrations_ops.place.pointer import places_prepared_clear

#: A file beside the pointer that is younger may be that of a mover at work.
PREPARED_KEPT = timedelta(minutes=10)


@dataclass(frozen=True)
class NewAdmin:
    """The administrator that was just created."""

    username: str
    #: The password where it was made up here, and so has to be shown once; empty where it was given.
    shown_password: str


def tables_prepare() -> None:
    """Bring the tables of every open level up to date."""
    call_command("migrate", verbosity=0, interactive=False)


def starter_load() -> None:
    """Load the starter knowledge base into a site that has no entry yet."""
    from knowledge.models import Entry

    if "kb" in get_commands() and not Entry.objects.exists():
        call_command("kb", "starter")


def admin_create() -> NewAdmin | None:
    """The first administrator, or None where the site has one already."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return None
    wanted = settings.FIRST_ADMIN
    made_up = "" if wanted["password"] else secrets.token_urlsafe(12)
    users.create_superuser(wanted["username"], wanted["email"], wanted["password"] or made_up)
    return NewAdmin(wanted["username"], made_up)


def leftovers_remove() -> None:
    """Remove what processes that were killed have left in the data folder."""
    places_prepared_clear(Path(settings.DATA_DIR), older_than=PREPARED_KEPT)


def static_collect() -> None:
    """Collect, hash and compress the static files, unless they are those of the last time."""
    root = Path(settings.STATIC_ROOT)
    stamp = root / ".fingerprint"
    fingerprint = _static_fingerprint()
    if stamp.exists() and stamp.read_text() == fingerprint:
        return
    call_command("collectstatic", verbosity=0, interactive=False)
    stamp.write_text(fingerprint)


def _static_fingerprint() -> str:
    digest = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
