"""Codes are recognised in every spelling that people use, and nothing else is."""

import time

import pytest

from knowledge.codes import FORMS, CodeForm, CodeKind, code_given, code_normalize, codes_find, finder
from knowledge.remembered import texts_remembered

EXAMPLES = [(form, text, code) for form in FORMS for text, code in form.examples.items()]


@pytest.mark.parametrize(("form", "text", "code"), EXAMPLES, ids=[text for _, text, _ in EXAMPLES])
def test_every_example_of_the_table_is_recognised(form: CodeForm, text: str, code: str) -> None:
    if form.whole:
        found = code_normalize(text)
        assert found is not None
        assert (found.code, found.kind) == (code, form.kind)
    else:
        assert [match.code for match in codes_find(text)] == [code]


@pytest.mark.parametrize("form", FORMS, ids=[form.pattern[:40] for form in FORMS])
def test_a_canonical_form_is_its_own_canonical_form(form: CodeForm) -> None:
    for code in form.examples.values():
        found = code_normalize(code)
        assert found is not None
        assert (found.code, found.kind) == (code, form.kind)


@pytest.mark.parametrize(
    "text",
    [
        "4038", "35", "2035", "the 35 files", "call 2035 again", "S390", "STEP S010", "soda", "SAFE", "also", "status ok",
        "the system 370 emulator", "HTTP status 404", "reason 3", "1-803", "x.-803", "2.5-805", "U0000", "status code no",
        "it's 100 percent", "PS0C7X", "MY_S0C7", "reason 032(000)-104", "line [12]-803",
    ],
)  # fmt: skip
def test_ordinary_words_and_numbers_are_no_codes_in_running_text(text: str) -> None:
    assert codes_find(f"and {text} again") == ()


def test_a_joblog_line_gives_its_message_and_its_abend_but_no_zero_user_code() -> None:
    line = "IEF450I PAYJOB STEP020 - ABEND=S0C7 U0000 REASON=00000007"
    assert [match.code for match in codes_find(line)] == ["IEF450I", "S0C7"]


def test_a_match_says_where_it_stands() -> None:
    text = "insert failed: SQLCODE \u2212803 on PAYROLL"
    (match,) = codes_find(text)
    assert text[match.start : match.end] == "SQLCODE \u2212803"


def test_codes_in_full_width_are_read_like_others() -> None:
    wide = "".join(chr(ord(char) + 0xFEE0) for char in "SQLCODE=-803")
    assert [match.code for match in codes_find(f"insert: {wide}")] == ["SQLCODE -803"]


def test_abends_that_differ_by_zero_and_letter_o_stay_apart() -> None:
    assert [match.code for match in codes_find("AEI0 is not AEIO")] == ["AEI0", "AEIO"]


def test_a_number_with_two_meanings_is_left_to_the_words() -> None:
    assert code_normalize("913") is None


def test_an_unknown_code_that_a_person_enters_is_kept_in_capitals() -> None:
    found = code_given("  our-own  77 ")
    assert found is not None
    assert (found.code, found.kind) == ("OUR-OWN 77", CodeKind.OTHER)
    assert code_given("x" * 33) is None
    assert code_given(" \0 ") is None


@pytest.mark.parametrize(
    "text",
    [
        "status" + " " * 200_000, "sqlcode " * 25_000, "A" * 200_000, "-" * 200_000, "0" * 200_000, "abend " * 40_000,
        "\0\ud800\U0001f600" * 10_000, "VSAM RC=" * 25_000, "USER ABEND CODE " * 12_000,
    ],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_hostile_text_is_searched_in_linear_time(text: str) -> None:
    start = time.process_time()
    codes_find(text)
    code_normalize(text)
    assert time.process_time() - start < 5


def test_a_text_of_nothing_but_different_codes_is_searched_in_linear_time() -> None:
    listed = [f"{name}{number:04d}{letter}" for name in ("IEF", "DFS") for number in range(5_000) for letter in "AI"]
    start = time.process_time()
    found = codes_find(" ".join(listed))
    assert time.process_time() - start < 2
    assert len(found) == len(listed)


def test_many_different_codes_are_found_at_the_same_places_as_few() -> None:
    text = ", ".join(f"(S{number:03X}) -{number} RC={number} xS{number:03X}" for number in range(100, 140))
    assert len({word for word in text.split() if word.startswith("(S")}) * 3 > finder.RUNS_LOOKED_FOR
    lines = text.split(", ")
    assert [match.code for match in codes_find(text)] == [
        match.code for line in lines for match in codes_find(f"{line},")
    ]


def test_words_that_are_no_words_do_not_stay_in_memory() -> None:
    word = "x" * 100_000
    codes_find(word)
    assert word not in finder._PLAIN_WORDS
    kept = finder._may_begin.cache_info().currsize
    codes_find("y" * 100_000)
    assert finder._may_begin.cache_info().currsize == kept


@pytest.mark.parametrize(
    "dash", "-\u00ad\u02d7\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u207b\u2212\u2796\ufe63\uff0d"
)
def test_every_dash_that_an_editor_or_a_phone_writes_is_a_minus(dash: str) -> None:
    assert [match.code for match in codes_find(f"insert got SQLCODE {dash}803")] == ["SQLCODE -803"]


def test_a_remembered_text_has_the_same_codes_until_the_block_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "IGZ0020S then S0C7"
    found = codes_find(text)
    with texts_remembered():
        assert codes_find(text) == found
        monkeypatch.setattr(finder, "_matches", lambda *_given: iter(()))
        assert codes_find(text) == found
    assert codes_find(text) == ()
