"""The pages that everyone reads."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from knowledge.models import CodeAlias, Entry, EntryStatus, ErrorCode, Feedback
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db


def page(client: Client, url: str, **options: object) -> str:
    response = client.get(url, **options)  # type: ignore[arg-type]
    assert response.status_code == 200
    return response.content.decode()


def test_home_of_an_empty_knowledge_base_says_how_to_fill_it(client: Client) -> None:
    assert "The knowledge base is empty" in page(client, reverse("home"))


def test_home_shows_recent_and_most_used_entries_and_counts_by_category(client: Client) -> None:
    an_entry(title="Used one")
    Entry.objects.update(usage_count=7)
    an_entry(title="Recent one", category="VSAM")
    an_entry(title="Hidden draft", status=EntryStatus.DRAFT)

    html = page(client, reverse("home"))

    assert "Used one" in html and "7 views" in html and "Recent one" in html
    assert "?category=VSAM" in html and "?category=COBOL" in html
    assert "Hidden draft" not in html


def test_home_asks_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        an_entry(title=f"Entry {number}", tags=[f"tag{number}"], codes=[f"S{number:03d}"])
    Entry.objects.update(usage_count=3)
    with django_assert_max_num_queries(9):
        page(client, reverse("home"))


def test_browse_narrows_by_category_severity_and_tag_and_keeps_the_other_filters_in_its_links(client: Client) -> None:
    an_entry(title="Wanted", category="VSAM", severity="low", tags=["open"])
    an_entry(title="Other category", severity="low", tags=["open"])
    an_entry(title="Other tag", category="VSAM", severity="low", tags=["close"])

    html = page(client, reverse("browse"), data={"category": "vsam", "severity": "low", "tag": "open"})

    assert "Wanted" in html and "Other category" not in html and "Other tag" not in html
    assert "/browse/?category=vsam&amp;tag=open" in html  # the link that takes the severity away


@pytest.mark.parametrize("order", ["recent", "used", "worked", "title", "nonsense"])
def test_browse_pages_through_every_entry_once_in_each_order(client: Client, order: str) -> None:
    titles = {an_entry(title=f"Entry {number:02d}").title for number in range(30)}
    seen = []
    for number in (1, 2):
        response = client.get(reverse("browse"), {"order": order, "page": number})
        seen += [entry.title for entry in response.context["page"]]
    assert len(seen) == 30
    assert set(seen) == titles


def test_browse_asks_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        an_entry(title=f"Entry {number}", tags=[f"tag{number}"])
    with django_assert_max_num_queries(9):
        page(client, reverse("browse"))


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=zzz", "page=99999999999", "category=%00", "tag=%00%ff"])
def test_browse_takes_any_query_string(client: Client, query: str) -> None:
    an_entry()
    assert client.get(f"{reverse('browse')}?{query}").status_code == 200


def test_an_entry_page_shows_text_codes_tags_success_rate_and_related_entries(client: Client) -> None:
    entry = an_entry()
    Entry.objects.filter(pk=entry.pk).update(success_count=3, failure_count=1)
    related = an_entry(title="Another S0C7", tags=[])
    an_entry(title="Unrelated", problem="Nothing in common", tags=["mq"], codes=["MQRC 2035"])

    html = page(client, entry.get_absolute_url())

    assert '<h2 id="s-likely-causes">Likely causes</h2>' in html
    assert reverse("code", args=["S0C7"]) in html and "?tag=abend" in html
    assert "75 %" in html and "of 4 votes" in html
    assert related.title in html and "Unrelated" not in html


def test_a_long_entry_has_a_table_of_contents_and_links_its_codes(client: Client) -> None:
    text = "\n\n".join(
        f"## {name}\n\nAs soon as S0C7 comes up. {'More. ' * 70}" for name in ("Causes", "Fix", "Prevent")
    )
    html = page(client, an_entry(solution=text).get_absolute_url())
    assert '<a href="#s-prevent" class="contents__link">Prevent</a>' in html and '<h2 id="s-prevent">' in html
    assert f'As soon as <a class="codelink" href="{reverse("code", args=["S0C7"])}">S0C7</a> comes up.' in html
    assert "contents__link" not in page(client, an_entry(title="A short one").get_absolute_url())


def test_an_entry_page_asks_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    entry = an_entry()
    for number in range(12):
        an_entry(title=f"Related {number}")
    client.get(entry.get_absolute_url())
    with django_assert_max_num_queries(14):
        page(client, entry.get_absolute_url())


def test_a_view_counts_once_in_a_session(client: Client) -> None:
    entry = an_entry()
    for _ in range(3):
        client.get(entry.get_absolute_url())
    Client().get(entry.get_absolute_url())
    Client().head(entry.get_absolute_url())
    entry.refresh_from_db()
    assert entry.usage_count == 2


@pytest.mark.parametrize("status", [EntryStatus.DRAFT, EntryStatus.ARCHIVED])
def test_a_reader_does_not_see_entries_that_are_not_published(client: Client, status: str) -> None:
    entry = an_entry(status=status)
    assert client.get(entry.get_absolute_url()).status_code == 404
    assert entry.title not in page(client, reverse("browse"), data={"status": status})


def test_the_author_and_those_who_may_edit_see_a_draft(client: Client) -> None:
    author = a_person("add_entry")
    entry = an_entry(status=EntryStatus.DRAFT, author=author)
    client.force_login(author)
    assert "This is a draft" in page(client, entry.get_absolute_url())
    client.force_login(a_person("change_entry", name="ed"))
    assert "This is a draft" in page(client, entry.get_absolute_url())
    assert entry.title in page(client, reverse("browse"), data={"status": "draft"})


def test_a_vote_counts_and_a_second_one_of_the_same_reader_replaces_it(client: Client) -> None:
    entry = an_entry()
    url = reverse("entry_vote", args=[entry.pk])

    assert client.post(url, {"worked": "yes"}).status_code == 302
    client.post(url, {"worked": "no", "rating": "2", "comment": "Not here."})

    entry.refresh_from_db()
    assert (entry.success_count, entry.failure_count) == (0, 1)
    assert Feedback.objects.get().rating == 2
    assert "Not here." in page(client, entry.get_absolute_url())


def test_a_vote_by_htmx_answers_with_the_vote_block_alone(client: Client) -> None:
    entry = an_entry()
    response = client.post(reverse("entry_vote", args=[entry.pk]), {"worked": "yes"}, headers={"HX-Request": "true"})
    html = response.content.decode()
    assert "Your vote is counted" in html and "<html" not in html


@pytest.mark.parametrize("data", [{}, {"worked": "maybe"}, {"worked": "yes", "rating": "9"}])
def test_a_vote_that_says_nothing_is_refused_with_a_message(client: Client, data: dict[str, str]) -> None:
    entry = an_entry()
    response = client.post(reverse("entry_vote", args=[entry.pk]), data)
    assert response.status_code == 422
    assert not Feedback.objects.exists()


def test_the_tags_page_counts_published_entries_and_filters(client: Client) -> None:
    an_entry(tags=["abend", "sort"])
    an_entry(tags=["abend"])
    response = client.get(reverse("tags"), {"q": "ABE"})
    assert [(tag.name, tag.published) for tag in response.context["page"]] == [("abend", 2)]


def test_the_codes_page_finds_a_code_by_another_name(client: Client) -> None:
    an_entry()
    CodeAlias.objects.create(alias="data exception", error_code=ErrorCode.objects.get(code="S0C7"))
    response = client.get(reverse("codes"), {"q": "data exc"})
    assert [(code.code, code.published) for code in response.context["page"]] == [("S0C7", 1)]


def test_a_code_page_tells_entries_about_the_code_from_those_that_mention_it(client: Client) -> None:
    own = an_entry()
    other = an_entry(
        title="Reading a dump", problem="Any dump at all.", solution="Open it and read.", codes=["CEE3207S", "S0C7"]
    )
    ErrorCode.objects.filter(code="S0C7").update(meaning="Not a number")
    response = client.get(reverse("code", args=["S0C7"]))
    assert response.context["own"] == [own]
    assert response.context["others"] == [other]
    assert "Not a number" in response.content.decode()


def test_codes_with_signs_and_blanks_have_a_page(client: Client) -> None:
    an_entry(title="End of data", codes=["SQLCODE +100"])
    assert "SQLCODE +100" in page(client, reverse("code", args=["SQLCODE +100"]))


def test_the_theme_is_remembered_without_scripts_and_never_leads_off_the_site(client: Client) -> None:
    response = client.post(reverse("theme"), {"next": "https://elsewhere.example/"})
    assert response["Location"] == reverse("home")
    assert 'data-theme="dark"' in page(client, reverse("home"))
    client.post(reverse("theme"), {"next": "/browse/"})
    assert 'data-theme="light"' in page(client, reverse("home"))


def test_a_page_that_is_not_there_says_so(client: Client) -> None:
    response = client.get(reverse("entry", args=[uuid.uuid4()]))
    assert response.status_code == 404
    assert "Nothing here" in response.content.decode()


def test_a_form_without_its_token_gets_the_page_of_refusal() -> None:
    entry = an_entry()
    response = Client(enforce_csrf_checks=True).post(reverse("entry_vote", args=[entry.pk]), {"worked": "yes"})
    assert response.status_code == 403
    assert "This form is no longer valid" in response.content.decode()


@pytest.mark.parametrize("template", ["400.html", "414.html", "431.html", "500.html", "503.html"])
def test_pages_of_failure_need_neither_request_nor_database(template: str) -> None:
    from django.template.loader import render_to_string

    assert "<h1" in render_to_string(template)


def test_pages_hold_no_inline_script_or_style(client: Client) -> None:
    entry = an_entry()
    client.force_login(a_person("add_entry", "change_entry", "delete_entry", "publish_entry", is_staff=True))
    urls = ["home", "browse", "search", "tags", "codes", "entry_create"]
    for url in [*map(reverse, urls), entry.get_absolute_url(), reverse("entry_edit", args=[entry.pk])]:
        html = page(client, url)
        assert " style=" not in html and "<style" not in html and " onclick=" not in html, url
        assert "<script>" not in html, url


def test_the_page_of_a_closed_level_says_what_opens_it(client: Client) -> None:
    from django.test import RequestFactory

    from migrations_ops.gate import closed_page
    from migrations_ops.phase import phase_at

    request = RequestFactory().get("/analytics/")
    request.user = a_person()  # type: ignore[assignment]
    response = closed_page(request, phase_at(2))
    assert response.status_code == 403
    assert "It opens with MVP2; this site is at MVP1." in response.content.decode()
