"""What a target is refused for, and what an operator is told about it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError

from migrations_ops.models import Finding, FindingStatus
from migrations_ops.move import target as target_module
from migrations_ops.move.target import target_checks
from migrations_ops.place.addresses import url_without_password
from migrations_ops.place.pointer import Place
from migrations_ops.place.secrets import password_seal
from tests.postgres import PostgresServer

pytestmark = pytest.mark.usefixtures("django_db_setup", "unblocked")
SITE = "5" * 32


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty PostgreSQL database."""
    made = postgres_server.create_database()
    yield made
    postgres_server.drop_database(made)


def place_of(url: str) -> Place:
    bare, password = url_without_password(url)
    secret = password_seal(password, secret_key=settings.SECRET_KEY) if password else ""
    return Place(epoch=1, url=bare, secret=secret, site=SITE)


def checked(url: str) -> dict[str, Finding]:
    return {finding.code: finding for finding in target_checks(place_of(url))}


def failed(url: str) -> dict[str, str]:
    return {code: one.evidence for code, one in checked(url).items() if one.status == FindingStatus.FAIL}


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def test_an_empty_postgresql_database_is_taken_and_what_is_noteworthy_is_told(url: str) -> None:
    found = checked(url)
    assert {code for code, one in found.items() if one.status == FindingStatus.FAIL} == set()
    assert len(found) == 13
    assert found["target_durability"].status == FindingStatus.WARN  # the server of the tests has fsync off
    assert "not encrypted" in found["target_tls"].evidence
    assert found["target_empty"].evidence == "The database is empty."
    assert "MB are needed" in found["target_room"].evidence


def test_a_server_that_does_not_answer_is_told_without_the_password() -> None:
    (finding,) = target_checks(place_of("postgresql://kb:very-secret@127.0.0.1:1/kb"))
    assert (finding.code, finding.status) == ("target_reachable", FindingStatus.FAIL)
    assert "refused" in finding.evidence
    assert "very-secret" not in finding.evidence + finding.remedy


def test_a_wrong_password_and_a_missing_database_are_told(url: str) -> None:
    wrong = url.replace(url.split(":")[2].split("@", maxsplit=1)[0], "wrong-password")
    assert "password authentication failed" in failed(wrong)["target_reachable"]
    assert "does not exist" in failed(f"{url}_missing")["target_reachable"]


def test_a_password_that_cannot_be_opened_is_told(url: str) -> None:
    bare, _ = url_without_password(url)
    (finding,) = target_checks(Place(epoch=1, url=bare, secret="gAAAAnonsense", site=SITE))
    assert (finding.code, finding.status) == ("target_reachable", FindingStatus.FAIL)


def test_tables_of_others_are_refused_and_what_this_site_left_is_not(url: str) -> None:
    execute(url, "CREATE TABLE ops_move_target (site varchar(64), state integer)", "CREATE TABLE kb_tags (id int)")
    execute(url, f"INSERT INTO ops_move_target VALUES ('{SITE}', 1)")
    assert failed(url) == {}
    assert "an earlier move of this site" in checked(url)["target_empty"].evidence
    execute(url, "UPDATE ops_move_target SET state = 2")
    assert "moved here before" in failed(url)["target_empty"]
    execute(url, f"UPDATE ops_move_target SET state = 1, site = '{'6' * 32}'")
    assert "another site (66666666…)" in failed(url)["target_empty"]
    execute(url, "DROP TABLE ops_move_target")
    assert "kb_tags" in failed(url)["target_empty"]


def test_another_encoding_is_refused(url: str, postgres_server: PostgresServer) -> None:
    name = f"kb_{secrets.token_hex(6)}"
    execute(url, f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        assert failed(postgres_server.url(name)) == {"target_encoding": "The encoding of the database is LATIN1."}
    finally:
        postgres_server.drop_database(postgres_server.url(name))


def test_an_account_that_may_not_create_tables_is_refused(url: str) -> None:
    role = f"kb_{secrets.token_hex(4)}"
    execute(url, f"CREATE ROLE {role} LOGIN PASSWORD 'x'", "REVOKE CREATE ON SCHEMA public FROM public")
    try:
        weak = url.replace("//kb:", f"//{role}:").replace(url.split(":")[2].split("@", maxsplit=1)[0], "x")
        assert set(failed(weak)) == {"target_rights"}
        execute(url, f"GRANT CREATE ON SCHEMA public TO {role}")
        assert failed(weak) == {}
        execute(url, f"REVOKE CREATE ON SCHEMA public FROM {role}")
    finally:
        execute(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_search_path_without_a_schema_is_refused(url: str) -> None:
    assert failed(f"{url}?options=-csearch_path%3Dnowhere")["target_rights"].startswith("No schema")


def test_a_database_that_takes_no_writes_is_refused_and_time_limits_are_told(url: str) -> None:
    assert set(failed(f"{url}?options=-cdefault_transaction_read_only%3Don")) == {"target_writable"}
    limited = checked(f"{url}?options=-cstatement_timeout%3D60000")["target_limits"]
    assert (limited.status, "statement_timeout = 1min" in limited.evidence) == (FindingStatus.WARN, True)


@pytest.mark.parametrize(
    ("name", "value", "code", "status"),
    [
        ("VERSION_LEAST", 99, "target_version", FindingStatus.FAIL),
        ("CONNECTIONS", 10_000, "target_connections", FindingStatus.FAIL),
        ("ROOM", {"postgresql": 1e12}, "target_room", FindingStatus.FAIL),
        ("CLOCK_SECONDS", -1.0, "target_clock", FindingStatus.WARN),
    ],
)
def test_what_is_too_old_full_small_or_late_is_told(
    name: str, value: Any, code: str, status: FindingStatus, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_module, name, value)
    if code == "target_room":  # the folder of the tests' server belongs to another account
        monkeypatch.setattr(target_module, "disk_folder", lambda target: Path("/"))
    found = checked(url)[code]
    assert (found.status, bool(found.remedy)) == (status, True)


def test_a_server_elsewhere_tells_no_room_and_ought_to_be_encrypted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_module, "_is_local", lambda target: False)
    found = checked(url)
    assert found["target_room"].status == found["target_tls"].status == FindingStatus.WARN


def test_a_check_that_fails_itself_is_a_finding(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        raise DatabaseError("the server closed the connection")

    monkeypatch.setattr(target_module, "_POSTGRESQL", [("target_clock", "Clock", broken)])
    assert failed(url) == {"target_clock": "The check itself failed: the server closed the connection"}


def test_a_new_sqlite_file_is_taken_and_not_made_by_looking(tmp_path: Path) -> None:
    file = tmp_path / "new.sqlite3"
    found = checked(f"sqlite://{file}")
    assert {one.status for one in found.values()} == {FindingStatus.PASS}
    assert not file.exists()


def test_a_sqlite_file_that_cannot_be_or_is_not_one_is_refused(tmp_path: Path) -> None:
    assert "target_rights" in failed(f"sqlite://{tmp_path / 'missing' / 'new.sqlite3'}")
    file = tmp_path / "text"
    file.write_text("This is no database, but long enough to be taken for a header of one. " * 20)
    assert "not a database" in failed(f"sqlite://{file}")["target_reachable"]
