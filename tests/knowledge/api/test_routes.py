"""The API: what it answers, to whom, and how it fails."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from knowledge.api.document import api_document
from knowledge.models import CodeAlias, Entry, EntryAddress, EntryStatus, ErrorCode, SearchQuery
from knowledge.tokens import token_create
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db


def read(client: Client, path: str, status: int = 200, **options: Any) -> Any:
    response = client.get(f"/api/v1/{path}", **options)
    assert response.status_code == status, response.content
    assert response["Content-Type"].startswith("application/json")
    return json.loads(response.content)


def bearer(secret: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Authorization": f"Bearer {secret}"}}


def test_a_search_finds_entries_and_is_kept_in_the_history(client: Client) -> None:
    entry = an_entry()
    found = read(client, "search?q=soc7")
    assert [item["id"] for item in found["items"]] == [str(entry.pk)]
    assert found["items"][0]["codes"] == ["S0C7"] and "<mark>" in found["items"][0]["snippet_html"]
    assert found["codes"] == [{"code": "S0C7", "kind": "system_abend"}]
    assert (found["total"], found["next"]) == (1, None)
    kept = SearchQuery.objects.get()
    assert kept.query == "soc7" and kept.searcher.startswith("address:") and "127.0.0.1" not in kept.searcher
    assert "sessionid" not in client.cookies


def test_a_search_is_narrowed_by_its_filters(client: Client) -> None:
    an_entry(title="In COBOL")
    an_entry(title="In VSAM", category="VSAM", tags=["open"], severity="low")
    for narrowed in ("category=VSAM", "tag=open", "severity=low", "category=VSAM&code=soc7"):
        assert [item["title"] for item in read(client, f"search?q=s0c7&{narrowed}")["items"]] == ["In VSAM"]


def test_lists_have_pages_with_the_address_of_the_next(client: Client) -> None:
    for number in range(5):
        an_entry(title=f"Entry {number}")
    titles, path = [], "entries?page_size=2"
    while path:
        answer = read(client, path)
        titles += [item["title"] for item in answer["items"]]
        path = (answer["next"] or "").partition("/api/v1/")[2]
    assert titles == [f"Entry {number}" for number in (4, 3, 2, 1, 0)]


def test_a_copy_is_kept_up_to_date_with_what_changed_since(client: Client) -> None:
    old = an_entry(title="Old one")
    Entry.objects.filter(pk=old.pk).update(updated_at=timezone.now() - timedelta(days=3))
    an_entry(title="New one")
    since = (timezone.now() - timedelta(days=1)).isoformat().replace("+", "%2B")
    assert [item["title"] for item in read(client, f"entries?updated_since={since}")["items"]] == ["New one"]


def test_an_entry_comes_whole_and_counts_no_view(client: Client) -> None:
    entry = an_entry()
    answer = read(client, f"entries/{entry.pk}")
    assert answer["solution"] == entry.solution and answer["url"].endswith(entry.get_absolute_url())
    entry.refresh_from_db()
    assert entry.usage_count == 0


def test_the_address_of_a_merged_entry_leads_to_the_one_that_is_kept(client: Client) -> None:
    kept, old = an_entry(), uuid.uuid4()
    EntryAddress.objects.create(old_id=old, entry=kept, title="Old")
    response = client.get(f"/api/v1/entries/{old}")
    assert (response.status_code, response["Location"]) == (302, f"/api/v1/entries/{kept.pk}")


def test_a_code_is_found_in_any_spelling(client: Client) -> None:
    an_entry(codes=["SQLCODE -803"])
    code = ErrorCode.objects.get(code="SQLCODE -803")
    CodeAlias.objects.create(alias="duplicate key", error_code=code)
    answer = read(client, "codes/sql0803n")
    assert (answer["code"], answer["aliases"], answer["entries"]) == ("SQLCODE -803", ["duplicate key"], 1)
    assert len(answer["items"]) == 1
    assert [item["code"] for item in read(client, "codes?q=duplicate")["items"]] == ["SQLCODE -803"]
    assert read(client, "codes/S999", 404)["error"]["code"] == "not_found"


def test_drafts_are_for_those_who_may_edit(client: Client) -> None:
    draft = an_entry(status=EntryStatus.DRAFT)
    assert read(client, "entries?status=draft", 403)["error"]["code"] == "status_hidden"
    assert read(client, "search?q=s0c7&status=draft", 403)["error"]["code"] == "status_hidden"
    read(client, f"entries/{draft.pk}", 404)
    made = token_create(user=a_person("change_entry"), name="sync", days=30)
    assert read(client, "entries?status=draft", **bearer(made.secret))["total"] == 1
    assert read(client, f"entries/{draft.pk}", **bearer(made.secret))["status"] == "draft"


def test_a_session_works_like_a_token(client: Client) -> None:
    an_entry(status=EntryStatus.DRAFT)
    client.force_login(a_person("change_entry"))
    assert read(client, "entries?status=draft")["total"] == 1


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "bearer mkb_\x00"])
def test_a_wrong_token_is_refused_and_not_read_as_a_visitor(client: Client, header: str) -> None:
    response = client.get("/api/v1/entries", headers={"Authorization": header})
    assert response.status_code == 401 and response["WWW-Authenticate"] == "Bearer"
    assert response.json()["error"]["code"] == "token_invalid"


def test_tokens_that_ended_or_whose_person_left_are_refused(client: Client) -> None:
    person = a_person()
    made = token_create(user=person, name="sync", days=1)
    read(client, "entries", **bearer(made.secret))
    made.token.expires_at = timezone.now()
    made.token.save()
    read(client, "entries", 401, **bearer(made.secret))
    other = token_create(user=person, name="other", days=None)
    person.is_active = False
    person.save()
    read(client, "entries", 401, **bearer(other.secret))


def test_the_limit_of_requests_is_kept_by_caller(client: Client, settings: LazySettings) -> None:
    settings.API_VISITOR_REQUESTS_PER_MINUTE = 2
    made = token_create(user=a_person(), name="sync", days=None)
    # Three in a row fall into at most two minutes of the clock, five into one with three of them.
    codes = [client.get("/api/v1/entries").status_code for _ in range(5)]
    assert 429 in codes
    response = client.get("/api/v1/entries")
    if response.status_code == 429:
        assert 0 < int(response["Retry-After"]) <= 60 and response.json()["error"]["code"] == "rate_limited"
    read(client, "entries", **bearer(made.secret))


@pytest.mark.parametrize(
    "path",
    [
        "entries?page=0",
        "entries?page_size=101",
        "entries?page=x",
        "entries?category=nonsense",
        "entries?updated_since=yesterday",
        "search",
        "codes?kind=nonsense",
    ],
)
def test_wrong_parameters_are_named(client: Client, path: str) -> None:
    error = read(client, path, 422)["error"]
    assert error["code"] == "invalid_request" and error["message"]


@pytest.mark.parametrize(
    "path", ["", "entries/nonsense", "nothing", "../x", "codes/%00", "entries/" + str(uuid.UUID(int=5))]
)
def test_what_does_not_exist_is_told_in_the_one_shape(client: Client, path: str) -> None:
    response = client.get(f"/api/v2/{path}" if not path else f"/api/v1/{path}")
    assert response.status_code == 404 and response.json()["error"]["code"] == "not_found"


def test_other_methods_are_refused_in_the_one_shape(client: Client) -> None:
    response = client.post("/api/v1/entries", {})
    assert response.status_code == 405 and response["Allow"] == "GET"
    assert response.json()["error"]["code"] == "method_not_allowed"


def test_a_failure_of_the_site_is_told_in_the_one_shape(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.api.routes.entry_search", lambda *args, **options: 1 / 0)
    assert read(client, "search?q=x", 500)["error"]["code"] == "internal_error"


@pytest.mark.parametrize("text", ["%00", "'; --", "%F0%9F%99%82", "tag:%00", "x" * 2000, '"""', "%ED%A0%80"])
def test_any_text_can_be_searched(client: Client, text: str) -> None:
    read(client, f"search?q={text}")
    read(client, f"entries?tag={text[:60]}")
    read(client, f"codes?q={text[:60]}")


