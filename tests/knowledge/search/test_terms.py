"""The term list counts what published entries hold, and tells what a beginning or a slip means."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from knowledge.entries import entry_archive, entry_create, entry_delete, entry_update
from knowledge.models import Entry, PromotedResult, SearchDoc, SearchTerm
from knowledge.search import SearchFilters, entry_search, index_rebuild, terms
from knowledge.search.known import known
from knowledge.search.plan import plan_made
from knowledge.search.query import query_parse
from knowledge.search.terms import EVERY, frequencies, meant
from tests.knowledge.builders import entry_built


def counted() -> dict[str, int]:
    """The frequencies that the rows of the index have."""
    found: Counter[str] = Counter()
    for doc in SearchDoc.objects.filter(status="published"):
        texts = f"{doc.codes} {doc.title} {doc.tags} {doc.labels} {doc.problem} {doc.solution}"
        found.update({EVERY, *texts.split()})
    return dict(found)


def becoming(beginning: str) -> dict[str, int]:
    return known(terms=[EVERY], beginning=beginning, runs=[], normalized="").becoming


def listed() -> dict[str, int]:
    return frequencies(set(SearchTerm.objects.values_list("term", flat=True)))


@pytest.mark.django_db
def test_frequencies_follow_every_way_an_entry_is_written() -> None:
    first = entry_built(title="Zebra jobs", tags=["animals"], codes=["S0C7"])
    second = entry_built(title="Zebra runs")
    entry_built(title="Zebra drafts", status="draft")
    assert frequencies(["zebra", "job", "/nothing"]) == {"zebra": 2, "job": 1}
    entry_update(entry=first, expected_version=1, author=None, title="Giraffe jobs")
    assert listed() == counted() and listed()[EVERY] == 2
    entry_archive(entry=second, author=None)
    assert listed() == counted() and "zebra" not in listed()
    entry_delete(entry=first)
    assert listed() == counted() == {}


@pytest.mark.django_db
def test_a_rebuild_puts_wrong_frequencies_right() -> None:
    entry_built(title="Zebra jobs")
    SearchTerm.objects.filter(term="zebra").update(df=7)
    SearchTerm.objects.create(term="unicorn", df=3)
    index_rebuild()
    assert listed() == counted()


@pytest.mark.django_db(transaction=True)
def test_frequencies_stay_right_when_entries_are_written_at_once() -> None:
    fields = {"problem": "Zebra ends here.", "solution": "Start the zebra again.", "category": "JCL"}

    def write(number: int) -> None:
        try:
            entry_create(title=f"Zebra {number}", status="published", **fields)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Entry.objects.count() == 6
    assert listed() == counted() and listed()["zebra"] == 6


@pytest.mark.django_db
def test_a_beginning_becomes_the_most_frequent_terms_first() -> None:
    for title in ("allocation", "allocation", "allocator", "allow"):
        entry_built(title=f"The {title}")
    assert list(becoming("alloc").items()) == [("allocation", 2), ("allocator", 1)]
    assert becoming("zzz") == {}


@pytest.mark.django_db
def test_a_word_that_is_whole_becomes_only_what_is_more_usual() -> None:
    for title in ("allocation", "allocation", "allocator", "allow", "alloc"):
        entry_built(title=f"The {title}")
    (group,) = plan_made(query_parse("alloc", SearchFilters())).tokens
    assert sorted(group) == ["alloc", "allocation"]


@pytest.mark.django_db
def test_what_is_known_of_a_query_comes_in_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    entry = entry_built(title="The allocation")
    PromotedResult.objects.create(normalized="alloc", query="alloc", entry=entry)
    with django_assert_num_queries(1):
        facts = known(terms=[EVERY], beginning="alloc", runs=["alloc"], normalized="alloc")
    assert (facts.frequencies, facts.becoming) == ({EVERY: 1}, {"allocation": 1})
    assert (facts.aliases, facts.promoted) == ([], [entry.pk])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("typed", "term"),
    [
        ("excption", "exception"),
        ("exceeption", "exception"),
        ("excaption", "exception"),
        ("excpetion", "exception"),
        ("exceptio", "exception"),
        ("exxceptoin", ""),
        ("axception", ""),
        ("s0c8", ""),
    ],
)
def test_a_slip_is_understood_when_it_is_one(typed: str, term: str) -> None:
    entry_built(title="S0C7: data exception")
    assert meant(typed) == term


@pytest.mark.django_db
def test_a_mistyped_search_finds_what_was_meant_and_asks() -> None:
    entry_built(title="S0C4: protection exceptions", codes=["S0C4"])
    entry_built(title="Something else altogether")
    results = entry_search("protectin exceptoin")
    assert [hit.entry.title for hit in results.hits] == ["S0C4: protection exceptions"]
    assert results.did_you_mean == "protection exceptions"
    assert "<mark>protection</mark>" in results.hits[0].title_html
    assert entry_search("protection exception").did_you_mean == ""


@pytest.mark.django_db
def test_a_word_that_no_entry_has_and_that_is_like_none_means_nothing() -> None:
    entry_built(title="Zebra jobs")
    results = entry_search("giraffe")
    assert (results.total, results.did_you_mean) == (0, "")


@pytest.mark.django_db
def test_many_terms_are_written_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms, "WRITE_ROWS", 3)
    entry_built(title="Zebra jobs end before the last step of the night")
    assert listed() == counted()
