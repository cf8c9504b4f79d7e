"""Writing entries on the reader pages, for those allowed."""

from __future__ import annotations

import re

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from knowledge.entries import entry_update
from knowledge.models import Entry, EntryReview, EntryRevision, EntryStatus, SearchQuery, Validation
from knowledge.outlines import OUTLINES, Outline
from knowledge.views.conflicts import entry_values
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


def stale_post(client: Client, entry: Entry, typed: dict[str, object], **saved: object) -> HttpResponse:
    """Someone else saves while a person types; the answer to the person's Save."""
    client.force_login(a_person("change_entry"))
    entry_update(entry=entry, expected_version=1, author=None, **saved)
    return client.post(reverse("entry_edit", args=[entry.pk]), {**typed, "version": 1})


def test_a_stale_edit_shows_both_texts_and_saves_only_when_sent_again(client: Client) -> None:
    entry = an_entry()
    response = stale_post(client, entry, TYPED, solution="Saved by someone else meanwhile.")

    html = response.content.decode()
    assert response.status_code == 409
    (conflict,) = response.context["comparison"].conflicts
    (row,) = conflict.rows
    assert conflict.name == "solution" and "<del>" in html and "<ins>" in html
    assert "".join(piece.text for piece in row.old) == "Saved by someone else meanwhile."
    assert "".join(piece.text for piece in row.new) == TYPED["solution"]
    assert Entry.objects.get().solution == "Saved by someone else meanwhile."
    assert '<input type="hidden" name="version" value="2"' in html
    client.post(reverse("entry_edit", args=[entry.pk]), {**TYPED, "version": 2, "keep_solution": "typed"})
    assert Entry.objects.get().solution == TYPED["solution"]


def test_a_person_can_choose_the_saved_text_field_by_field(client: Client) -> None:
    entry = an_entry()
    stale_post(client, entry, TYPED, solution="Saved by someone else.", title="Their title", tags=["theirs"])
    choices = {"keep_solution": "saved", "keep_tags": "saved", "keep_title": "typed"}
    client.post(reverse("entry_edit", args=[entry.pk]), {**TYPED, "version": 2, **choices})
    entry.refresh_from_db()
    assert (entry.solution, entry.title, entry.version) == ("Saved by someone else.", TYPED["title"], 3)
    assert list(entry.tags.values_list("name", flat=True)) == ["theirs"]


def test_fields_that_only_the_other_person_changed_are_taken_over(client: Client) -> None:
    entry = an_entry()
    untouched = {**entry_values(entry), "tags": "abend", "codes": "S0C7"}
    typed = {**untouched, "problem": "The step ends with S0C7, always in the same record."}

    response = stale_post(client, entry, typed, title="S0C7: their better title", severity="critical")

    comparison = response.context["comparison"]
    assert (comparison.conflicts, comparison.taken, comparison.own) == ((), ("Title", "Severity"), ("Problem",))
    sent_again = {**response.context["form"].data}
    client.post(reverse("entry_edit", args=[entry.pk]), sent_again)
    entry.refresh_from_db()
    assert (entry.title, entry.severity, entry.problem) == ("S0C7: their better title", "critical", typed["problem"])


def test_without_the_version_they_began_from_every_difference_is_a_conflict(client: Client) -> None:
    entry = an_entry()
    response = stale_post(client, entry, {**TYPED, "title": entry.title}, title="Their title")
    assert [one.name for one in response.context["comparison"].conflicts] == []
    EntryRevision.objects.all().delete()
    response = client.post(reverse("entry_edit", args=[entry.pk]), {**TYPED, "version": 1})
    assert {"title", "problem", "solution"} <= {one.name for one in response.context["comparison"].conflicts}


def test_two_people_who_save_the_same_have_nothing_to_decide(client: Client) -> None:
    entry = an_entry()
    typed = {**entry_values(entry), "tags": "abend", "codes": "S0C7", "title": "The same new title"}
    response = stale_post(client, entry, typed, title="The same new title")
    assert "nothing left to do" in response.content.decode()


def test_saving_without_a_change_makes_no_version(client: Client) -> None:
    entry = an_entry()
    client.force_login(a_person("change_entry"))
    url = reverse("entry_edit", args=[entry.pk])
    shown = client.get(url).context["form"]
    sent = {name: shown[name].value() for name in shown.fields}
    sent |= {"tags": "abend", "codes": "S0C7", "solution": entry.solution.replace("\n", "\r\n")}

    page = client.post(url, sent, follow=True).content.decode()
    client.post(url, {**sent, "title": "S0C7: now with a change"})

    assert "You changed nothing" in page
    assert list(EntryRevision.objects.order_by("version").values_list("version", flat=True)) == [1, 2]
    assert Entry.objects.get().title == "S0C7: now with a change"


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


# Outlines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("outline", OUTLINES, ids=lambda outline: outline.name)
def test_an_outline_fills_the_form_and_cannot_be_saved_as_it_is(client: Client, outline: Outline) -> None:
    client.force_login(a_person("add_entry"))
    url = reverse("entry_create")
    form = client.get(url, {"outline": outline.name}).context["form"]
    assert form["problem"].value().startswith(str(outline.problem)[:20])
    response = client.post(url, {**TYPED, **outline.values()})
    assert {"problem", "solution"} <= response.context["form"].errors.keys()
    assert not Entry.objects.exists()


