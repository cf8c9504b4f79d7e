"""Logs by API: read as on the page, bounded as on the page, kept nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from knowledge.logs import LOG_BYTES
from knowledge.models import Entry, EntryStatus, SearchQuery
from tests.knowledge.logs.samples import DB2_BATCH, S0C7_JOB
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db

URL = "/api/v1/logs"


def send(client: Client, body: bytes | str, status: int = 200, kind: str = "text/plain", **options: Any) -> Any:
    response = client.post(URL, body, content_type=kind, **options)
    assert response.status_code == status, response.content
    return response.json()


def test_a_log_gives_its_codes_and_the_entries_to_read_first(client: Client) -> None:
    entry = an_entry(title="S0C7 and its message", codes=["S0C7", "CEE3207S"])
    an_entry(title="Hidden S0C7", status=EntryStatus.DRAFT)

    answer = send(client, S0C7_JOB)

    first = answer["codes"][0]
    assert (first["code"], first["role"], first["entries"]) == ("S0C7", "cause", 1)
    assert first["url"].endswith(reverse("code", args=["S0C7"]))
    assert {"line", "text", "job", "step", "program", "transaction"} == first["sightings"][0].keys()
    assert any(one["step"] == "STEP020" and one["program"] == "PAYCALC" for one in first["sightings"])
    assert [item["id"] for item in answer["items"]] == [str(entry.pk)] and "S0C7" in answer["items"][0]["matched"]
    assert answer["lines"] == S0C7_JOB.count("\n") + 1
    assert any(step["abended"] and step["step"] == "STEP020" for step in answer["steps"])


def test_nothing_of_it_is_stored(client: Client) -> None:
    send(client, DB2_BATCH)
    assert not Entry.objects.exists() and not SearchQuery.objects.exists() and "sessionid" not in client.cookies


def test_json_and_bytes_of_any_code_page_are_read(client: Client) -> None:
    assert send(client, {"text": S0C7_JOB}, kind="application/json") == send(client, S0C7_JOB)
    answer = send(client, b"IEF450I A B - ABEND=S0C7 \xff\xfe\x00 caf\xe9", kind="application/octet-stream")
    assert answer["codes"][0]["code"] == "S0C7"
    assert send(client, b" ")["codes"] == []


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        ("{", "application/json", "no JSON"),
        ("[" * 100_000, "application/json", "no JSON"),
        ('{"text": 7}', "application/json", "no text"),
        ("[]", "application/json", "no text"),
        ("", "text/plain", "its type is unknown"),
        ("text=S0C7", "application/x-www-form-urlencoded", "its type is"),
    ],
)
def test_what_is_no_log_is_refused_in_the_one_shape(client: Client, body: str, kind: str, says: str) -> None:
    error = send(client, body, status=422, kind=kind)["error"]
    assert error["code"] == "log_unreadable" and says in error["message"] and '{"text": "..."}' in error["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
@pytest.mark.parametrize("size", [LOG_BYTES + 1, 3 * LOG_BYTES, 6 * LOG_BYTES])
def test_a_log_over_the_limit_says_the_limit(client: Client, size: int, kind: str) -> None:
    text = "x" * size
    error = send(client, text if kind == "text/plain" else f'{{"text": "{text}"}}', status=413, kind=kind)["error"]
    assert error == {"code": "log_too_large", "message": error["message"]} and "1024 KB" in error["message"]


def test_a_log_just_within_the_limit_is_read(client: Client) -> None:
    assert send(client, "\n" * LOG_BYTES)["lines"] == LOG_BYTES + 1


def test_logs_count_against_the_same_rate(client: Client, settings: LazySettings) -> None:
    settings.API_VISITOR_REQUESTS_PER_MINUTE = 2
    send(client, "S0C7")
    client.get("/api/v1/codes")
    assert send(client, "S0C7", status=429)["error"]["code"] == "rate_limited"


def test_people_with_a_session_need_no_form_token_since_nothing_changes() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(a_person())
    send(client, "S0C7")


def test_other_methods_are_named(client: Client) -> None:
    response = client.get(URL)
    assert response.status_code == 405 and response["Allow"] == "POST"
    assert "POST" in response.json()["error"]["message"]


def test_the_document_describes_the_body_and_the_answer(client: Client) -> None:
    document = client.get(reverse("api_document")).json()
    operation = document["paths"][URL]["post"]
    assert operation["requestBody"]["content"].keys() == {"text/plain", "application/octet-stream", "application/json"}
    assert "413" in operation["responses"]
    name = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert send(client, "S0C7").keys() == document["components"]["schemas"][name]["properties"].keys()