def test_answers_ask_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        an_entry(title=f"Entry {number}", tags=[f"t{number}"], codes=["S0C7", f"IDC{number:04d}I"])
    with django_assert_max_num_queries(4):
        read(client, "entries?page_size=100")
    with django_assert_max_num_queries(6):
        read(client, "codes/S0C7")


def test_the_document_describes_every_address_and_every_answer_keeps_to_it(client: Client) -> None:
    entry = an_entry()
    document = read(client, "openapi.json")
    assert document == json.loads(json.dumps(api_document()))
    paths = {
        "/api/v1/search": "search?q=s0c7",
        "/api/v1/entries": "entries",
        "/api/v1/entries/{entry_id}": f"entries/{entry.pk}",
        "/api/v1/codes": "codes",
        "/api/v1/codes/{code}": "codes/S0C7",
    }
    assert document["paths"].keys() == {*paths, "/api/v1/logs"}
    for path, address in paths.items():
        operation = document["paths"][path]["get"]
        assert {"200", "401", "403", "404", "422", "429"} <= operation["responses"].keys()
        name = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert read(client, address).keys() == document["components"]["schemas"][name]["properties"].keys()


def test_the_page_for_people_lists_every_operation_without_scripts(client: Client) -> None:
    html = client.get(reverse("api_page")).content.decode()
    for path, methods in api_document()["paths"].items():
        assert all(f"{method.upper()} {path}" in html for method in methods)
    assert "300 requests" in html and "Authorization: Bearer" in html
