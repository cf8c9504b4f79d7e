"""Entries that staff put first."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from knowledge.errors import PromotionInvalidError
from knowledge.models import Entry, EntryStatus, PromotedResult
from knowledge.search import SearchFilters, SearchResults, entry_search
from knowledge.search.promoted import promotion_save
from tests.knowledge.page_builders import an_entry

pytestmark = pytest.mark.django_db


def promoted(query: str, entry: Entry, position: int = 0) -> PromotedResult:
    return promotion_save(promotion=PromotedResult(query=query, entry=entry, position=position))


def titles(results: SearchResults) -> list[tuple[str, bool]]:
    return [(hit.entry.title, hit.promoted) for hit in results.hits]


def test_a_promoted_entry_comes_first_for_every_spelling_of_the_search() -> None:
    an_entry(title="S0C7 in general")
    promoted("s0c7", an_entry(title="Our own run-book", codes=[], problem="Call the desk first.", tags=[]))
    assert entry_search("S0C7").total == 2
    for spelling in ("S0C7", "soc7", " 0c7 "):
        assert titles(entry_search(spelling)) == [("Our own run-book", True), ("S0C7 in general", False)]
    assert titles(entry_search("s0c7 data exception")) == [("S0C7 in general", False)]


def test_a_promoted_entry_that_was_found_stands_once_and_keeps_its_marks() -> None:
    for number in range(4):
        promoted_entry = an_entry(title=f"S0C7 number {number}")
    promoted("S0C7", promoted_entry)
    results = entry_search("S0C7")
    assert titles(results)[0] == ("S0C7 number 3", True)
    assert len(results.hits) == results.total == 4 and "<mark>" in results.hits[0].title_html


def test_no_entry_falls_between_two_pages() -> None:
    for number in range(9):
        entry = an_entry(title=f"S0C7 number {number}")
    promoted("S0C7", entry)
    promoted("S0C7", an_entry(title="Run-book", codes=[], problem="Call the desk first."), position=1)
    seen = [title for page in (1, 2, 3) for title, _mark in titles(entry_search("S0C7", page=page, page_size=4))]
    assert sorted(seen) == sorted(["Run-book", *(f"S0C7 number {number}" for number in range(9))])
    assert seen[:2] == ["S0C7 number 8", "Run-book"]


def test_promoted_entries_pass_the_filters_like_all_others() -> None:
    promoted("S0C7", an_entry(title="Draft", status=EntryStatus.DRAFT))
    promoted("S0C7", an_entry(title="In VSAM", category="VSAM"))
    assert titles(entry_search("S0C7")) == [("In VSAM", True)]
    assert titles(entry_search("S0C7", filters=SearchFilters(category="COBOL"))) == []
    assert titles(entry_search("S0C7", filters=SearchFilters(category="VSAM", code="S0C7"))) == [("In VSAM", True)]


def test_a_search_for_nothing_cannot_be_promoted() -> None:
    with pytest.raises(PromotionInvalidError):
        promoted(" ,. ", an_entry())


def test_staff_promote_in_the_admin(admin_client: Client) -> None:
    entry = an_entry(title="Run-book")
    add = reverse("admin:knowledge_promotedresult_add")
    form = {"query": "SOC7", "entry": str(entry.pk), "position": "0"}
    assert b"Nobody can search" in admin_client.post(add, {**form, "query": "..."}).content
    assert admin_client.post(add, form).status_code == 302
    assert PromotedResult.objects.get().normalized == entry_search("S0C7").normalized
    assert b"promoted for that search already" in admin_client.post(add, {**form, "query": "s0c7"}).content
    assert b"Recommended" in admin_client.get(reverse("search"), {"q": "S0C7"}).content
