"""Requests that meet a move."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from knowledge.models import Tag
from migrations_ops.errors import DatabaseMovedError
from migrations_ops.place.middleware import KEPT_BYTES
from tests.place.conftest import House

INSERT = "INSERT INTO kb_tags (name, created_at) VALUES (%s, '2020-01-01')"
seen: list[str] = []
before_write: list[Callable[[], object]] = []
before_view: list[Exception] = []


def late(request: HttpRequest) -> HttpResponse:
    """Writes a raw statement outside a transaction, for which the site must not move in between."""
    seen.append(request.POST["name"])
    if request.GET.get("first"):
        with transaction.atomic():
            Tag.objects.create(name=f"first {len(seen)}")
    with connection.cursor() as cursor:
        while before_write:
            before_write.pop()()
        cursor.execute(INSERT, [request.POST["name"]])
    return HttpResponse(connection.vendor)


def early(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware that asks the database."""

    def answer(request: HttpRequest) -> HttpResponse:
        if before_view:
            raise before_view.pop()
        return get_response(request)

    return answer


handler500 = "kbsite.failures.broken"
urlpatterns = [path("late/", late)]


@pytest.fixture(autouse=True)
def _urls(settings: object) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["migrations_ops.place.middleware.MovedMiddleware"]
    seen.clear()


def test_a_request_that_has_done_nothing_is_run_again_at_the_new_place(house: House, vendor: str) -> None:
    before_write.append(lambda: house.move(house.other(vendor)))
    answer = Client().post("/late/", {"name": "one"})
    assert (answer.status_code, answer.content.decode(), seen) == (200, house.other(vendor), ["one", "one"])
    assert (house.names(vendor), house.names(house.other(vendor))) == ([], ["one"])


def test_a_request_that_has_committed_something_is_not_run_again(house: House, vendor: str) -> None:
    before_write.append(lambda: house.move(house.other(vendor)))
    answer = Client().post("/late/?first=1", {"name": "one"})
    assert (answer.status_code, answer.headers["Retry-After"], seen) == (503, "1", ["one"])
    assert (house.names(vendor), house.names(house.other(vendor))) == (["first 1"], [])


def test_a_request_that_meets_a_move_before_its_view_is_run_again(house: House, vendor: str, settings: object) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.early"]
    before_view.extend([DatabaseMovedError(), DatabaseMovedError()])
    answer = Client(raise_request_exception=False).post("/late/", {"name": "one"})
    assert (answer.status_code, seen, before_view) == (200, ["one"], [])


def test_a_request_with_a_long_body_is_not_kept_and_not_run_again(house: House, vendor: str) -> None:
    before_write.append(lambda: house.move(house.other(vendor)))
    answer = Client().post("/late/", {"name": "one", "text": "x" * KEPT_BYTES})
    assert (answer.status_code, seen) == (503, ["one"])
    assert house.names("sqlite") == house.names("postgresql") == []


def test_other_requests_are_left_alone(house: House, vendor: str) -> None:
    answer = Client().post("/late/", {"name": "one"})
    assert (answer.status_code, seen) == (200, ["one"])
    assert house.names(vendor) == ["one"]
