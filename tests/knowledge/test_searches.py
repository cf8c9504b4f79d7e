"""The history holds one row for each search, whatever it took to type it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from knowledge.models import SearchQuery
from knowledge.search import SearchFilters, entry_search
from knowledge.searches import search_opened, search_record
from tests.knowledge.builders import entry_built
from tests.rates import rates_clear

pytestmark = pytest.mark.django_db

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def record(text: str, *, seconds: int = 0, searcher: str = "session:a") -> SearchQuery | None:
    return search_record(results=entry_search(text), searcher=searcher, at=NOON + timedelta(seconds=seconds))


def test_a_program_that_searches_without_end_does_not_fill_the_history(settings: Settings) -> None:
    rates_clear()
    settings.SEARCHES_KEPT_PER_MINUTE, settings.SEARCHES_KEPT_PER_ADDRESS = 3, 5
    results = [entry_search(text) for text in ("abend", "deadlock", "queue", "lock", "space", "tape", "loop")]
    for found in results:
        search_record(results=found, searcher="session:robot", at=NOON)
    assert SearchQuery.objects.count() == 3
    for number, found in enumerate(results):  # somebody new each time, from one address
        search_record(results=found, searcher=f"session:{number}", address="192.0.2.9", at=NOON)
    assert SearchQuery.objects.count() == 3 + 5
    assert search_record(results=results[0], searcher="session:robot", at=NOON + timedelta(minutes=1))


def test_a_search_that_is_not_kept_is_answered(client: Client, settings: Settings) -> None:
    settings.SEARCHES_KEPT_PER_MINUTE = 0
    entry_built(title="Deadlock at night")
    assert " at night" in client.get(reverse("search"), {"q": "deadlock"}).content.decode()
    assert not SearchQuery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_who_reads_gets_an_answer_from_a_database_that_takes_no_writes(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    entry = entry_built(title="Deadlock at night")
    if connection.vendor == "postgresql":
        pytest.skip("a full disk of PostgreSQL is tried with the moves")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
        try:
            found = client.get(reverse("search"), {"q": "deadlock"}).content.decode()
            read = client.get(entry.get_absolute_url() + "?s=1")
        finally:
            cursor.execute("PRAGMA query_only = OFF")
    assert " at night" in found and read.status_code == 200
    assert "A search was not noted" in caplog.text and "A view was not noted" in caplog.text
    assert not SearchQuery.objects.exists()


def queries() -> list[str]:
    return list(SearchQuery.objects.order_by("pk").values_list("query", flat=True))


def test_keystrokes_of_one_person_are_one_search() -> None:
    entry_built(title="Deadlock at night")
    for second, text in enumerate(["de", "dead", "deadl", "deadlock", "deadlo"]):
        record(text, seconds=second * 10)
    assert queries() == ["deadlo"]


def test_another_text_another_person_and_a_later_time_are_other_searches() -> None:
    record("dead")
    record("vsam", seconds=1)
    record("vsam o", seconds=2, searcher="session:b")
    record("vsam open", seconds=40)
    assert queries() == ["dead", "vsam", "vsam o", "vsam open"]


def test_a_search_that_opened_an_entry_is_finished() -> None:
    entry = entry_built()
    first = record("nightly")
    assert first
    assert search_opened(search_id=first.pk, entry=entry, searcher="session:a")
    record("nightly run", seconds=5)
    assert queries() == ["nightly", "nightly run"]
    assert SearchQuery.objects.get(pk=first.pk).opened_entry == entry


def test_nobody_marks_the_search_of_somebody_else() -> None:
    first = record("nightly")
    assert first
    assert not search_opened(search_id=first.pk, entry=entry_built(), searcher="session:b")


def test_an_empty_search_is_not_recorded() -> None:
    assert record("  \0 ") is None
    assert queries() == []


def test_a_row_says_what_was_found_and_how() -> None:
    entry_built(title="Zebra VSAM", category="VSAM")
    results = entry_search("Zebras \0\ud800", filters=SearchFilters(category="VSAM"))
    row = search_record(results=results, searcher="user:1", at=NOON)
    assert row
    row.refresh_from_db()
    assert (row.query, row.normalized, row.result_count, row.filters) == ("Zebras", "zebra", 1, {"category": "VSAM"})
    assert row.elapsed_ms > 0
    assert row.created_at == NOON


def test_a_pasted_log_is_cut_to_what_the_history_keeps() -> None:
    row = record("IEF450I PAYJOB " * 1_000)
    assert row
    assert len(row.query) <= 500
