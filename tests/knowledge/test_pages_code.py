"""The page of one code."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from knowledge.models import CodeAlias, Entry, EntryStatus, ErrorCode
from knowledge.neighbours import codes_nearby, codes_related
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db


def page(client: Client, code: str) -> str:
    response = client.get(reverse("code", args=[code]))
    assert response.status_code == 200
    return response.content.decode()


def test_each_entry_of_a_code_says_how_often_it_worked(client: Client) -> None:
    an_entry(title="Tried one")
    Entry.objects.update(success_count=3, failure_count=1)
    an_entry(title="Untried one")
    html = page(client, "S0C7")
    assert "75 % worked, 4 votes" in html and "no votes yet" in html


@pytest.mark.parametrize("spelling", ["soc7", "0C7", "s 0c7", "Data Exception"])
def test_other_spellings_and_names_lead_to_the_code(client: Client, spelling: str) -> None:
    an_entry()
    CodeAlias.objects.create(alias="data exception", error_code=ErrorCode.objects.get(code="S0C7"))
    response = client.get(reverse("code", args=[spelling]))
    assert (response.status_code, response["Location"]) == (302, reverse("code", args=["S0C7"]))


def test_a_code_without_an_entry_invites_the_first_one(client: Client) -> None:
    an_entry(codes=["S0C4"], title="S0C4", problem="The step ends with S0C4.")
    html = page(client, "S0C9")
    assert "No published entry mentions this code" in html and reverse("code", args=["S0C4"]) in html
    assert reverse("entry_create") not in html
    client.force_login(a_person("add_entry"))
    assert f"{reverse('entry_create')}?codes=S0C9" in page(client, "S0C9")


@pytest.mark.parametrize("text", ["no such code", "\0", "x" * 300, "🙂", "-", " "])
def test_what_is_no_code_is_not_found(client: Client, text: str) -> None:
    assert client.get(reverse("code", args=[text])).status_code == 404


def test_words_typed_into_a_draft_are_as_hidden_as_the_draft(client: Client) -> None:
    an_entry(title="A merger of two banks", status=EntryStatus.DRAFT, tags=["northbank"], codes=["NORTHBANK 1", "S806"])
    code = reverse("code", args=["NORTHBANK 1"])
    pages = (reverse("tags"), reverse("codes"), "/api/v1/codes")
    for url in pages:
        html = client.get(url).content.decode()
        assert "northbank" not in html.lower()
        assert "S806" in html or url == reverse("tags")
    assert client.get(code).status_code == client.get("/api/v1/codes/NORTHBANK 1").status_code == 404
    client.force_login(a_person("change_entry"))
    assert all("northbank" in client.get(url).content.decode().lower() for url in (*pages, code))


def test_related_codes_are_those_of_the_same_published_entries() -> None:
    plain = {"title": "Plain title", "problem": "Nothing but words here.", "solution": "Nothing but words."}
    an_entry(codes=["S0C7", "CEE3207S", "U4038"], **plain)
    an_entry(codes=["U4038", "S0C7"], **plain)
    an_entry(codes=["S0C7", "SB37"], status=EntryStatus.DRAFT, **plain)
    related = codes_related(ErrorCode.objects.get(code="S0C7"))
    assert [(one.code, one.entries) for one in related] == [("U4038", 2), ("CEE3207S", 1)]


@pytest.mark.parametrize(
    ("code", "kind", "nearby"),
    [
        ("S0C7", "system_abend", ["S0C1", "S0C4", "S0CB"]),
        ("SQLCODE -803", "sqlcode", ["SQLCODE -802", "SQLCODE -805", "SQLCODE -811", "SQLCODE -818"]),
        ("IEC141I", "message", ["IEC143I", "IEC145I", "IEC150I"]),
    ],
)
def test_nearby_codes_are_of_the_same_family(code: str, kind: str, nearby: list[str]) -> None:
    far = {"S322": "system_abend", "SQLCODE -204": "sqlcode", "IGD17101I": "message", "S0CX": "other"}
    known = far | dict.fromkeys(nearby, kind) | {code: kind}
    ErrorCode.objects.bulk_create(ErrorCode(code=name, kind=of) for name, of in known.items())
    assert [one.code for one in codes_nearby(code, kind)] == nearby


def test_the_page_of_a_code_asks_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        an_entry(title=f"Entry {number}", tags=[f"t{number}"], codes=["S0C7", f"IDC{number:04d}I"])
    with django_assert_max_num_queries(14):
        page(client, "S0C7")


def test_a_visitor_can_log_in_to_write_the_first_entry(client: Client) -> None:
    html = client.get("/codes/S0E0/").content.decode()
    assert "/login/?next=%2Fentries%2Fnew%2F%3Fcodes%3DS0E0" in html and "Write the first entry" not in html
