"""The page that reads a log: what it shows, what it refuses, what it keeps."""

from __future__ import annotations

import gzip
from io import BytesIO

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from knowledge.entries import entry_publish
from knowledge.logs import LOG_BYTES
from knowledge.models import Entry, EntryReview, EntryStatus, SearchQuery, Validation
from tests.knowledge.logs.samples import DB2_BATCH, S0C7_JOB
from tests.knowledge.page_builders import a_person, an_entry

pytestmark = pytest.mark.django_db


def read(client: Client, text: str) -> str:
    response = client.post(reverse("logs"), {"text": text})
    assert response.status_code == 200
    return response.content.decode()


def test_the_entry_of_the_cause_comes_first_and_nothing_is_stored(client: Client) -> None:
    an_entry(title="U4038: the run time gave up", codes=["U4038"], problem="Seen after S0C7.")
    an_entry(title="S0C7 and its message", codes=["S0C7", "CEE3207S"])
    an_entry(title="S0C7 in general", codes=["S0C7"])
    an_entry(title="S0C7 how-to", codes=["S0C7", "CEE3207S", "U4038"])

    html = read(client, S0C7_JOB)

    assert html.index("S0C7 and its message") < html.index("S0C7 in general")
    assert html.index("S0C7 in general") < html.index("S0C7 how-to") < html.index("U4038: the run time")
    assert "line 20" in html and "PAYCALC" in html and "STEP020" in html
    assert Entry.objects.count() == 4 and not SearchQuery.objects.exists()


def test_drafts_are_not_offered(client: Client) -> None:
    an_entry(title="Hidden S0C7", status=EntryStatus.DRAFT)
    assert "Hidden S0C7" not in read(client, S0C7_JOB)


def test_a_log_without_codes_says_so(client: Client) -> None:
    assert "No code was found" in read(client, "nothing to see")


def test_a_file_of_any_bytes_is_read(client: Client) -> None:
    upload = BytesIO(b"\xff\xfe\x00 ABEND=S0C7 U0000")
    upload.name = "spool.bin"
    response = client.post(reverse("logs"), {"file": upload, "text": ""})
    assert b"S0C7" in response.content


@pytest.mark.parametrize("size", [LOG_BYTES + 1, 3 * LOG_BYTES, 7 * LOG_BYTES])
def test_a_log_over_the_limit_is_refused_with_the_limit(client: Client, size: int) -> None:
    response = client.post(reverse("logs"), {"text": "x" * size})
    assert response.status_code == 413
    assert "longer than 1024 KB" in response.content.decode()
    upload = BytesIO(b"x" * size)
    upload.name = "spool.txt"
    assert client.post(reverse("logs"), {"file": upload}).status_code == 413


def test_a_log_at_the_limit_is_read_and_the_page_stays_light(client: Client) -> None:
    line = " IEF285I   PROD.PAY.MASTER                              KEPT\r\n"
    text = (S0C7_JOB * 40 + line * (LOG_BYTES // len(line)))[:LOG_BYTES]
    html = read(client, text)
    assert "not sent back" in html and text[:200] not in html
    assert len(gzip.compress(html.encode())) < 60_000


def test_a_log_asks_the_database_a_bounded_number_of_times(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        an_entry(title=f"Entry {number}", codes=["S0C7", f"IDC{number:04d}I"], tags=[f"t{number}"])
    text = S0C7_JOB + "\n".join(f"IDC{number:04d}I LINE" for number in range(150))
    with django_assert_max_num_queries(8):
        read(client, text)


def test_the_token_of_the_form_is_checked() -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(reverse("logs"), {"text": "S0C7"}).status_code == 403
    client.get(reverse("logs"))
    token = client.cookies["csrftoken"].value
    assert client.post(reverse("logs"), {"text": "S0C7", "csrfmiddlewaretoken": token}).status_code == 200


def test_readers_are_not_offered_to_keep_lines(client: Client) -> None:
    assert reverse("log_draft") not in read(client, S0C7_JOB)
    assert client.post(reverse("log_draft"), {"keep": "yes"}).status_code == 302  # to the log-in
    client.force_login(a_person())
    assert client.post(reverse("log_draft"), {"keep": "yes"}).status_code == 403
    assert not Entry.objects.exists()


def test_only_ticked_lines_are_kept_and_only_as_a_draft(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    html = read(client, DB2_BATCH)
    assert 'value="SQLCODE -911 in step UPD"' in html
    lines = " DSNT408I SQLCODE = -911\n``` fence"
    form = {"title": "SQLCODE -911 in ORDUPD01", "lines": lines, "codes": "SQLCODE -911, U0911", "category": "DB2"}

    response = client.post(reverse("log_draft"), form)
    assert response.status_code == 422 and "tick the box" in response.content.decode()
    assert "DSNT408I SQLCODE = -911" in response.content.decode()
    assert not Entry.objects.exists()

    response = client.post(reverse("log_draft"), {**form, "keep": "yes"})
    entry = Entry.objects.get()
    assert response.url == reverse("entry_edit", args=[entry.pk])  # type: ignore[attr-defined]
    assert (entry.status, entry.category) == (EntryStatus.DRAFT, "DB2")
    assert [link.error_code.code for link in entry.entrycode_set.order_by("position")][:2] == ["SQLCODE -911", "U0911"]
    assert entry.problem == "````\nDSNT408I SQLCODE = -911\n``` fence\n````"


def test_what_is_kept_of_a_log_is_held_back_until_somebody_published_it(client: Client) -> None:
    author = a_person("add_entry")
    client.force_login(author)
    client.post(
        reverse("log_draft"),
        {"title": "S0C7 in ZEBRA1", "lines": "ZEBRA1 S0C7", "codes": "S0C7", "category": "Batch", "keep": "yes"},
    )
    entry = Entry.objects.get()
    assert EntryReview.objects.get(entry=entry).validation == Validation.WIP
    shown = [
        f"{reverse('search')}?q=zebra1", f"{reverse('search')}?q=S0C7", reverse("home"), reverse("browse"), reverse("feed"),
        reverse("code", args=["S0C7"]), f"{reverse('api:search')}?q=zebra1", reverse("api:entries"),
    ]  # fmt: skip
    pages = {url: client.get(url).content.decode() for url in shown}
    assert [url for url, html in pages.items() if str(entry.pk) in html] == []

    entry_publish(entry=entry, author=None)
    assert str(entry.pk) in client.get(shown[0]).content.decode()


def test_a_draft_that_cannot_be_saved_keeps_the_lines(client: Client) -> None:
    client.force_login(a_person("add_entry"))
    form = {"title": "x", "lines": "S0C7 here", "codes": "", "category": "nonsense", "keep": "yes"}
    response = client.post(reverse("log_draft"), form)
    assert response.status_code == 422 and "S0C7 here" in response.content.decode()


def test_an_empty_box_is_not_read(client: Client) -> None:
    response = client.post(reverse("logs"), {"text": " \n"})
    assert response.status_code == 422 and "There is nothing to read" in response.content.decode()