def test_choosing_an_outline_keeps_what_is_typed(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    typed = {**TYPED, "solution": "", "outline": "cics"}
    form = client.post(reverse("entry_create"), typed).context["form"]
    assert (form["problem"].value(), form["tags"].value()) == (TYPED["problem"], TYPED["tags"])
    assert "## Likely causes" in form["solution"].value()
    assert form["category"].value() == TYPED["category"]
    assert not form.errors


def test_another_outline_replaces_the_one_nobody_wrote_into(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    abend = next(outline for outline in OUTLINES if outline.name == "abend")
    form = client.post(reverse("entry_create"), {**abend.values(), "outline": "sqlcode"}).context["form"]
    assert "DSNT408I" in form["problem"].value() and form["category"].value() == "DB2"


@pytest.mark.parametrize(("code", "words"), [("-803", "DSNT408I"), ("S0C7", "IEF450I"), ("FS 35", "file status")])
def test_the_first_entry_of_a_code_starts_from_the_outline_of_its_kind(client: Client, code: str, words: str) -> None:
    client.force_login(a_person("add_entry"))
    form = client.get(reverse("entry_create"), {"codes": code}).context["form"]
    assert words in form["problem"].value()


# Beside the form --------------------------------------------------------------------------------


def test_the_panel_shows_codes_similar_entries_and_the_text_as_it_will_look(client: Client) -> None:
    like_it = an_entry()
    hidden = an_entry(title="S0C7 in a draft of someone else", status=EntryStatus.DRAFT)
    client.force_login(a_person("add_entry"))
    typed = {"title": "S0C7 after a packed field", "problem": "Ends with SQLCODE=-803, **too**.", "codes": "s322"}

    html = client.post(reverse("entry_assist"), typed).content.decode()

    assert like_it.title in html and hidden.title not in html
    assert re.findall(r'class="code[^>]*>([^<]+)<', html) == ["S322", "S0C7", "SQLCODE -803"]
    assert "<strong>too</strong>" in html
    assert 'hx-swap-oob="true"' in html and "1 similar entry" in html
    assert not SearchQuery.objects.exists()


def test_the_panel_leaves_out_the_entry_that_is_edited(client: Client) -> None:
    entry = an_entry()
    client.force_login(a_person("change_entry"))
    assert entry.title not in similar_titles(client, f"?entry={entry.pk}")
    assert entry.title in similar_titles(client, "?entry=nonsense")


def similar_titles(client: Client, query: str) -> list[str]:
    response = client.post(reverse("entry_assist") + query, {"title": "S0C7: data exception"})
    return [entry.title for entry in response.context["assistance"].similar]


@pytest.mark.parametrize(
    "text", ["", "\0", "\ud800", "<script>alert(1)</script>", "`" * 3000, "[" * 3000, "S0C7 " * 10_000, "%(x)s {0}"]
)
def test_the_panel_takes_any_text(client: Client, text: str) -> None:
    client.force_login(a_person("add_entry"))
    data = dict.fromkeys(("title", "problem", "solution", "codes", "tags"), text.encode("utf-8", "replace").decode())
    response = client.post(reverse("entry_assist"), data)
    assert response.status_code == 200
    assert "<script" not in response.content.decode()


def test_the_panel_is_for_those_who_write(client: Client) -> None:
    url = reverse("entry_assist")
    assert client.post(url).status_code == 403
    client.force_login(a_person())
    assert client.post(url).status_code == 403
    client.force_login(a_person("add_entry", name="wri"))
    assert client.get(url).status_code == 405


def test_the_panel_asks_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        an_entry(title=f"S0C7 in step {number}")
    client.force_login(a_person("add_entry"))
    with django_assert_max_num_queries(20):
        client.post(reverse("entry_assist"), {"title": "S0C7 in a step", "problem": "SQLCODE -803 and FS 35 " * 20})


# Drafts and reviews -----------------------------------------------------------------------------


def test_a_draft_is_work_in_progress_until_its_author_asks_for_a_review(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    client.post(reverse("entry_create"), TYPED)
    entry = Entry.objects.get()
    assert entry.review.validation == Validation.WIP
    client.post(reverse("entry_edit", args=[entry.pk]), {**TYPED, "version": 1, "ask": ""})
    assert EntryReview.objects.get().validation == Validation.NOT_VALIDATED


def test_authors_edit_their_own_draft_and_not_once_it_is_published(client: Client) -> None:
    author = a_person("add_entry")
    entry = an_entry(status=EntryStatus.DRAFT, author=author)
    client.force_login(author)
    url = reverse("entry_edit", args=[entry.pk])
    assert client.get(url).status_code == 200
    assert url in client.get(entry.get_absolute_url()).content.decode()
    Entry.objects.update(status=EntryStatus.PUBLISHED)
    assert client.get(url).status_code == 403
    assert client.post(url, {**TYPED, "version": 1}).status_code == 403


def test_what_is_published_at_once_waits_for_a_review(client: Client) -> None:
    client.force_login(a_person("add_entry", "publish_entry"))
    client.post(reverse("entry_create"), {**TYPED, "publish": ""})
    assert EntryReview.objects.get().validation == Validation.NOT_VALIDATED


def test_a_text_over_the_limit_says_both_lengths_and_is_kept(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    response = client.post(reverse("entry_create"), {**TYPED, "problem": "x" * 5_001})
    html = response.content.decode()
    assert response.status_code == 422
    assert "at most 5000 characters (it has 5001)" in html and "x" * 5_001 in html


def test_an_entry_that_is_begun_for_a_code_has_the_entries_about_it_beside_it(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    entry = an_entry(title="S0C7: data exception")
    response = client.get(reverse("entry_create"), {"codes": "soc7"})
    assert [one.pk for one in response.context["assistance"].similar] == [entry.pk]


def test_each_error_of_a_form_has_one_place_that_its_field_names(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    html = client.post(reverse("entry_create"), {"title": ""}).content.decode()
    assert html.count('id="id_title_error"') == 1 and "id_title_error" in html.partition('name="title"')[2][:600]
