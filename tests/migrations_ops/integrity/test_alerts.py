"""Who is told when a part of the site turns red: once for each change, and again only when nobody heard it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.core.exceptions import ImproperlyConfigured

from kbsite.alerts import alert_address
from migrations_ops.integrity import alerts
from migrations_ops.integrity.alerts import checks_scheduled, health_watch, integrity_schedule
from migrations_ops.integrity.check import HealthFact
from migrations_ops.models import CheckRun, HealthState
from migrations_ops.queue import scheduled_tasks

pytestmark = pytest.mark.django_db


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted; answers as told."""

    posted: list[dict[str, Any]]
    status = 204

    def do_POST(self) -> None:
        self.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def hook(settings: Any) -> Iterator[type[Hook]]:
    handler = type("OneHook", (Hook,), {"posted": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.OPS_ALERT_WEBHOOK = f"http://127.0.0.1:{server.server_port}/hook"
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tones(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The parts of a site and their colours, to be changed."""
    now = {"disk": "ok", "worker": "ok"}
    monkeypatch.setattr(
        alerts,
        "health",
        lambda: [HealthFact(name=name, title=name.title(), tone=tone, value="x") for name, tone in now.items()],
    )
    return now


def test_each_change_to_red_and_from_red_is_told_once(hook: type[Hook], tones: dict[str, str]) -> None:
    assert health_watch() == 0
    tones["disk"] = "fail"
    assert [health_watch(), health_watch()] == [1, 0]
    tones["worker"] = "warn"
    assert health_watch() == 0
    tones["disk"] = "ok"
    assert [health_watch(), health_watch()] == [1, 0]
    assert [[(part["name"], part["tone"]) for part in one["parts"]] for one in hook.posted] == [
        [("disk", "fail")],
        [("disk", "ok")],
    ]
    assert hook.posted[0]["text"] == "Disk: red"


def test_what_nobody_heard_is_told_again_and_a_redirect_is_not_followed(
    hook: type[Hook], tones: dict[str, str]
) -> None:
    tones["disk"] = "fail"
    hook.status = 302
    health_watch()
    assert len(hook.posted) == 1
    assert HealthState.objects.get(name="disk").told == "ok"
    hook.status = 200
    assert [health_watch(), health_watch()] == [1, 0]
    assert len(hook.posted) == 2


def test_mail_goes_to_those_who_may_be_told_and_nobody_sees_the_others(settings: Any, tones: dict[str, str]) -> None:
    settings.MAIL_FROM = "kb@example.org"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    told = User.objects.create_user("told", "told@example.org")
    told.user_permissions.add(Permission.objects.get(codename="receive_alerts"))
    User.objects.create_user("other", "other@example.org")
    tones["worker"] = "fail"
    health_watch()
    (message,) = mail.outbox
    assert message.subject == "Knowledge base: Worker needs attention"
    assert (message.to, message.bcc) == ([], ["told@example.org"])
    tones["worker"] = "ok"
    health_watch()
    assert mail.outbox[1].subject == "Knowledge base: Worker is well again"


def test_without_mail_and_webhook_colours_are_noted_and_nothing_is_sent(tones: dict[str, str]) -> None:
    tones["disk"] = "fail"
    assert health_watch() == 1
    assert HealthState.objects.get(name="disk").tone == "fail"


def test_the_worker_looks_every_few_minutes_and_checks_every_day(settings: Any, tmp_path: Path) -> None:
    settings.TRANSFER_DIR = tmp_path  # where other tests have left nothing
    integrity_schedule()
    assert {task.name: task.every.total_seconds() for task in scheduled_tasks()} == {
        "ops-health-watch": 300,
        "ops-integrity-checks": 86_400,
    }
    assert checks_scheduled() == "ok"
    assert CheckRun.objects.get().started_by == "schedule"


@pytest.mark.parametrize("url", ["", "https://hooks.example.org/T0/x", "http://127.0.0.1:99/x", "http://localhost/x"])
def test_addresses_that_alerts_may_go_to(url: str) -> None:
    assert alert_address(url) == url


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.org/x", "https://me:secret@example.org/", "ftp://example.org", "https://", "http://[x"],
)
def test_addresses_that_alerts_may_not_go_to(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="KB_ALERT_WEBHOOK") as refused:
        alert_address(url)
    assert "secret" not in str(refused.value)
