"""The index follows the entries, can be checked, and can be made again."""

from __future__ import annotations

import importlib
import json
import signal
import threading
from collections import Counter
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from knowledge.entries import entry_update, entry_viewed
from knowledge.feedback import feedback_give
from knowledge.models import Entry, SearchDoc, SearchTerm, Severity
from knowledge.search import entry_search, index, index_check, index_rebuild, index_rebuild_resume
from knowledge.search.rank import Standing, rank_of, success_proven
from tests.knowledge.builders import entry_built
from tests.knowledge.search.test_terms import counted, listed
from tests.sites import Site


@pytest.mark.django_db
def test_a_check_counts_what_is_missing_and_outdated_and_a_rebuild_mends_it() -> None:
    lost, old, _ = (entry_built(title=f"Zebra {number}") for number in range(3))
    SearchDoc.objects.filter(entry=lost).delete()
    Entry.objects.filter(pk=old.pk).update(title="Giraffe", version=2)
    found = index_check()
    assert (found.entries, found.missing, found.outdated, found.orphaned, found.ok) == (3, 1, 1, 0, False)
    assert index_rebuild() == 3
    assert index_check().ok
    assert entry_search("zebra").total == 2
    assert entry_search("giraffe").total == 1


@pytest.mark.django_db
def test_an_edit_takes_the_old_words_out_of_the_index() -> None:
    entry = entry_built(title="Zebra jobs")
    entry_update(entry=entry, expected_version=1, author=None, title="Giraffe jobs")
    assert entry_search("zebra").total == 0
    assert entry_search("giraffe").total == 1


@pytest.mark.django_db
def test_two_entries_with_the_same_rank_are_both_indexed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.search.index.rank_of", lambda *_: 7)
    entry_built(title="Zebra one")
    entry_built(title="Zebra two")
    assert entry_search("zebra").total == 2
    assert list(SearchDoc.objects.order_by("rank").values_list("rank", flat=True)) == [7, 8]
    for entry in Entry.objects.all():
        entry_viewed(entry=entry)
    assert entry_search("zebra").total == 2


@pytest.mark.django_db(transaction=True)
def test_the_index_tables_can_be_dropped_and_made_again() -> None:
    entry_built(title="Zebra jobs")
    migration = importlib.import_module("knowledge.migrations.0004_search_terms")
    with connection.constraint_checks_disabled(), connection.schema_editor() as editor:
        migration.drop(None, editor)
        migration.build(None, editor)
        importlib.import_module("knowledge.migrations.0010_search_gathers").gather(None, editor)
        importlib.import_module("knowledge.migrations.0011_search_narrow").narrow(None, editor)
        importlib.import_module("knowledge.migrations.0012_search_facets").add(None, editor)
    assert entry_search("zebra").total == 1
    assert index_rebuild() == 1


@pytest.mark.django_db
def test_the_rows_that_a_search_reads_on_postgresql_are_narrow(on_sqlite: bool) -> None:
    if on_sqlite:
        pytest.skip("FTS5 keeps its own rows")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kb_search_vectors (rank, head, words) SELECT n, 'zebra', "
            "(SELECT array_to_tsvector(array_agg('word' || w)) FROM generate_series(1, 80) AS w) "
            "FROM generate_series(1, 200) AS n"
        )
        cursor.execute("SELECT count(DISTINCT (ctid::text::point)[0]) FROM kb_search_vectors")
        assert cursor.fetchone()[0] <= 4


@pytest.mark.django_db
def test_a_rebuild_mends_an_index_that_lost_its_words(on_sqlite: bool) -> None:
    if not on_sqlite:
        pytest.skip("PostgreSQL generates its columns from the row itself")
    entry_built(title="Zebra jobs")
    with connection.cursor() as cursor:
        for table in ("kb_search_head", "kb_search_words"):
            cursor.execute(f"INSERT INTO {table}({table}) VALUES ('delete-all')")
    assert entry_search("zebra").total == 0
    index_rebuild()
    assert entry_search("zebra").total == 1


@pytest.mark.django_db(transaction=True)
def test_a_search_meets_no_token_that_waits_to_be_sorted_in(on_sqlite: bool) -> None:
    if on_sqlite:
        pytest.skip("FTS5 sorts what a transaction writes when it commits")
    pages = "SELECT gin_clean_pending_list('kb_search_head') + gin_clean_pending_list('kb_search_words')"
    with connection.cursor() as cursor:
        entry_viewed(entry=entry_built(title="Zebra jobs"))
        cursor.execute(pages)
        assert cursor.fetchone() == (0,)
        cursor.execute("INSERT INTO kb_search_vectors VALUES (1, 'zebra', 'zebra')")
        cursor.execute(pages)
        assert cursor.fetchone() > (0,)


