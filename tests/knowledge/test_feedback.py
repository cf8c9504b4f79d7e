"""One vote a reader, counters that follow it, also when many vote at once."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from knowledge.errors import EntryGoneError, FeedbackInvalidError
from knowledge.feedback import feedback_give
from knowledge.models import Entry, Feedback, SearchDoc
from tests.knowledge.builders import entry_built


def counters(entry: Entry) -> tuple[int, int]:
    entry.refresh_from_db()
    return entry.success_count, entry.failure_count


@pytest.mark.django_db
def test_a_second_vote_of_the_same_reader_replaces_the_first() -> None:
    entry = entry_built()
    feedback_give(entry=entry, worked=True, voter="session:a", rating=5)
    feedback_give(entry=entry, worked=True, voter="session:b")
    assert counters(entry) == (2, 0)
    feedback_give(entry=entry, worked=False, voter="session:a", comment="not on z/OS 3.1")
    assert counters(entry) == (1, 1)
    vote = Feedback.objects.get(voter="session:a")
    assert (vote.worked, vote.rating, vote.comment) == (False, None, "not on z/OS 3.1")


@pytest.mark.django_db
def test_the_same_vote_twice_counts_once() -> None:
    entry = entry_built()
    for _ in range(2):
        feedback_give(entry=entry, worked=False, voter="user:1")
    assert counters(entry) == (0, 1)


@pytest.mark.django_db
def test_a_proven_entry_moves_up_in_the_index() -> None:
    entry = entry_built()
    before = SearchDoc.objects.get().rank
    for number in range(5):
        feedback_give(entry=entry, worked=True, voter=f"user:{number}")
    assert SearchDoc.objects.get().rank < before


@pytest.mark.django_db
@pytest.mark.parametrize("fields", [{"rating": 6}, {"rating": 0}, {"comment": "x" * 2_001}, {"voter": "v" * 81}])
def test_a_vote_with_a_wrong_field_is_refused(fields: dict[str, object]) -> None:
    entry = entry_built()
    with pytest.raises(FeedbackInvalidError) as caught:
        feedback_give(**{"entry": entry, "worked": True, "voter": "user:1", **fields})  # type: ignore[arg-type]
    assert caught.value.code == "feedback_invalid"
    assert counters(entry) == (0, 0)


@pytest.mark.django_db
def test_a_vote_for_a_deleted_entry_says_that_it_is_gone() -> None:
    with pytest.raises(EntryGoneError):
        feedback_give(entry=Entry(pk=uuid4()), worked=True, voter="user:1")


@pytest.mark.django_db
def test_the_database_itself_refuses_a_second_vote() -> None:
    entry = entry_built()
    Feedback.objects.create(entry=entry, worked=True, voter="user:1")
    with pytest.raises(IntegrityError), transaction.atomic():
        Feedback.objects.create(entry=entry, worked=True, voter="user:1")


@pytest.mark.django_db(transaction=True)
def test_votes_given_at_once_all_count_and_each_reader_once() -> None:
    entry = entry_built()

    def vote(number: int) -> None:
        try:
            feedback_give(entry=entry, worked=True, voter=f"user:{number % 4}")
        finally:
            connection.close()

    threads = [threading.Thread(target=vote, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters(entry) == (4, 0)
    assert Feedback.objects.count() == 4
