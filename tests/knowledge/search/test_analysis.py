"""The analyser: equal units for equal meaning."""

from __future__ import annotations

import pytest

from knowledge.search.analysis import stem, units


@pytest.mark.parametrize(
    "family",
    [
        ["abend", "abends", "abended", "abending"],
        ["update", "updates", "updated", "updating"],
        ["cancel", "cancels", "cancelled", "canceled", "cancelling"],
        ["authorise", "authorised", "authorized", "authorizing"],
        ["catalog", "catalogue", "catalogs", "catalogued"],
        ["library", "libraries"],
        ["process", "processes", "processed"],
        ["index", "indexes", "indexed"],
        ["class", "classes"],
        ["space", "spaces"],
        ["run", "running", "runs"],
    ],
)
def test_words_of_one_family_become_one_token(family: list[str]) -> None:
    assert len({stem(word) for word in family}) == 1


@pytest.mark.parametrize("word", ["status", "access", "basis", "exceed", "string", "s0c7", "gdg", "vsam"])
def test_words_that_only_look_inflected_keep_apart(word: str) -> None:
    assert stem(word) not in {"statu", "acces"[:-1], "basi", "exce", "str", "vsa"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("data set", "dataset"),
        ("Data-Set", "DATASET"),
        ("time out", "timeout"),
        ("SOC7", "system 0c7"),
        ("SQLCODE=-803", "sqlcode 803"),
        ("file status '35'", "FS 35"),
    ],
)
def test_two_spellings_are_one_thing(one: str, other: str) -> None:
    assert [unit.token for unit in units(one)] == [unit.token for unit in units(other)]


def test_units_say_where_they_stand() -> None:
    text = "The  data set of S0C7"
    assert [text[unit.start : unit.end] for unit in units(text)] == ["data set", "S0C7"]
