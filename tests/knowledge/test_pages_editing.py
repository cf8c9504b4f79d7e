"""Writing entries on the reader pages, for those allowed."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from knowledge.entries import entry_update
from knowledge.models import Entry, EntryStatus
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db

TYPED = {
    "title": "FS 35: file not found",
    "category": "VSAM",
    "severity": "medium",
    "problem": "OPEN INPUT ends with file status 35.",
    "solution": "Check the DD statement and the catalog.",
    "tags": "Open, missing-dd, open",
    "codes": "FS 35",
}


def test_nobody_writes_without_the_permission(client: Client) -> None:
    entry = an_entry()
    guarded = [reverse("entry_create"), reverse("entry_edit", args=[entry.pk])]
    for url in guarded:
        assert client.get(url).status_code == 302
    client.force_login(a_person())
    for url in guarded:
        assert client.get(url).status_code == 403
    for name in ("entry_delete", "entry_status"):
        assert client.post(reverse(name, args=[entry.pk]), {"action": "archive"}).status_code == 403
    assert Entry.objects.filter(status=EntryStatus.PUBLISHED).count() == 1


def test_create_saves_a_draft_with_tags_and_codes(client: Client) -> None:
    author = a_person("add_entry")
    client.force_login(author)

    response = client.post(reverse("entry_create"), TYPED, follow=True)

    entry = Entry.objects.get()
    assert (entry.status, entry.created_by) == (EntryStatus.DRAFT, author)
    assert list(entry.tags.values_list("name", flat=True)) == ["missing-dd", "open"]
    assert list(entry.codes.values_list("code", flat=True)) == ["FS 35"]
    assert "The draft is saved." in response.content.decode()


def test_publishing_takes_its_own_permission(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    client.post(reverse("entry_create"), {**TYPED, "publish": ""})
    client.force_login(a_person("add_entry", "publish_entry", name="ed"))
    client.post(reverse("entry_create"), {**TYPED, "publish": ""})
    assert sorted(Entry.objects.values_list("status", flat=True)) == ["draft", "published"]


def test_the_form_is_filled_in_from_the_address(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    html = client.get(reverse("entry_create"), {"title": "S0C7 at night", "codes": "S0C7"}).content.decode()
    assert 'value="S0C7 at night"' in html and 'value="S0C7"' in html
    assert '<option value="medium" selected>' in html


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", "x"), ("problem", "short"), ("category", "Nothing"), ("tags", "t" * 65), ("codes", "c" * 200)],
)
def test_a_mistake_is_marked_at_its_field_and_keeps_the_typed_text(client: Client, field: str, value: str) -> None:
    client.force_login(a_person("add_entry"))
    response = client.post(reverse("entry_create"), {**TYPED, field: value})
    assert response.status_code == 422
    assert field in response.context["form"].errors
    assert TYPED["solution"] in response.content.decode()
    assert not Entry.objects.exists()


def test_a_preview_renders_the_text_and_saves_nothing(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    html = client.post(reverse("entry_create"), {**TYPED, "solution": "Some **bold** advice.", "preview": ""})
    assert "<strong>bold</strong>" in html.content.decode()
    assert not Entry.objects.exists()


def test_edit_saves_a_new_version(client: Client) -> None:
    entry = an_entry()
    client.force_login(a_person("change_entry"))
    client.post(reverse("entry_edit", args=[entry.pk]), {**TYPED, "version": entry.version})
    entry.refresh_from_db()
    assert (entry.title, entry.version, entry.status) == (TYPED["title"], 2, EntryStatus.PUBLISHED)


def test_a_stale_edit_shows_both_versions_and_saves_only_when_sent_again(client: Client) -> None:
    entry = an_entry()
    editor = a_person("change_entry")
    client.force_login(editor)
    url = reverse("entry_edit", args=[entry.pk])
    typed = {**TYPED, "version": entry.version}
    entry_update(entry=entry, expected_version=1, author=None, solution="Saved by someone else meanwhile.")

    response = client.post(url, typed)

    html = response.content.decode()
    assert response.status_code == 409
    assert "-Saved by someone else meanwhile." in html and f"+{TYPED['solution']}" in html
    assert Entry.objects.get().solution == "Saved by someone else meanwhile."
    assert '<input type="hidden" name="version" value="2"' in html
    client.post(url, {**typed, "version": 2})
    assert Entry.objects.get().solution == TYPED["solution"]


def test_publish_and_archive_change_what_readers_see(client: Client) -> None:
    entry = an_entry(status=EntryStatus.DRAFT)
    client.force_login(a_person("change_entry", "publish_entry"))
    url = reverse("entry_status", args=[entry.pk])
    client.post(url, {"action": "publish"})
    assert Entry.objects.get().status == EntryStatus.PUBLISHED
    client.post(url, {"action": "archive"})
    assert Entry.objects.get().status == EntryStatus.ARCHIVED
    client.post(url, {"action": "explode"})
    assert Entry.objects.get().status == EntryStatus.ARCHIVED


def test_delete_asks_first_and_takes_a_post(client: Client) -> None:
    entry = an_entry()
    client.force_login(a_person("delete_entry"))
    assert "Delete for good" in client.get(entry.get_absolute_url()).content.decode()
    assert client.get(reverse("entry_delete", args=[entry.pk])).status_code == 405
    client.post(reverse("entry_delete", args=[entry.pk]))
    assert not Entry.objects.exists()
