"""What a request gets that no view answers: a refused form, one that is too large, a wrong address."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path, reverse

from kbsite.failures import bad_request, broken
from knowledge.models import Entry
from migrations_ops.errors import DatabaseMovedError
from tests.knowledge.page_builders import a_person, an_entry
from tests.rates import rates_clear

pytestmark = pytest.mark.django_db

JSON = {"Accept": "application/json"}


def away(request: HttpRequest) -> HttpResponse:
    """A view whose database has gone."""
    raise OperationalError("connection refused")


def wrong(request: HttpRequest) -> HttpResponse:
    """A view with a mistake in it, which SQLite reports by the same class."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM no_such_table")
    return HttpResponse()


def moving(request: HttpRequest) -> HttpResponse:
    """A view that a move cuts off each time."""
    raise DatabaseMovedError


urlpatterns = [path("away/", away), path("wrong/", wrong), path("moving/", moving), path("", include("kbsite.urls"))]
handler500 = "kbsite.failures.broken"
MEGABYTE = 1024 * 1024


@pytest.fixture
def strict_client() -> Client:
    """A browser whose forms are checked as on a site."""
    return Client(enforce_csrf_checks=True)


def test_a_form_that_is_no_longer_valid_gives_back_what_was_written(strict_client: Client) -> None:
    strict_client.force_login(a_person("add_entry"))
    strict_client.cookies["csrftoken"] = "x" * 32
    typed = {"title": "S0C7 <b>", "problem": "Ends & stops", "password": "secret", "csrfmiddlewaretoken": "y" * 32}
    response = strict_client.post(reverse("entry_create"), typed)
    html = response.content.decode()
    assert response.status_code == 403
    assert "Go back, reload that page" in html and "Nothing was saved" in html
    assert "S0C7 &lt;b&gt;</textarea>" in html and "Ends &amp; stops</textarea>" in html
    assert "secret" not in html


def test_somebody_whose_login_has_ended_gets_back_what_was_written(client: Client) -> None:
    typed = {"title": "S0C7 in payroll", "problem": "Ends & stops", "password": "secret"}
    response = client.post(reverse("entry_create"), typed)
    html = response.content.decode()
    assert response.status_code == 403
    assert "Ends &amp; stops</textarea>" in html and "secret" not in html and "Nothing was saved" in html
    assert f"{reverse('login')}?next={reverse('entry_create')}" in html
    assert client.post(reverse("entry_create")).headers["Location"].startswith(reverse("login"))


def test_a_browser_without_cookies_is_told_so(strict_client: Client) -> None:
    assert "Allow cookies" in strict_client.post(reverse("login"), {"username": "ana"}).content.decode()


def test_a_form_from_another_origin_names_the_setting(strict_client: Client) -> None:
    response = strict_client.post(reverse("theme"), headers={"Origin": "https://elsewhere.example"})
    assert "KB_CSRF_TRUSTED_ORIGINS" in response.content.decode()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("post", "/console/plans/", 403, "csrf_failed"),
        ("post", "/theme/", 403, "csrf_failed"),
        ("get", "/console/nothing/here/", 404, "not_found"),
        ("get", "/entries/new/", 302, ""),
    ],
)
def test_callers_who_want_json_get_the_one_shape(
    strict_client: Client, method: str, path: str, status: int, code: str
) -> None:
    response = getattr(strict_client, method)(path, headers=JSON)
    assert response.status_code == status
    assert not code or set(response.json()["error"]) == {"code", "message"}
    assert not code or response.json()["error"]["code"] == code


def test_a_refused_person_gets_json_too(client: Client) -> None:
    client.force_login(a_person())
    response = client.get(reverse("reviews"), headers=JSON)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "permission_denied")


