"""The file that says where the site's database is."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from migrations_ops.errors import PlaceDamagedError, PlaceOrderError, PlaceSecretError
from migrations_ops.place.addresses import database_settings, database_url, url_without_password
from migrations_ops.place.pointer import (
    FILE,
    KNOWN,
    Place,
    default_settings,
    place_of_settings,
    place_prepared,
    place_read,
    place_settings,
    place_stamp,
    place_write,
    places_prepared_clear,
    site_id,
)
from migrations_ops.place.secrets import password_open, password_seal

URL = "postgresql://ada:s%3Acret%40%2F@db.example.org:5433/kb?sslmode=require"
SITE = "0" * 32
HERE = Place(epoch=1, url="sqlite:kb.sqlite3", site=SITE)


def sealed(password: str) -> str:
    return password_seal(password, secret_key="key")


def test_without_a_file_the_site_has_never_been_moved(tmp_path: Path) -> None:
    assert place_read(tmp_path) is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    place = Place(epoch=1, url="postgresql://ada@db/kb", secret=sealed("secret"), site=SITE)
    place_write(tmp_path, place)
    assert place_read(tmp_path) == place
    assert [path.name for path in tmp_path.iterdir()] == ["database.json"]


def test_others_cannot_read_the_file(tmp_path: Path) -> None:
    place_write(tmp_path, Place(epoch=1, url="sqlite:kb.sqlite3"))
    assert (tmp_path / "database.json").stat().st_mode & 0o077 == 0


def test_the_same_place_can_be_written_again_and_an_older_one_cannot(tmp_path: Path) -> None:
    place = Place(epoch=2, url="sqlite:kb.sqlite3")
    place_write(tmp_path, place)
    stamp = place_stamp(str(tmp_path / "database.json"))
    place_write(tmp_path, place)
    assert place_stamp(str(tmp_path / "database.json")) == stamp
    for epoch in (0, 1, 2):
        with pytest.raises(PlaceOrderError):
            place_write(tmp_path, Place(epoch=epoch, url="sqlite:other.sqlite3"))
    assert place_read(tmp_path) == place


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"epoch": 1}', '{"epoch": "1", "url": "sqlite:kb"}', '{"epoch": 1, "url": "x", "y": 1}']
)
def test_a_damaged_file_is_named_and_never_ignored(tmp_path: Path, content: str) -> None:
    (tmp_path / "database.json").write_text(content)
    with pytest.raises(PlaceDamagedError, match=r"database\.json"):
        place_read(tmp_path)


def test_what_a_killed_mover_has_prepared_goes_with_the_next_one_and_at_a_start_when_it_is_old(tmp_path: Path) -> None:
    left = tmp_path / f"{FILE}.0badcafe"
    left.write_text("{}")
    places_prepared_clear(tmp_path, older_than=timedelta(minutes=10))
    assert left.exists()
    with place_prepared(tmp_path, HERE) as prepared:
        assert not left.exists()
        place_write(tmp_path, HERE, prepared)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    left.write_text("{}")
    os.utime(left, (0, 0))
    places_prepared_clear(tmp_path, older_than=timedelta(minutes=10))
    assert place_read(tmp_path) == HERE and not left.exists()


def test_a_file_that_names_no_database_of_ours_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(PlaceDamagedError):
        place_settings(Place(epoch=1, url="mysql://db/kb"), tmp_path)


def test_the_file_counts_for_more_than_the_variable(tmp_path: Path) -> None:
    before = default_settings(URL, tmp_path, secret_key="key", passwords={})
    assert (before["HOST"], before[KNOWN].epoch, before[KNOWN].stamp) == ("db.example.org", 0, None)
    place_write(tmp_path, Place(epoch=1, url="sqlite:kb.sqlite3", site=SITE))
    after = default_settings(URL, tmp_path, secret_key="key", passwords={})
    assert after["NAME"] == tmp_path / "kb.sqlite3"
    assert (after[KNOWN].epoch, after[KNOWN].site) == (1, SITE)
    assert after[KNOWN].stamp == place_stamp(str(tmp_path / "database.json"))


def test_a_password_is_sealed_and_opened_with_the_same_key_only() -> None:
    secret = sealed("s:cret@/")
    assert "cret" not in secret
    assert password_open(secret, secret_key="key", passwords={}) == "s:cret@/"
    with pytest.raises(PlaceSecretError, match="another secret key"):
        password_open(secret, secret_key="other", passwords={})
    with pytest.raises(PlaceSecretError):
        password_open(secret[:-5], secret_key="key", passwords={})


def test_a_password_can_stay_in_the_environment() -> None:
    assert password_open("env:KB_X", secret_key="key", passwords={"KB_X": "secret"}) == "secret"
    with pytest.raises(PlaceSecretError, match="KB_X is not set"):
        password_open("env:KB_X", secret_key="key", passwords={})


def test_a_place_does_not_show_its_secret() -> None:
    assert "token" not in repr(Place(epoch=1, url="sqlite:kb", secret="token"))


@pytest.mark.parametrize(
    ("url", "bare", "password"),
    [
        (URL, "postgresql://ada@db.example.org:5433/kb?sslmode=require", "s:cret@/"),
        ("postgresql://db/kb", "postgresql://db/kb", ""),
        ("postgresql://ada@db/kb?password=x%20y&sslmode=require", "postgresql://ada@db/kb?sslmode=require", "x y"),
        ("postgresql://:p@db/kb", "postgresql://db/kb", "p"),
        ("sqlite:///data/kb.sqlite3", "sqlite:///data/kb.sqlite3", ""),
    ],
)
def test_the_password_is_taken_out_of_a_url(url: str, bare: str, password: str) -> None:
    assert url_without_password(url) == (bare, password)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "postgresql://ada@[::1]:5432/knowledge%20base",
        "postgresql:///kb?host=%2Frun%2Fpostgresql",
        "postgresql://ada:secret@db/kb?options=-csearch_path%3Dx",
        "sqlite:///somewhere/kb%20two.sqlite3",
        "sqlite:kb.sqlite3",
        None,
    ],
)
def test_settings_and_url_are_two_ways_to_say_the_same(tmp_path: Path, url: str | None) -> None:
    settings = database_settings(url, tmp_path)
    bare, password = database_url(settings, tmp_path)
    again = database_settings(bare, tmp_path)
    if password:
        assert password not in bare
        again["PASSWORD"] = password
    assert again == settings


def test_a_file_in_the_data_folder_moves_with_it(tmp_path: Path) -> None:
    place = place_of_settings(database_settings(None, tmp_path), tmp_path, epoch=1, site=SITE)
    assert place.url == "sqlite:kb.sqlite3"
    assert place_settings(place, Path("/elsewhere"))["NAME"] == Path("/elsewhere/kb.sqlite3")


def test_the_place_of_a_server_keeps_the_password_sealed(tmp_path: Path) -> None:
    place = place_of_settings(database_settings(URL, tmp_path), tmp_path, epoch=1, site=SITE)
    place_write(tmp_path, place)
    assert "s:cret" not in (tmp_path / "database.json").read_text()
    assert json.loads((tmp_path / "database.json").read_text())["url"].startswith("postgresql://ada@db.example.org")
    assert place_settings(place, tmp_path)["PASSWORD"] == "s:cret@/"


def test_a_data_folder_knows_which_site_it_belongs_to(tmp_path: Path) -> None:
    first = site_id(tmp_path)
    assert first == site_id(tmp_path)
    assert len(first) == 32
    assert [path.name for path in tmp_path.iterdir()] == ["site_id"]