def test_a_rank_prefers_use_then_proof_and_fits_into_64_bits() -> None:
    from uuid import UUID

    entry_id = UUID(int=1)
    ranks = [
        rank_of(entry_id, Standing(usage_count=used, success_count=worked, failure_count=0, severity=severity))
        for used, worked, severity in [
            (2**40, 10**6, Severity.CRITICAL), (100, 50, Severity.LOW), (100, 0, Severity.LOW), (0, 0, Severity.HIGH),
            (0, 0, Severity.LOW),
        ]
    ]  # fmt: skip
    assert ranks == sorted(ranks)
    assert 0 <= ranks[0] < ranks[-1] < 2**63


def test_one_vote_proves_less_than_many() -> None:
    assert 0 == success_proven(0, 0) == success_proven(0, 5) < success_proven(1, 1) < success_proven(90, 100) < 0.9


@pytest.mark.django_db
def test_a_rebuild_goes_on_where_it_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        entry_built(title=f"Zebra {number}")
    monkeypatch.setattr("knowledge.search.index.BATCH_ROWS", 2)
    done: list[int] = []

    def written(batch: list[UUID], counted: Counter[str]) -> int:
        if done:
            raise KeyboardInterrupt
        done.append(len(batch))
        return len(batch)

    with monkeypatch.context() as patch:
        patch.setattr("knowledge.search.index.batch_written", written)
        with pytest.raises(KeyboardInterrupt), transaction.atomic():
            index_rebuild()
    assert index_rebuild_resume() == 3
    assert index_rebuild_resume() == 5


