"""The admin of the knowledge base: it reads everything and writes through the services."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from knowledge.feedback import feedback_give
from knowledge.models import CodeAlias, Entry, EntryStatus, ErrorCode, Feedback, SearchQuery, Setting, Tag
from knowledge.reviews import review_ask
from knowledge.search import index_check
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client: Client) -> User:
    """The superuser, logged in."""
    person = User.objects.create_superuser("root", password="pass")
    client.force_login(person)
    return person


def typed(entry: Entry | None = None, **values: Any) -> dict[str, Any]:
    given = {
        "title": "FS 35: file not found",
        "category": "VSAM",
        "severity": "medium",
        "status": "published",
        "problem": "OPEN INPUT ends with file status 35.",
        "solution": "Check the **DD** statement.",
        "tag_names": "open, missing-dd",
        "code_names": "FS 35",
        "seen_version": entry.version if entry else "",
    }
    return {**given, **values}


@pytest.mark.parametrize("model", [m for m in admin.site._registry if m._meta.app_label in ("knowledge", "auth")])
def test_every_list_opens_and_searches(client: Client, root: User, model: Any) -> None:
    feedback_give(entry=an_entry(), worked=True, voter="user:1")
    SearchQuery.objects.create(query="s0c7")
    Setting.objects.create(key="a", value=1)
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    assert client.get(url).status_code == 200
    assert client.get(url, {"q": "s0c7"}).status_code in (200, 302)


def test_an_entry_is_added_with_html_tags_codes_and_index(client: Client, root: User) -> None:
    response = client.post(reverse("admin:knowledge_entry_add"), typed())
    assert response.status_code == 302
    entry = Entry.objects.get()
    assert "<strong>DD</strong>" in entry.solution_html
    assert sorted(entry.tags.values_list("name", flat=True)) == ["missing-dd", "open"]
    assert entry.created_by == root
    assert index_check().ok


def test_an_entry_is_changed_and_its_tags_and_codes_stand_in_the_form(client: Client, root: User) -> None:
    entry = an_entry()
    url = reverse("admin:knowledge_entry_change", args=[entry.pk])
    html = client.get(url).content.decode()
    assert 'value="abend"' in html and 'value="S0C7"' in html
    client.post(url, typed(entry))
    entry.refresh_from_db()
    assert (entry.title, entry.version) == ("FS 35: file not found", 2)
    assert index_check().ok


def test_a_stale_change_is_refused(client: Client, root: User) -> None:
    entry = an_entry()
    Entry.objects.update(version=5)
    response = client.post(reverse("admin:knowledge_entry_change", args=[entry.pk]), typed(entry))
    assert "Someone else saved this entry" in response.content.decode()
    assert Entry.objects.get().title == entry.title


def test_without_the_permission_to_publish_the_status_stays(client: Client) -> None:
    entry = an_entry(status=EntryStatus.DRAFT)
    client.force_login(a_person("view_entry", "change_entry", is_staff=True))
    response = client.post(reverse("admin:knowledge_entry_change", args=[entry.pk]), typed(entry))
    assert response.status_code == 302
    entry.refresh_from_db()
    assert (entry.title, entry.status) == ("FS 35: file not found", EntryStatus.DRAFT)


def test_actions_publish_archive_and_delete(client: Client, root: User) -> None:
    entry = an_entry(status=EntryStatus.DRAFT)
    url = reverse("admin:knowledge_entry_changelist")
    for action, status in [("publish", EntryStatus.PUBLISHED), ("archive", EntryStatus.ARCHIVED)]:
        client.post(url, {"action": action, "_selected_action": [str(entry.pk)]})
        assert Entry.objects.get().status == status
    client.post(url, {"action": "delete_selected", "_selected_action": [str(entry.pk)], "post": "yes"})
    assert not Entry.objects.exists()
    assert index_check().ok


def test_an_entry_goes_with_its_journals_and_only_for_those_who_delete_entries(client: Client, root: User) -> None:
    entry, other = an_entry(), an_entry()
    feedback_give(entry=entry, worked=True, voter="user:1")
    review_ask(entry=entry)
    client.post(reverse("admin:knowledge_entry_delete", args=[entry.pk]), {"post": "yes"})
    assert list(Entry.objects.all()) == [other]

    client.force_login(a_person("view_entry", "change_entry", is_staff=True))
    url = reverse("admin:knowledge_entry_delete", args=[other.pk])
    assert client.post(url, {"post": "yes"}).status_code == 403
    assert Entry.objects.exists()


def test_journals_are_read_only(client: Client, root: User) -> None:
    vote = feedback_give(entry=an_entry(), worked=True, voter="user:1")
    search = SearchQuery.objects.create(query="s0c7")
    for name, row in (("feedback", vote), ("searchquery", search)):
        assert client.get(reverse(f"admin:knowledge_{name}_add")).status_code == 403
        assert client.get(reverse(f"admin:knowledge_{name}_change", args=[row.pk])).status_code == 200
        assert client.post(reverse(f"admin:knowledge_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert Feedback.objects.exists() and SearchQuery.objects.exists()


def test_a_renamed_or_deleted_tag_leaves_the_index_right(client: Client, root: User) -> None:
    entry = an_entry()
    tag = Tag.objects.get()
    client.post(reverse("admin:knowledge_tag_change", args=[tag.pk]), {"name": "collapse"})
    assert list(entry.tags.values_list("name", flat=True)) == ["collapse"]
    assert index_check().ok
    client.post(reverse("admin:knowledge_tag_delete", args=[tag.pk]), {"post": "yes"})
    assert not entry.tags.exists()
    assert index_check().ok


def test_an_alias_is_stored_in_lower_case(client: Client, root: User) -> None:
    an_entry()
    code = ErrorCode.objects.get(code="S0C7")
    data = {
        "code": "S0C7",
        "kind": code.kind,
        "meaning": "Not a number",
        "aliases-TOTAL_FORMS": "1",
        "aliases-INITIAL_FORMS": "0",
        "aliases-0-alias": "Data Exception",
        "aliases-0-error_code": str(code.pk),
    }
    response = client.post(reverse("admin:knowledge_errorcode_change", args=[code.pk]), data)
    assert response.status_code == 302
    assert CodeAlias.objects.get().alias == "data exception"
