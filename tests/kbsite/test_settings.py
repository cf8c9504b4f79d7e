"""Settings by environment, in processes of their own."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.sites import Site, site_new

PRODUCTION = {"KB_PRODUCTION": "1", "KB_SECRET_KEY": secrets.token_urlsafe(64), "KB_ALLOWED_HOSTS": "kb.example.org"}


def site_with(folder: Path, **variables: str) -> Site:
    site = site_new("sqlite", folder / "site")
    return Site(site.vendor, site.data_dir, site.url, variables)


def setting(site: Site, expression: str) -> str:
    code = f"import django; django.setup(); from django.conf import settings; print({expression})"
    return site.python("-c", code).stdout.strip()


def test_the_deployment_check_finds_nothing_in_production(tmp_path: Path) -> None:
    done = site_with(tmp_path, **PRODUCTION).manage("check", "--deploy", "--fail-level", "WARNING")
    assert "no issues" in done.stdout


@pytest.mark.parametrize("missing", ["KB_SECRET_KEY", "KB_ALLOWED_HOSTS"])
def test_production_without_a_needed_variable_says_which(tmp_path: Path, missing: str) -> None:
    variables = {name: value for name, value in PRODUCTION.items() if name != missing}
    done = site_with(tmp_path, **variables).manage("check", check=False)
    assert done.returncode == 1
    assert f"{missing} is not set" in done.stderr


def test_production_refuses_debug(tmp_path: Path) -> None:
    done = site_with(tmp_path, **PRODUCTION, KB_DEBUG="1").manage("check", check=False)
    assert "KB_DEBUG" in done.stderr


def test_the_secret_key_of_a_try_out_is_random_private_and_kept(tmp_path: Path) -> None:
    site = site_with(tmp_path)
    first = setting(site, "settings.SECRET_KEY")
    assert setting(site, "settings.SECRET_KEY") == first
    assert len(first) > 50
    assert (site.data_dir / "secret_key").stat().st_mode & 0o077 == 0


def test_a_try_out_writes_nothing_outside_its_data_folder(tmp_path: Path) -> None:
    site = site_with(tmp_path)
    places = "settings.STATIC_ROOT, settings.CACHES['default']['LOCATION'], settings.OPS_CHECKPOINT_DIR"
    for place in setting(site, places).strip("()").split("PosixPath(")[1:]:
        assert str(site.data_dir) in place


def test_a_database_url_of_another_kind_is_refused(tmp_path: Path) -> None:
    site = Site("sqlite", tmp_path, "mysql://root@localhost/kb")
    done = site.manage("check", check=False)
    assert "mysql" in done.stderr
    assert "postgresql://" in done.stderr


def test_mail_has_a_server_and_a_sender_or_there_is_none(tmp_path: Path) -> None:
    url = "smtp+tls://kb%40example.org:s%2Fcret@mail.example.org"
    site = site_with(tmp_path, KB_MAIL_URL=url, KB_MAIL_FROM="kb@example.org", KB_SITE_URL="https://kb.example.org/")
    names = "EMAIL_HOST EMAIL_PORT EMAIL_HOST_USER EMAIL_HOST_PASSWORD EMAIL_USE_TLS EMAIL_USE_SSL MAIL_FROM SITE_URL"
    values = setting(site, f"*[getattr(settings, name) for name in '{names}'.split()]")
    assert values.split() == [
        "mail.example.org", "587", "kb@example.org", "s/cret", "True", "False", "kb@example.org", "https://kb.example.org",
    ]  # fmt: skip
    bare = site_with(tmp_path / "bare")
    assert setting(bare, "settings.MAIL_FROM, settings.EMAIL_BACKEND").split(".")[-2] == "dummy"


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"KB_MAIL_URL": "smtp://mail.example.org"}, "KB_MAIL_FROM is not set"),
        ({"KB_MAIL_URL": "mail.example.org", "KB_MAIL_FROM": "kb@example.org"}, "KB_MAIL_URL must look like"),
        ({"KB_MAIL_URL": "smtp://a:s3cret@b:x", "KB_MAIL_FROM": "kb@example.org"}, "KB_MAIL_URL must look like"),
    ],
)
def test_mail_that_cannot_work_says_why(tmp_path: Path, variables: dict[str, str], says: str) -> None:
    done = site_with(tmp_path, **variables).manage("check", check=False)
    assert done.returncode == 1 and says in done.stderr
