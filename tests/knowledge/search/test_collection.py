"""The reader of labelled collections, on a made-up one of three documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.collection import collection_read, entries_found, entries_write, ndcg, ndcg_mean, plain_bm25

DOCUMENTS = """.I 1
.T
Zebras in the
spool
.A
Nobody
.W
The zebra ate the output class.
.I 2
.T
Giraffes
.W
A giraffe looks over the catalog.
.X
1 5 1
.I 7
.W
No title, but the walrus has a text.
"""
QUERIES = ".I 001\n.W\nzebra\n  spool\n.I 004\n.W\nwalrus text\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.all.3").write_text(DOCUMENTS)
    (tmp_path / "tiny.qry").write_text(QUERIES)
    (tmp_path / "tinyqrel").write_text("1 1 2\n1 2 -1\n2 7 1\n2 99 1\n")
    return tmp_path


def test_a_collection_is_read_with_its_queries_counted_where_the_judgements_count_them(folder: Path) -> None:
    found = collection_read(folder)
    assert found.documents[1] == ("Zebras in the spool", "The zebra ate the output class.")
    assert found.documents[7][0] == "" and len(found.documents) == 3
    assert found.queries == {1: "zebra spool", 2: "walrus text"}
    assert found.relevant == {1: {1}, 2: {7}}


def test_queries_keep_the_numbers_that_all_judgements_have(folder: Path) -> None:
    (folder / "tinyqrel").write_text("     4      7\t0\t0.000000\n")
    assert collection_read(folder).queries[4] == "walrus text"


def test_a_folder_without_judgements_is_refused_with_what_is_missing(folder: Path) -> None:
    (folder / "tinyqrel").unlink()
    with pytest.raises(SystemExit, match="no file of judgements"):
        collection_read(folder)


def test_gain_falls_with_the_place_and_is_1_for_the_best_order() -> None:
    assert ndcg([3, 5, 1], {3, 5}) == 1
    assert ndcg([3, 1, 5], {3, 5}) == pytest.approx(1.5 / (1 + 0.6309), abs=1e-3)
    assert ndcg([], {3}) == 0


@pytest.mark.django_db
def test_our_search_and_the_plain_one_find_the_documents(folder: Path, on_sqlite: bool) -> None:
    collection = collection_read(folder)
    entries_write(collection)
    assert ndcg_mean(collection, entries_found) == 1
    if on_sqlite:
        assert ndcg_mean(collection, plain_bm25(collection, "unicode61")) == 1
