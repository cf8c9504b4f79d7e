"""History pages, and addresses that stay right whatever happens to an entry."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from knowledge.entries import entry_update
from knowledge.models import Entry, EntryAddress, EntryRevision, EntryStatus, entry_slug
from knowledge.urls import urlpatterns
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db


def edited(entry: Entry, **fields: object) -> Entry:
    entry.refresh_from_db()
    return entry_update(entry=entry, expected_version=entry.version, author=None, **fields)


def html_of(client: Client, url: str, **data: object) -> str:
    response = client.get(url, data)
    assert response.status_code == 200
    return response.content.decode()


# Addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("S0C7: data exception", "s0c7-data-exception"),
        ("Edit", ""),
        ("汎用機", ""),
        ("W" * 200, ""),
        ("word " * 40, "word-" * 15 + "word"),
    ],
)
def test_a_title_makes_a_readable_address(title: str, slug: str) -> None:
    assert entry_slug(title) == slug


def test_no_action_below_an_entry_can_be_taken_for_a_title() -> None:
    routes = [str(path.pattern) for path in urlpatterns if str(path.pattern).startswith("entries/<uuid:pk>/")]
    names = {route.split("/")[2] for route in routes} - {"<slug:slug>", ""}
    assert names >= {"edit", "history"}
    assert [name for name in names if "-" in name] == []


def test_an_address_survives_a_new_title_and_keeps_its_query(client: Client) -> None:
    entry = an_entry(title="S0C7 in the tax run")
    old = entry.get_absolute_url()
    assert old.endswith("/s0c7-in-the-tax-run/")
    edited(entry, title="S0C7 in every run")
    response = client.get(old, {"s": "4"})
    assert response.status_code == 302
    assert response["Location"] == Entry.objects.get().get_absolute_url() + "?s=4"


def test_the_plain_address_shows_the_entry_and_names_the_readable_one(client: Client) -> None:
    entry = an_entry()
    html = html_of(client, reverse("entry", args=[entry.pk]))
    assert f'<link rel="canonical" href="http://testserver{entry.get_absolute_url()}">' in html


def test_the_address_of_a_merged_entry_leads_to_the_one_that_took_it_over(client: Client) -> None:
    entry, gone = an_entry(), an_entry(title="The same once more")
    addresses = (gone.get_absolute_url(), reverse("entry", args=[gone.pk]))
    EntryAddress.objects.create(old_id=gone.pk, entry=entry, title=gone.title)
    gone.delete()
    for url in addresses:
        assert client.get(url)["Location"] == entry.get_absolute_url()


def test_an_old_address_does_not_tell_of_a_hidden_entry(client: Client) -> None:
    entry = an_entry(status=EntryStatus.DRAFT)
    old_id = "6f0b39a0-51d5-4f2b-a0c3-0b4d4b1f8c55"
    EntryAddress.objects.create(old_id=old_id, entry=entry, title="Old")
    assert client.get(reverse("entry", args=[old_id])).status_code == 404


# History --------------------------------------------------------------------------------------


def test_the_history_lists_versions_with_what_each_changed(client: Client) -> None:
    entry = an_entry()
    edited(entry, title="A clearer title", severity="low", note="After the review")
    html = html_of(client, reverse("entry_history", args=[entry.pk]))
    assert "Version 2" in html and "Version 1" in html and "First version" in html
    assert "Title, severity" in html and "After the review" in html
    assert f"{reverse('entry_compare', args=[entry.pk])}?old=1&amp;new=2" in html


def test_an_entry_without_kept_versions_has_its_present_one(client: Client) -> None:
    entry = an_entry()
    EntryRevision.objects.all().delete()
    assert "Version 1" in html_of(client, reverse("entry_history", args=[entry.pk]))
    assert entry.title in html_of(client, reverse("entry_version", args=[entry.pk, 1]))


def test_a_comparison_shows_both_sides_with_the_changed_words(client: Client) -> None:
    entry = an_entry(solution="Restart the job at STEP020.")
    edited(entry, solution="Restart the chain at STEP020.")
    html = html_of(client, reverse("entry_compare", args=[entry.pk]), old=2, new=1)
    assert "Restart the <del>job</del> at STEP020." in html
    assert "Restart the <ins>chain</ins> at STEP020." in html


def test_equal_versions_say_so(client: Client) -> None:
    entry = an_entry()
    assert "These versions are equal" in html_of(client, reverse("entry_compare", args=[entry.pk]), old=1)


@pytest.mark.parametrize("query", ["old=0", "old=x", "old=99999999999999", "old=1&new=7", "old=%C2%B2"])
def test_a_version_that_never_was_is_not_found(client: Client, query: str) -> None:
    entry = an_entry()
    assert client.get(f"{reverse('entry_compare', args=[entry.pk])}?{query}").status_code == 404
    assert client.get(reverse("entry_version", args=[entry.pk, 99999999999])).status_code == 404


def test_text_of_a_version_is_neutralised(client: Client) -> None:
    entry = an_entry(problem="<script>alert(1)</script> and more")
    edited(entry, problem="<script>alert(2)</script> and more")
    for url in (reverse("entry_compare", args=[entry.pk]) + "?old=1", reverse("entry_version", args=[entry.pk, 1])):
        assert "<script>alert" not in html_of(client, url)


def test_readers_see_published_versions_only_and_editors_all(client: Client) -> None:
    entry = an_entry(status=EntryStatus.DRAFT, title="What nobody should read")
    edited(entry, title="A fit title", status=EntryStatus.PUBLISHED)
    url = reverse("entry_history", args=[entry.pk])
    assert "Version 1" not in html_of(client, url)
    assert client.get(reverse("entry_version", args=[entry.pk, 1])).status_code == 404
    client.force_login(a_person("change_entry"))
    assert "Version 1" in html_of(client, url)


def test_the_history_of_a_draft_is_not_for_readers(client: Client) -> None:
    entry = an_entry(status=EntryStatus.DRAFT)
    for name in ("entry_history", "entry_compare"):
        assert client.get(reverse(name, args=[entry.pk])).status_code == 404


def test_those_who_may_edit_restore_a_version(client: Client) -> None:
    entry = an_entry(title="The right title")
    edited(entry, title="A wrong title")
    url = reverse("entry_restore", args=[entry.pk])
    data = {"version": 1, "expected_version": 2}
    assert client.post(url, data).status_code == 302
    client.force_login(a_person("add_entry"))
    assert client.post(url, data).status_code == 403
    assert Entry.objects.get().version == 2
    client.force_login(a_person("change_entry", name="ed"))
    assert "Restore this version" in html_of(client, reverse("entry_version", args=[entry.pk, 1]))
    client.post(url, data)
    assert (Entry.objects.get().title, Entry.objects.get().version) == ("The right title", 3)


@pytest.mark.parametrize("data", [{"version": 1, "expected_version": 1}, {"version": "x"}, {}])
def test_a_restore_that_comes_too_late_or_names_nothing_changes_nothing(
    client: Client, data: dict[str, object]
) -> None:
    entry = an_entry(title="The right title")
    edited(entry, title="A newer title")
    client.force_login(a_person("change_entry"))
    response = client.post(reverse("entry_restore", args=[entry.pk]), data, follow=True)
    assert response.status_code == 200
    assert Entry.objects.get().title == "A newer title"


def test_history_asks_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    entry = an_entry()
    for number in range(45):
        edited(entry, title=f"Title number {number}")
    for page in (1, 2, 3):
        with django_assert_max_num_queries(5):
            html_of(client, reverse("entry_history", args=[entry.pk]), page=page)
    with django_assert_max_num_queries(4):
        html_of(client, reverse("entry_compare", args=[entry.pk]), old=3, new=9)