def test_below_the_api_everything_is_json_whatever_was_asked_for() -> None:
    request = RequestFactory().get("/api/v1/search", headers={"Accept": "text/html"})
    assert bad_request(request, ValueError()).headers["Content-Type"] == "application/json"
    assert broken(request).status_code == 500
    assert broken(request).headers["Content-Type"] == "application/json"


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("path", "status", "code", "text"),
    [
        ("/away/", 503, "database_gone", "The database does not answer"),
        ("/moving/", 503, "database_moved", "Go back, look at what is there"),
        ("/wrong/", 500, "internal_error", "Something went wrong"),
    ],
)
def test_a_database_that_is_away_is_told_from_a_mistake(path: str, status: int, code: str, text: str) -> None:
    client = Client(raise_request_exception=False)
    client.cookies["theme"] = "dark"
    page, data = client.get(path), client.get(path, headers=JSON)
    assert (page.status_code, data.status_code, data.json()["error"]["code"]) == (status, status, code)
    html = page.content.decode()
    assert text in html and 'data-theme="dark"' in html
    assert page.headers.get("Content-Length", str(len(page.content))) == str(len(page.content))


def test_an_address_of_a_button_says_so_when_it_is_opened_as_a_page(client: Client) -> None:
    page, data = client.get(reverse("theme")), client.get(reverse("theme"), headers=JSON)
    assert (page.status_code, page["Allow"], data.status_code) == (405, "POST", 405)
    assert "answers to POST only" in page.content.decode()
    assert data.json()["error"]["code"] == "method_not_allowed"


def test_a_host_that_the_site_does_not_know_gets_the_page(client: Client) -> None:
    response = client.get("/", headers={"Host": "elsewhere.example"})
    assert response.status_code == 400 and "This request could not be read" in response.content.decode()


def test_pages_stay_pages_for_browsers(client: Client) -> None:
    assert "Nothing here" in client.get("/nothing/").content.decode()
    client.force_login(a_person())
    assert "You do not have permission" in client.get(reverse("reviews")).content.decode()


def test_a_form_larger_than_anything_that_is_read_says_the_limit(client: Client) -> None:
    client.force_login(a_person())
    body = b"comment=" + b"x" * (16 * MEGABYTE)
    sent = {"data": body, "content_type": "application/x-www-form-urlencoded"}
    response = client.post(reverse("theme"), **sent)
    assert response.status_code == 413 and "larger than 16 MB" in response.content.decode()
    answer = client.post(reverse("theme"), **sent, headers=JSON)
    assert answer.json()["error"]["code"] == "request_too_large"


def test_a_form_with_files_whose_texts_are_too_long_says_the_limit(client: Client) -> None:
    url = reverse("entry_vote", args=[an_entry().pk])
    response = client.post(url, {"comment": "x" * 6 * MEGABYTE})
    assert response.status_code == 413 and "larger than 5 MB" in response.content.decode()


def test_pages_are_compressed_for_those_who_take_it(client: Client) -> None:
    plain = client.get(reverse("browse"))
    packed = client.get(reverse("browse"), headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain
    assert gzip.decompress(packed.content).startswith(b"<!doctype html>")


def test_forms_of_strangers_are_counted_by_address(settings: Any) -> None:
    rates_clear()
    settings.VISITOR_FORMS_PER_MINUTE = 2
    client = Client(REMOTE_ADDR="192.0.2.6")
    url, vote = reverse("entry_vote", args=[an_entry().pk]), {"worked": "yes"}
    assert [Client(REMOTE_ADDR="192.0.2.6").post(url, vote).status_code for _each in range(3)] == [302, 302, 429]
    refused = client.post(url, vote, headers=JSON)
    assert refused.json()["error"]["code"] == "rate_limited" and 0 < int(refused["Retry-After"]) <= 60
    assert "Too many requests" in client.post(url, vote).content.decode()
    assert Client(REMOTE_ADDR="192.0.2.7").post(url, vote).status_code == 302
    client.force_login(a_person())
    assert client.post(url, vote).status_code == 302
    assert [Client().post(url, vote).status_code for _each in range(3)] == [302, 302, 302]  # from this machine
    assert Entry.objects.get().votes == 7
