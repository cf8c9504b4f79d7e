"""The feed of new and changed entries."""

from __future__ import annotations

from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from knowledge.feeds import ENTRIES_LISTED
from knowledge.models import Entry, EntryStatus
from tests.knowledge.page_builders import an_entry

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"


def read(client: Client, address: str = "/feed.atom") -> ET.Element:
    response = client.get(address)
    assert response.status_code == 200 and response["Content-Type"].startswith("application/atom+xml")
    return ET.fromstring(response.content)  # noqa: S314 - our own answer


def test_published_entries_come_the_most_recently_changed_first(client: Client) -> None:
    old = an_entry(title="Old one")
    Entry.objects.filter(pk=old.pk).update(updated_at=timezone.now() - timedelta(days=3))
    new = an_entry(title="New <one> & more", tags=["abend"])
    an_entry(title="Hidden draft", status=EntryStatus.DRAFT)
    entries = read(client).findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == ["New <one> & more", "Old one"]
    assert entries[0].findtext(f"{ATOM}id") == f"urn:uuid:{new.pk}"
    assert entries[0].findtext(f"{ATOM}updated") and entries[0].findtext(f"{ATOM}summary")
    assert [one.get("term") for one in entries[0].findall(f"{ATOM}category")] == ["COBOL", "abend"]


def test_a_category_narrows_the_feed(client: Client) -> None:
    an_entry(title="In COBOL")
    an_entry(title="In VSAM", category="VSAM")
    assert len(read(client, "/feed.atom?category=vsam").findall(f"{ATOM}entry")) == 1
    assert len(read(client, "/feed.atom?category=nonsense").findall(f"{ATOM}entry")) == 2


def test_a_reader_that_has_all_of_it_is_told_so(client: Client) -> None:
    an_entry()
    response = client.get("/feed.atom")
    assert client.get("/feed.atom", headers={"If-Modified-Since": response["Last-Modified"]}).status_code == 304
    Entry.objects.update(updated_at=timezone.now() + timedelta(seconds=2))
    assert client.get("/feed.atom", headers={"If-Modified-Since": response["Last-Modified"]}).status_code == 200


def test_an_empty_knowledge_base_has_an_empty_feed(client: Client) -> None:
    assert read(client).findall(f"{ATOM}entry") == []


def test_the_feed_is_bounded(client: Client, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(ENTRIES_LISTED + 5):
        an_entry(title=f"Entry {number}", tags=[f"t{number}"])
    with django_assert_max_num_queries(5):
        assert len(read(client).findall(f"{ATOM}entry")) == ENTRIES_LISTED


def test_the_feed_says_whose_it_is_and_has_an_address_for_each_category(client: Client) -> None:
    an_entry(problem="The step ends with `S0C7` & <script>alert(1)</script>.")
    feed = read(client, "/feed.atom?category=COBOL")
    assert feed.findtext(f"{ATOM}author/{ATOM}name")
    links = {link.get("rel"): link.get("href", "") for link in feed.findall(f"{ATOM}link")}
    assert links["self"].endswith("/feed.atom?category=COBOL") and links["alternate"].endswith("?category=COBOL")
    assert feed.findtext(f"{ATOM}id") != read(client).findtext(f"{ATOM}id")
    summary = feed.findtext(f"{ATOM}entry/{ATOM}summary") or ""
    assert "<code>" in summary and "<script" not in summary