def rebuild_interrupted(monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """Six entries, of which a rebuild from nothing has got to two."""
    made = [entry_built(title=f"Zebra {number}") for number in range(6)]
    SearchDoc.objects.all()._raw_delete("default")
    monkeypatch.setattr("knowledge.search.index.BATCH_ROWS", 2)
    written = index.batch_written

    def interrupted(batch: list[UUID], counted: Counter[str]) -> int:
        if SearchDoc.objects.exists():
            raise KeyboardInterrupt
        return written(batch, counted)

    with monkeypatch.context() as patch:
        patch.setattr("knowledge.search.index.batch_written", interrupted)
        with pytest.raises(KeyboardInterrupt):
            index_rebuild()
    assert SearchDoc.objects.count() == 2
    return made


@pytest.mark.django_db
def test_an_index_that_was_emptied_is_made_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    rebuild_interrupted(monkeypatch)
    SearchDoc.objects.all()._raw_delete("default")
    assert index_rebuild_resume() == 6
    assert index_check().ok


@pytest.mark.django_db
def test_a_place_in_another_database_leaves_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rebuild_interrupted(monkeypatch)
    done = SearchDoc.objects.order_by("rank").values_list("pk", flat=True)[0]
    SearchDoc.objects.filter(pk=done)._raw_delete("default")
    assert index_rebuild_resume() == 4 + 1
    assert index_check().ok


@pytest.mark.django_db
def test_two_rebuilds_at_once_count_each_term_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        entry_built(title=f"Zebra {number}")
    for model in (SearchDoc, SearchTerm):
        model.objects.all()._raw_delete("default")
    monkeypatch.setattr("knowledge.search.index.BATCH_ROWS", 2)
    written, others = index.batch_written, []

    def beside(batch: list[UUID], counted: Counter[str]) -> int:
        if SearchDoc.objects.exists() and not others:
            others.append("begun")
            index_rebuild_resume()
        return written(batch, counted)

    with monkeypatch.context() as patch:
        patch.setattr("knowledge.search.index.batch_written", beside)
        index_rebuild()
    assert others and index_check().ok
    assert listed() == counted()


@pytest.mark.django_db
def test_what_a_vote_moves_before_an_interrupted_rebuild_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rebuild_interrupted(monkeypatch)
    first = list(SearchDoc.objects.values_list("entry", flat=True))
    late = next(entry for entry in made if entry.pk not in first)
    for number in range(9):
        feedback_give(entry=late, worked=True, voter=f"user:{number}")
    assert index_rebuild_resume() == 3  # the vote has indexed it, before the place
    assert index_check().ok
    assert SearchDoc.objects.order_by("rank").values_list("entry", flat=True)[0] == late.pk


#: Kills itself, as nothing else could be so sure to hit a rebuild in its middle.
KILLED_REBUILD = """
import os, signal
from knowledge.search import index, rebuild
index.BATCH_ROWS, rebuild.COUNTED_BATCHES = 20, 3
written = index.batch_written
def counted(batch, counter, done=[]):
    if len(done) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(batch)
    return written(batch, counter)
index.batch_written = counted
rebuild.index_rebuild()
"""


def test_a_rebuild_that_was_killed_goes_on_and_leaves_nothing_wrong(site: Site) -> None:
    site.manage("kb", "starter")
    site.manage("shell", "-c", "from knowledge.models import *; SearchDoc.objects.all()._raw_delete('default')")
    killed = site.manage("shell", "-c", KILLED_REBUILD, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    found = json.loads(site.manage("kb", "index", "check", "--json", check=False).stdout)
    assert found["missing"] == found["entries"] - 80
    script = "from knowledge.search import index_rebuild_resume as resume; print(resume())"
    assert int(site.manage("shell", "-v0", "-c", script).stdout) == found["entries"] - 80
    assert site.manage_json("kb", "index", "check")["ok"]
    assert site.manage("shell", "-v0", "-c", TERMS_DIFFERENT).stdout.strip() == "[]"


#: Prints the terms whose frequency is not that of the rows.
TERMS_DIFFERENT = """
from collections import Counter
from knowledge.models import SearchDoc, SearchTerm
from knowledge.search.terms import EVERY, frequencies
found = Counter()
for doc in SearchDoc.objects.filter(status="published"):
    texts = f"{doc.codes} {doc.title} {doc.tags} {doc.labels} {doc.problem} {doc.solution}"
    found.update({EVERY, *texts.split()})
listed = frequencies(SearchTerm.objects.values_list("term", flat=True))
print(sorted(set(found.items()) ^ set(listed.items())))
"""


@pytest.mark.django_db
def test_a_rebuild_leaves_rows_alone_that_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    entry_built(title="Zebra one")
    outdated = entry_built(title="Zebra two")
    SearchDoc.objects.filter(entry=outdated).update(title=" giraffe ")
    written: list[list[int]] = []
    monkeypatch.setattr("knowledge.search.storing.documents_delete", written.append)
    with pytest.raises(IntegrityError), transaction.atomic():
        index_rebuild()
    assert [len(ranks) for ranks in written] == [1]


@pytest.mark.django_db
def test_a_vote_that_moves_no_bucket_still_counts_in_the_order() -> None:
    first, second = (entry_built(title="Zebra in the spool") for _ in range(2))
    later = max((first, second), key=lambda entry: entry.pk)
    for number in range(3):
        feedback_give(entry=later, worked=True, voter=f"user:{number}")
    assert entry_search("zebra").hits[0].entry.pk == later.pk


def test_a_site_from_before_finds_its_entries_after_migrate(site: Site) -> None:
    site.manage("kb", "starter")
    site.manage("migrate", "knowledge", "0003", "--verbosity=0")
    site.manage("migrate", "--verbosity=0")
    found = site.manage_json("kb", "index", "check")
    assert found["ok"] and found["entries"] >= 200
    script = "from knowledge.search import entry_search; print(entry_search('S0C7').hits[0].entry.title)"
    assert "S0C7" in site.manage("shell", "-c", script).stdout


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_goes_on_while_people_search_and_write(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [entry_built(title=f"Zebra {number}") for number in range(30)]
    SearchDoc.objects.all()._raw_delete("default")
    monkeypatch.setattr("knowledge.search.index.BATCH_ROWS", 3)
    counts: list[int] = []

    def rebuild() -> None:
        try:
            counts.append(index_rebuild())
        finally:
            connection.close()

    thread = threading.Thread(target=rebuild)
    thread.start()
    for entry in made[::-3]:
        entry_update(entry=entry, expected_version=1, author=None, title="Giraffe jobs")
        assert entry_search("giraffe").total
    entry_built(title="Zebra born meanwhile")
    thread.join()
    assert counts[0] >= 30 and index_check().ok
    assert (entry_search("zebra").total, entry_search("giraffe").total) == (21, 10)
    assert listed() == counted() and listed()["zebra"] == 21
