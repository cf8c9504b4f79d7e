"""What answers where a level is closed, or closes under a request."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import ProgrammingError
from django.http import HttpResponse
from django.test import Client, RequestFactory

from migrations_ops import gate
from tests.engine.builders import run_back, run_up

pytestmark = pytest.mark.usefixtures("closed_site")


@pytest.mark.parametrize("path", ["/analytics/", "/admin/analytics/ignoredquery/"])
def test_a_page_that_passed_its_gate_before_the_level_closed_says_that_it_is_closed(
    client: Client, monkeypatch: Any, path: str
) -> None:
    client.force_login(get_user_model().objects.create_superuser("root"))
    run = run_up()
    passed: list[int] = []

    def level_seen(using: str = "default") -> int:
        """2 for the gate, then the level goes down and the tables are dropped."""
        if not passed:
            passed.append(2)
            run_back(run)
            return 2
        return level(using)

    level = gate.site_level
    assert client.get(path).status_code == 200
    monkeypatch.setattr(gate, "site_level", level_seen)

    answer = client.get(path)

    assert passed
    assert answer.status_code == 403
    assert "MVP2" in answer.content.decode()


def test_an_error_of_the_database_at_an_open_level_is_not_hidden(rf: RequestFactory) -> None:
    request = rf.get("/analytics/")
    request.level_required, request.user = 2, AnonymousUser()
    middleware = gate.LevelMiddleware(lambda request: HttpResponse())
    lost = ProgrammingError("no such table: search_analytics")

    assert middleware.process_exception(request, lost).status_code == 403
    gate.site_level_set(2)
    assert middleware.process_exception(request, lost) is None
    gate.site_level_set(1)
    assert middleware.process_exception(request, ValueError("of the view")) is None
    assert middleware.process_exception(rf.get("/"), lost) is None
