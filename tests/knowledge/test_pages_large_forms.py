"""Fields far over their limit, in forms over Django's own: the page names the limit and gives the text back."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from knowledge.following import flag_raise
from knowledge.models import Entry, EntryStatus
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db

#: More than the 5 MB at which Django refuses a form.
LONG = "S0C7 & more. " * 450_000
#: Less than the 1 MB at which a form of somebody who is not logged in is refused.
LONG_OF_VISITOR = LONG[:800_000]


def sent(client: Client, url: str, **fields: str) -> Any:
    return client.post(url, urlencode(fields), content_type="application/x-www-form-urlencoded")


def assert_kept(response: HttpResponse, limit: str, text: str = LONG) -> None:
    html = response.content.decode()
    assert response.status_code == 422
    assert limit in html
    assert text.strip().replace("&", "&amp;") in html


@pytest.mark.parametrize(
    ("field", "limit"),
    [
        ("title", "at most 255 characters"),
        ("problem", "at most 5000 characters"),
        ("solution", "at most 10000 characters"),
        ("tags", "at most 1000 characters"),
        ("codes", "at most 1000 characters"),
    ],
)
def test_an_entry_that_is_too_long_comes_back_whole(client: Client, field: str, limit: str) -> None:
    client.force_login(a_person("add_entry"))
    typed = {
        "title": "A title",
        "category": "JCL",
        "severity": "low",
        "problem": "It ends early.",
        "solution": "Mend the step.",
    }
    assert_kept(sent(client, reverse("entry_create"), **{**typed, field: LONG}), limit)
    assert not Entry.objects.exists()


def test_an_edit_that_is_too_long_comes_back_whole(client: Client) -> None:
    entry = an_entry()
    client.force_login(a_person("change_entry"))
    typed = {
        "title": "T",
        "category": "JCL",
        "severity": "low",
        "problem": LONG,
        "solution": LONG[:20_000],
        "version": "1",
    }
    response = sent(client, reverse("entry_edit", args=[entry.pk]), **typed)
    assert_kept(response, "at most 5000 characters")
    assert_kept(response, "at most 10000 characters", LONG[:20_000])
    assert_kept(response, "at least 3 characters", "T")


def test_a_comment_and_a_report_that_are_too_long_come_back_whole(client: Client) -> None:
    entry = an_entry()
    for text in (LONG_OF_VISITOR, LONG):
        if text is LONG:
            client.force_login(a_person())
        vote = sent(client, reverse("entry_vote", args=[entry.pk]), worked="yes", comment=text)
        assert_kept(vote, "at most 2000 characters", text)
        flag = sent(client, reverse("entry_flag", args=[entry.pk]), reason="wrong", comment=text)
        assert_kept(flag, "at most 2000 characters", text)
    entry.refresh_from_db()
    assert entry.votes == 0 and not entry.flags.exists()


def test_an_answer_to_a_report_that_is_too_long_comes_back(client: Client) -> None:
    flag = flag_raise(entry=an_entry(), reason="wrong", reporter="user:1")
    client.force_login(a_person("change_entryflag"))
    response = sent(client, reverse("flag_settle", args=[flag.pk]), answer=LONG)
    assert_kept(response, "it may have 500")
    flag.refresh_from_db()
    assert flag.settled_at is None


def test_lines_of_a_log_that_are_not_ticked_come_back(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    assert_kept(sent(client, reverse("log_draft"), title="S0C7", lines=LONG), "Nothing was stored")


def test_a_draft_of_a_log_holds_what_fits(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    assert (
        sent(client, reverse("log_draft"), title="S0C7 again", lines=LONG, keep="yes", category="Batch").status_code
        == 302
    )
    assert Entry.objects.get().status == EntryStatus.DRAFT


def test_a_stranger_s_form_is_read_up_to_a_megabyte(client: Client) -> None:
    """To decode it takes up to a hundred times its size in memory."""
    escaped = b"comment=" + b"%e9" * 400_000
    form = "application/x-www-form-urlencoded"
    for path in (reverse("theme"), reverse("login"), "/nothing/"):
        response = client.post(path, escaped, content_type=form)
        assert (response.status_code, len(response.content) < 10_000) == (413, True)
        assert "larger than 1 MB" in response.content.decode()


def test_a_form_with_files_is_large_for_staff_only(client: Client, settings: Any) -> None:
    settings.LARGE_FORM_BYTES, settings.TRANSFER_LIMITS = 2_000_000, {"file_bytes": 1_000_000}
    big, larger = ({"file": BytesIO(b"x" * size)} for size in (2_500_000, 3_500_000))
    assert client.post(reverse("theme"), big).status_code == 413
    client.force_login(a_person(is_staff=True))
    assert client.post(reverse("theme"), {"file": BytesIO(b"x" * 2_500_000)}).status_code == 302
    assert client.post(reverse("theme"), larger).status_code == 413
