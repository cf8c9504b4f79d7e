"""The tokens of texts: those of their units, however they are found, and nothing that an index syntax could read."""

from __future__ import annotations

import random
import re

from knowledge.search.analysis import TOKEN_CHARS, units
from knowledge.search.tokens import WORD_CHARS_KEPT, _memory, tokens
from knowledge.starter import starter_read

LEGAL = re.compile(r"[\w.$#@/-]+")


def test_compounds_are_found_whole_joined_and_in_parts() -> None:
    assert {"comp-3", "comp3", "comp"} <= set(tokens("a COMP-3 field"))
    assert {"pay.prod.master", "pay", "prod", "master"} <= set(tokens("DSN=PAY.PROD.MASTER,DISP=SHR"))
    assert {"i/o", "io"} <= set(tokens("an I/O error"))


def test_a_code_is_found_by_its_number_as_well() -> None:
    assert {"sqlcode-803", "803"} <= set(tokens("SQLCODE -803"))
    assert {"ief450i", "ief450"} <= set(tokens("IEF450I JOB"))
    assert {"fs35", "35", "status"} <= set(tokens("file status 35"))


def test_any_text_gives_only_harmless_tokens() -> None:
    chance = random.Random(7)
    alphabet = [*"abcS0C7 -'\"\\/()[]{}:*&|!<>=+.,;%_$#@\0\n\t", "\ud800", "\u00e9", "\U0001f600", "\u0130", "\u00df"]
    for _ in range(300):
        text = "".join(chance.choices(alphabet, k=200))
        for token in tokens(text):
            assert LEGAL.fullmatch(token)
            assert 0 < len(token) <= TOKEN_CHARS


def test_the_index_holds_the_tokens_of_the_units_of_a_text() -> None:
    chance = random.Random(8)
    pieces = [
        "S0C7",
        "s",
        "0c7",
        "data",
        "set",
        "time",
        "out",
        "file",
        "status",
        "35",
        "-803",
        "SQLCODE",
        "COMP-3",
        "é",
    ]
    pieces += [" ", " ", "  ", "\n", "\t", "\0", "\1", "'", "-", ".", "/", "(", ")", ",", ":", "=", "$", "_", "`"]
    texts = ["".join(chance.choices(pieces, k=chance.randint(1, 30))) for _ in range(2_000)]
    texts += [
        text for entry in starter_read().entries for text in (entry["title"], entry["problem"], entry["solution"])
    ]
    for text in texts:
        clean = text.replace("\0", " ")
        assert tokens(text) == [token for unit in units(clean) for token in (unit.token, *unit.parts)], repr(text)


def test_what_is_longer_than_a_word_is_not_kept_in_memory() -> None:
    long = "ab" * WORD_CHARS_KEPT
    assert tokens(f"{long} usual") == [long[:TOKEN_CHARS], "usual"]
    assert "usual" in _memory.words() and long not in _memory.words()
