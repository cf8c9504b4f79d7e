"""The page of search results."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from knowledge.models import Entry, ErrorCode, SearchQuery
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db


def found(client: Client, **query: str) -> list[str]:
    return [hit.entry.title for hit in client.get(reverse("search"), query).context["results"].hits]


def test_without_a_query_the_page_says_what_can_be_typed(client: Client) -> None:
    response = client.get(reverse("search"))
    assert "Type a code, a message line or a symptom" in response.content.decode()
    assert not SearchQuery.objects.exists()


def test_results_show_the_code_itself_snippets_and_how_many_there_are(client: Client) -> None:
    an_entry()
    ErrorCode.objects.filter(code="S0C7").update(meaning="Not a number")
    html = client.get(reverse("search"), {"q": "soc7"}).content.decode()
    assert "1 entry in" in html and "<mark>" in html
    assert "Not a number" in html and reverse("code", args=["S0C7"]) in html


def test_filters_narrow_and_their_links_keep_the_query(client: Client) -> None:
    an_entry(title="S0C7 in COBOL")
    an_entry(title="S0C7 in CICS", category="CICS")
    assert found(client, q="S0C7", category="CICS") == ["S0C7 in CICS"]
    html = client.get(reverse("search"), {"q": "S0C7"}).content.decode()
    assert "/search/?q=S0C7&amp;category=CICS" in html


def test_a_search_is_kept_once_and_knows_which_entry_was_opened(client: Client) -> None:
    entry = an_entry()
    html = client.get(reverse("search"), {"q": "S0C7"}).content.decode()
    search = SearchQuery.objects.get()
    link = f"{entry.get_absolute_url()}?s={search.pk}"
    assert link in html

    Client().get(link)  # somebody else who got the link
    search.refresh_from_db()
    assert search.opened_entry is None

    client.get(link)
    search.refresh_from_db()
    assert search.opened_entry == entry


def test_going_to_the_next_page_is_no_new_search(client: Client) -> None:
    for number in range(25):
        an_entry(title=f"S0C7 number {number}")
    first = found(client, q="S0C7")
    second = found(client, q="S0C7", page="2")
    assert len(first) == 20 and len(second) == 5 and not set(first) & set(second)
    assert SearchQuery.objects.count() == 1


def test_nothing_found_offers_to_write_the_entry_to_those_who_may(client: Client) -> None:
    offer = f"{reverse('entry_create')}?title=zzqq"
    response = client.get(reverse("search"), {"q": "zzqq"})
    assert "Nothing found for “zzqq”" in response.content.decode()
    assert offer not in response.content.decode()
    client.force_login(a_person("add_entry"))
    assert offer in client.get(reverse("search"), {"q": "zzqq"}).content.decode()


def test_htmx_gets_the_results_alone(client: Client) -> None:
    an_entry()
    response = client.get(reverse("search"), {"q": "S0C7"}, headers={"HX-Request": "true"})
    assert "<html" not in response.content.decode() and 'class="hits"' in response.content.decode()
    assert "HX-Request" in response["Vary"]


def test_drafts_are_found_only_by_those_who_may_edit(client: Client) -> None:
    an_entry(status="draft")
    assert found(client, q="S0C7", status="draft") == []
    client.force_login(a_person("change_entry"))
    assert found(client, q="S0C7", status="draft") == ["S0C7: data exception in a packed field"]


@pytest.mark.parametrize(
    "text", ["\x00", "'\"); --", "-803", "\ud83d\ude80" * 400, "NEAR( OR AND *", "a" * 10_000, "<b>", "%"]
)
def test_any_text_gets_an_answer(client: Client, text: str) -> None:
    an_entry()
    response = client.get(reverse("search"), {"q": text.encode("utf-8", "surrogatepass")})
    assert response.status_code == 200
    assert "<b>" not in response.content.decode()


@pytest.mark.parametrize("given", ["", "x", "0", "99999999999999999999999", "-1"])
def test_any_search_named_in_the_address_of_an_entry_is_harmless(client: Client, given: str) -> None:
    entry = an_entry()
    assert client.get(entry.get_absolute_url(), {"s": given}).status_code == 200


def test_results_ask_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(25):
        an_entry(title=f"S0C7 number {number}", tags=[f"tag{number}"])
    Entry.objects.update(success_count=1)
    client.get(reverse("search"), {"q": "S0C7"})
    with django_assert_max_num_queries(28):
        client.get(reverse("search"), {"q": "S0C7 number"})


def test_results_have_other_orders_and_the_search_box_keeps_the_order(client: Client) -> None:
    for title, worked, failed, used in (("S0C7 once", 1, 0, 9), ("S0C7 often", 8, 1, 4), ("S0C7 never", 0, 3, 2)):
        entry = an_entry(title=title)
        Entry.objects.filter(pk=entry.pk).update(success_count=worked, failure_count=failed, usage_count=used)
    assert found(client, q="S0C7", order="worked") == ["S0C7 often", "S0C7 once", "S0C7 never"]
    assert found(client, q="S0C7", order="used") == ["S0C7 once", "S0C7 often", "S0C7 never"]
    assert found(client, q="S0C7", order="recent") == ["S0C7 never", "S0C7 often", "S0C7 once"]
    html = client.get(reverse("search"), {"q": "S0C7", "order": "used"}).content.decode()
    assert '<input type="hidden" name="order" value="used">' in html and "/search/?q=S0C7&amp;order=recent" in html
    assert sorted(found(client, q="S0C7", order="'; --")) == sorted(found(client, q="S0C7"))
