"""Favourites, watched entries and reports: what is kept, what is news, what waits for the staff."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from knowledge.entries import entry_update
from knowledge.errors import EntryGoneError, FlagGoneError, FlagInvalidError
from knowledge.following import flag_raise, flag_settle, flags_open_count, mark_seen, mark_set, marks_of
from knowledge.models import Entry, EntryFlag, EntryMark, EntryStatus
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db


def html_of(client: Client, url: str, **data: object) -> str:
    response = client.get(url, data)
    assert response.status_code == 200
    return response.content.decode()


def edited(entry: Entry) -> Entry:
    entry.refresh_from_db()
    return entry_update(entry=entry, expected_version=entry.version, author=None, title="A new title of it")


# Marks ----------------------------------------------------------------------------------------


def test_a_mark_is_one_row_and_goes_when_nothing_is_left_of_it() -> None:
    entry, ana = an_entry(), User.objects.create_user("ana")
    mark_set(entry=entry, user=ana, favourite=True)
    mark = mark_set(entry=entry, user=ana, watched=True)
    assert mark is not None and mark.favourite and mark.watched
    mark_set(entry=entry, user=ana, favourite=False)
    assert mark_set(entry=entry, user=ana, watched=False) is None
    assert not EntryMark.objects.exists()


def test_a_change_is_news_until_it_is_seen() -> None:
    entry, other, ana = an_entry(), an_entry(title="Another one"), User.objects.create_user("ana")
    for one in (other, entry):
        mark_set(entry=one, user=ana, watched=True)
    edited(entry)
    first, second = marks_of(ana)
    assert (first.entry, first.news, first.seen_version) == (entry, True, 1)
    assert second.news is False
    mark_seen(mark=first, version=2)
    assert [mark.news for mark in marks_of(ana)] == [False, False]


def test_what_changed_before_a_person_began_to_watch_is_no_news() -> None:
    entry, ana = an_entry(), User.objects.create_user("ana")
    mark_set(entry=entry, user=ana, favourite=True)
    mark_set(entry=edited(entry), user=ana, watched=True)
    assert marks_of(ana).get().news is False


def test_the_buttons_of_an_entry_mark_it_with_and_without_scripts(client: Client) -> None:
    entry = an_entry()
    url = reverse("entry_mark", args=[entry.pk])
    assert "Favourite" not in html_of(client, entry.get_absolute_url())
    assert client.post(url, {"action": "favourite"})["Location"].startswith(reverse("login"))
    client.force_login(a_person())
    assert client.post(url, {"action": "favourite"})["Location"] == entry.get_absolute_url()
    answer = client.post(url, {"action": "watch"}, headers={"HX-Request": "true"}).content.decode()
    assert 'value="unwatch" aria-pressed="true"' in answer and 'value="unfavourite"' in answer
    assert "<html" not in answer
    client.post(url, {"action": "explode"})
    assert EntryMark.objects.get().favourite


def test_mine_lists_favourites_and_watched_entries_with_their_news(client: Client) -> None:
    entry, favourite, ana = an_entry(), an_entry(title="Kept for the night"), a_person()
    mark_set(entry=entry, user=ana, watched=True)
    mark_set(entry=favourite, user=ana, favourite=True)
    edited(entry)
    client.force_login(ana)
    html = html_of(client, reverse("mine"))
    assert "Kept for the night" in html and "Version 1 seen, now version 2" in html
    page = html_of(client, Entry.objects.get(pk=entry.pk).get_absolute_url())
    assert f"{reverse('entry_compare', args=[entry.pk])}?old=1" in page
    assert "Version 1 seen" not in html_of(client, reverse("mine"))


def test_mine_is_for_people_and_tells_nothing_of_hidden_entries(client: Client) -> None:
    assert client.get(reverse("mine")).status_code == 302
    ana = a_person()
    entry = an_entry(title="Archived later")
    mark_set(entry=entry, user=ana, watched=True, favourite=True)
    flag_raise(entry=entry, reason="wrong", reporter=f"user:{ana.pk}", user=ana)
    Entry.objects.update(status=EntryStatus.ARCHIVED)
    client.force_login(ana)
    assert "Archived later" not in html_of(client, reverse("mine"))


def test_mine_asks_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    ana = a_person()
    for number in range(20):
        entry = an_entry(title=f"Entry {number}")
        mark_set(entry=entry, user=ana, watched=True, favourite=True)
        flag_raise(entry=entry, reason="wrong", reporter=f"user:{ana.pk}", user=ana)
    client.force_login(ana)
    with django_assert_max_num_queries(9):
        html_of(client, reverse("mine"))


# Reports --------------------------------------------------------------------------------------


def test_a_second_report_of_a_reader_replaces_the_open_one() -> None:
    entry = an_entry()
    flag_raise(entry=entry, reason="wrong", reporter="session:a", comment="No\0w")
    flag_raise(entry=entry, reason="outdated", reporter="session:a")
    flag_raise(entry=entry, reason="outdated", reporter="session:b")
    assert sorted(EntryFlag.objects.values_list("reporter", "reason")) == [
        ("session:a", "outdated"),
        ("session:b", "outdated"),
    ]


def test_a_settled_report_stays_and_a_new_one_is_another() -> None:
    entry, staff = an_entry(), User.objects.create_user("staff")
    flag = flag_raise(entry=entry, reason="wrong", reporter="session:a")
    settled = flag_settle(flag=flag.pk, answer=" Mended,\nthank you. ", author=staff)
    assert (settled.answer, settled.settled_by, flags_open_count()) == ("Mended, thank you.", staff, 0)
    with pytest.raises(FlagGoneError):
        flag_settle(flag=flag.pk, answer="", author=staff)
    flag_raise(entry=entry, reason="wrong", reporter="session:a")
    assert EntryFlag.objects.count() == 2


def test_a_report_that_cannot_be_kept_says_why() -> None:
    entry = an_entry()
    with pytest.raises(FlagInvalidError):
        flag_raise(entry=entry, reason="boring", reporter="session:a")
    with pytest.raises(FlagInvalidError):
        flag_raise(entry=entry, reason="wrong", reporter="session:a", comment="c" * 2_001)
    flag = flag_raise(entry=entry, reason="wrong", reporter="session:a")
    with pytest.raises(FlagInvalidError, match="501"):
        flag_settle(flag=flag.pk, answer="a" * 501, author=None)
    Entry.objects.filter(pk=entry.pk).delete()
    with pytest.raises(EntryGoneError):
        flag_raise(entry=entry, reason="wrong", reporter="session:a")


def test_any_reader_reports_an_entry_and_sees_that_it_arrived(client: Client) -> None:
    entry = an_entry()
    url = reverse("entry_flag", args=[entry.pk])
    html = client.post(url, {"reason": "unclear", "comment": "Which listing?"}, follow=True).content.decode()
    assert "Somebody will look at it" in html and "You reported: I do not understand it" in html
    assert EntryFlag.objects.get().reporter.startswith("session:")


@pytest.mark.parametrize("data", [{}, {"reason": "boring"}, {"reason": "wrong", "comment": "c" * 2_001}])
def test_a_report_that_is_not_understood_keeps_the_typed_text(client: Client, data: dict[str, str]) -> None:
    entry = an_entry()
    data = {"comment": "Kept as typed.", **data}
    response = client.post(reverse("entry_flag", args=[entry.pk]), data)
    assert response.status_code == 422
    assert data["comment"] in response.content.decode()
    assert not EntryFlag.objects.exists()


def test_staff_with_the_permission_settle_reports_and_the_reader_reads_the_answer(client: Client) -> None:
    entry, ana = an_entry(), a_person()
    flag = flag_raise(entry=entry, reason="wrong", reporter=f"user:{ana.pk}", comment="<b>Bold</b> claim", user=ana)
    assert client.get(reverse("flags")).status_code == 302
    client.force_login(ana)
    assert client.get(reverse("flags")).status_code == 403
    assert client.post(reverse("flag_settle", args=[flag.pk])).status_code == 403

    client.force_login(a_person("change_entryflag", name="ed"))
    html = html_of(client, reverse("flags"))
    assert "&lt;b&gt;Bold" in html and "The advice is wrong" in html
    client.post(reverse("flag_settle", args=[flag.pk]), {"answer": "The step is corrected."})
    assert "The step is corrected." in html_of(client, reverse("flags"), show="settled")
    assert "No report is open" in html_of(client, reverse("flags"))
    late = client.post(reverse("flag_settle", args=[flag.pk]), {"answer": "Again"}, follow=True)
    assert "is not open" in late.content.decode()

    client.force_login(ana)
    assert "The step is corrected." in html_of(client, reverse("mine"))


def test_the_list_of_reports_asks_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        flag_raise(entry=an_entry(title=f"Entry {number}"), reason="wrong", reporter=f"session:{number}")
    client.force_login(a_person("change_entryflag"))
    with django_assert_max_num_queries(8):
        assert "Page 1 of 2" in html_of(client, reverse("flags"))


def test_the_page_of_a_watched_entry_asks_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    entry, ana = an_entry(), a_person()
    mark_set(entry=entry, user=ana, watched=True)
    client.force_login(ana)
    url = reverse("entry", args=[entry.pk])
    client.get(url)
    edited(entry)
    with django_assert_max_num_queries(18):
        assert "See what changed" in html_of(client, url)


def test_the_admin_shows_reports_and_versions_to_read(client: Client) -> None:
    flag = flag_raise(entry=an_entry(), reason="wrong", reporter="session:secret")
    client.force_login(User.objects.create_superuser("root", password="pass"))
    for name in ("entryflag", "entryrevision"):
        assert "S0C7: data exception" in html_of(client, reverse(f"admin:knowledge_{name}_changelist"))
        assert client.get(reverse(f"admin:knowledge_{name}_add")).status_code == 403
    url = reverse("admin:knowledge_entryflag_change", args=[flag.pk])
    assert "session:secret" not in html_of(client, url)
    client.post(url, {"reason": "other"})
    assert EntryFlag.objects.get().reason == "wrong"
