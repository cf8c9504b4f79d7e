"""The file that says where the site's database is: `database.json` in the data folder.

Without it the site lives where KB_DATABASE_URL says, or in the embedded SQLite file. A move writes it
and it counts for more than the variable from then on.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from migrations_ops.errors import PlaceDamagedError, PlaceOrderError
from migrations_ops.place.addresses import database_settings, database_url
from migrations_ops.place.secrets import password_open, password_seal

FILE = "database.json"
#: Under this name a database's settings hold what the site knew of the pointer when they were made.
KNOWN = "KB_PLACE"


@dataclass(frozen=True)
class Place:
    """Where a database is."""

    #: How often the site's database has been moved when it came here; 0 without a move.
    epoch: int
    #: Without the password; `sqlite:name` is a file in the data folder.
    url: str
    #: "" for none, "env:KB_X" for the password of the URL in that variable, or a sealed password.
    secret: str = field(default="", repr=False)
    #: Which site this is, 32 hexadecimal digits.
    site: str = ""


_TYPES = {"epoch": int, "url": str, "secret": str, "site": str}

#: Tells two states of a file apart: time of its last change in nanoseconds, and number. None: there is no file.
Stamp = tuple[int, int] | None


@dataclass(frozen=True)
class Known:
    """What settings of a database were made from."""

    #: The pointer file.
    path: str
    stamp: Stamp
    epoch: int
    site: str

    @property
    def folder(self) -> Path:
        """The site's data folder."""
        return Path(self.path).parent


def place_stamp(path: str) -> Stamp:
    """The state of the pointer file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - called for every query: Path costs three times as much
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino


def place_read(data_dir: Path) -> Place | None:
    """Where the site's database is, or None where it has never been moved. Raises PlaceDamagedError."""
    path = data_dir / FILE
    try:
        facts = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise PlaceDamagedError(path=path, reason=type(error).__name__) from error
    if not isinstance(facts, dict) or {name: type(value) for name, value in facts.items()} != _TYPES:
        raise PlaceDamagedError(path=path, reason="it does not hold what it should")
    return Place(**facts)


def place_write(data_dir: Path, place: Place, prepared: Path | None = None) -> None:
    """Make `place` the site's database: from this rename on it is the truth. Survives a crash of the machine.

    `prepared` is its file, where there is one (`place_prepared`). Writing the same place again changes nothing.
    Raises PlaceOrderError when it is not the next one.
    """
    known = place_read(data_dir)
    if known == place:
        return
    if place.epoch <= (known.epoch if known else 0):
        raise PlaceOrderError(epoch=place.epoch, known=known.epoch if known else 0)
    if prepared:
        _replace(prepared, data_dir / FILE)
        return
    with place_prepared(data_dir, place) as file:
        _replace(file, data_dir / FILE)


@contextmanager
def place_prepared(data_dir: Path, place: Place) -> Iterator[Path]:
    """What the pointer will hold, in a file beside it and safely on disk; it is gone after the block.

    So are those of movers that were killed. One that only hung finds nothing to rename then, which is well.
    """
    places_prepared_clear(data_dir)
    temporary = data_dir / f"{FILE}.{secrets.token_hex(4)}"
    try:
        _write(temporary, json.dumps(asdict(place), indent=1).encode())
        _folder_keep(data_dir)  # so that less is left for the rename to bring to the disk
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def places_prepared_clear(data_dir: Path, *, older_than: timedelta = timedelta(0)) -> None:
    """Remove what killed movers have prepared and not renamed. Without an age, for the only mover."""
    for path in data_dir.glob(f"{FILE}.*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime >= older_than.total_seconds():
                path.unlink()


def place_settings(
    place: Place,
    data_dir: Path,
    *,
    secret_key: str | None = None,
    passwords: Mapping[str, str] | None = None,
    stamp: Stamp = None,
) -> dict[str, Any]:
    """Django's settings of a place, with the password. Raises PlaceDamagedError, PlaceSecretError.

    The key and the passwords of the environment are the settings' own where they are not given.
    """
    try:
        settings = database_settings(place.url, data_dir)
    except (ImproperlyConfigured, ValueError) as error:
        raise PlaceDamagedError(path=data_dir / FILE, reason="it names no database that this release knows") from error
    if place.secret:
        settings["PASSWORD"] = password_open(
            place.secret,
            secret_key=secret_key if secret_key is not None else _secret_key(),
            passwords=passwords if passwords is not None else _passwords(),
        )
    settings[KNOWN] = Known(path=str(data_dir / FILE), stamp=stamp, epoch=place.epoch, site=place.site)
    return settings


def place_of_settings(settings: Mapping[str, Any], data_dir: Path, *, epoch: int, site: str) -> Place:
    """The place of a database whose settings Django has; its password sealed."""
    url, password = database_url(dict(settings), data_dir)
    secret = password_seal(password, secret_key=_secret_key())
    return Place(epoch=epoch, url=url, secret=secret, site=site)


def default_settings(
    url: str | None, data_dir: Path, *, secret_key: str, passwords: Mapping[str, str]
) -> dict[str, Any]:
    """The settings of `default`: where the pointer says, else where `url` says, else the embedded file."""
    path = str(data_dir / FILE)
    stamp = place_stamp(path)  # before the file is read: a later change is seen as one
    place = place_read(data_dir)
    if place:
        return place_settings(place, data_dir, secret_key=secret_key, passwords=passwords, stamp=stamp)
    return {**database_settings(url, data_dir), KNOWN: Known(path=path, stamp=None, epoch=0, site="")}


def site_id(data_dir: Path) -> str:
    """Which site this data folder belongs to; made up the first time."""
    path = data_dir / "site_id"
    if not path.exists():
        temporary = path.with_suffix(f".{secrets.token_hex(4)}")
        _write(temporary, secrets.token_hex(16).encode())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass  # another process of the site was quicker; its number counts
        finally:
            temporary.unlink()
    return path.read_text().strip()


def _secret_key() -> str:
    from django.conf import settings

    return str(settings.SECRET_KEY)


def _passwords() -> Mapping[str, str]:
    from django.conf import settings

    return dict(settings.DATABASE_PASSWORDS)


def _replace(file: Path, path: Path) -> None:
    """Survives a crash of the machine."""
    file.replace(path)
    _folder_keep(path.parent)


def _folder_keep(path: Path) -> None:
    """Have the names in a folder on the disk."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(path: Path, content: bytes) -> None:
    """A new file that only its owner reads, safely on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
