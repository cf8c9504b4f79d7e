"""/healthz and /readyz."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.db import OperationalError
from django.test import Client, override_settings

from migrations_ops.queue import WorkerStatus

ALIVE = WorkerStatus(name="host:1", state="Idle", age=timedelta(seconds=1))
SILENT = WorkerStatus(name="host:1", state="Idle", age=timedelta(minutes=5))


def test_healthz_asks_no_database(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


@override_settings(SECURE_SSL_REDIRECT=True, ALLOWED_HOSTS=["kb.example.org"])
def test_a_probe_by_address_and_plain_http_is_answered(client: Client) -> None:
    assert client.get("/healthz", headers={"host": "10.0.0.7"}).status_code == 200


@pytest.mark.django_db
def test_readyz_tells_level_database_and_worker(client: Client) -> None:
    with mock.patch("kbsite.health.workers", return_value=[SILENT, ALIVE]):
        answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["database"]["level"] == 1
    assert answer.json()["worker"] == {"state": "ok", "heartbeat_age_seconds": 1.0}
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.django_db
@pytest.mark.parametrize("found", [[], [SILENT]])
def test_readyz_is_503_without_a_living_worker(client: Client, found: list[WorkerStatus]) -> None:
    with mock.patch("kbsite.health.workers", return_value=found):
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["worker"] == {"state": "missing"}


def test_readyz_is_503_without_a_database_and_gives_no_address_away(client: Client) -> None:
    error = OperationalError('connection to "db.internal" failed for user "kb"')
    with (
        mock.patch("kbsite.health.workers", side_effect=error),  # the queue asks the database too
        mock.patch("kbsite.health.site_level", side_effect=error),
    ):
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"]["error"] == "OperationalError"
    assert answer.json()["worker"] == {"state": "unknown"}
    assert b"db.internal" not in answer.content
