"""The searches that both databases of a move must answer alike."""

from __future__ import annotations

import pytest
from django.db import connection

from knowledge.models import SearchQuery
from knowledge.search import entry_search, search_parity
from knowledge.starter import starter_load
from migrations_ops.move.parity import parity_queries

pytestmark = pytest.mark.django_db


def searched(query: str, times: int, **filters: str) -> None:
    for _ in range(times):
        SearchQuery.objects.create(query=query, normalized=query.lower(), filters=filters)


def test_the_most_frequent_searches_come_first_with_their_filters_then_codes() -> None:
    starter_load()
    searched("job abend", 3)
    searched("S0C7", 5)
    searched("file status", 1, category="VSAM")
    names = [query.name for query in search_parity()]
    assert names[:3] == ["S0C7", "job abend", "file status category:VSAM"]
    assert 3 < len(names) <= 23


def test_a_site_without_history_is_asked_for_its_codes() -> None:
    starter_load()
    answers = [query.answer(connection.alias) for query in parity_queries()]
    assert len(answers) > 5
    assert all(int(answer[0].removeprefix("total ")) > 0 for answer in answers)


def test_an_answer_is_the_first_page_with_scores() -> None:
    starter_load()
    searched("S0C7", 1)
    first = next(iter(search_parity())).answer(connection.alias)
    hits = entry_search("S0C7", page_size=20).hits
    assert [line.split()[0] for line in first[2:]] == [hit.entry.pk.hex for hit in hits]
