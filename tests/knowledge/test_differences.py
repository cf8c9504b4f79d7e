"""Two texts side by side, with the words that changed."""

from __future__ import annotations

import time

from knowledge.differences import DiffRow, Piece, difference_rows, line_pieces


def marked(pieces: tuple[Piece, ...]) -> str:
    return "".join(f"[{piece.text}]" if piece.changed else piece.text for piece in pieces)


def test_equal_texts_have_no_rows() -> None:
    assert difference_rows("one\ntwo", "one\ntwo") == ()


def test_the_words_that_changed_are_marked_on_both_sides() -> None:
    old, new = line_pieces("Restart the job at STEP020.", "Restart the whole chain at STEP020.")
    assert marked(old) == "Restart the [job] at STEP020."
    assert marked(new) == "Restart the [whole chain] at STEP020."


def test_lines_with_little_in_common_are_changed_as_a_whole() -> None:
    old, new = line_pieces("Call the operator", "SORT FIELDS=COPY")
    assert (marked(old), marked(new)) == ("[Call the operator]", "[SORT FIELDS=COPY]")


def test_an_added_line_stands_beside_nothing() -> None:
    rows = difference_rows("one\nthree", "one\ntwo\nthree")
    assert [(row.old_number, row.new_number, row.changed) for row in rows] == [
        (1, 1, False),
        (None, 2, True),
        (2, 3, False),
    ]


def test_long_unchanged_stretches_become_a_gap() -> None:
    lines = [f"line {number}" for number in range(100)]
    rows = difference_rows("\n".join(lines), "\n".join([*lines[:50], "new", *lines[51:]]))
    assert [row.skipped for row in rows if row.skipped] == [47, 46]
    assert len(rows) == 9


def test_both_sides_can_be_put_together_again() -> None:
    old, new = "a b c\nd e\n\nf", "a x c\nf\ng h"
    rows = difference_rows(old, new)

    def side(name: str) -> list[str]:
        kept = [row for row in rows if getattr(row, f"{name}_number")]
        return ["".join(piece.text for piece in getattr(row, name)) for row in kept]

    assert side("old") == old.splitlines()
    assert side("new") == new.splitlines()


def test_the_longest_texts_are_compared_quickly() -> None:
    started = time.process_time()
    for old, new in (("a\nb\n" * 2_500, "b\na\n" * 2_500), ("a b " * 2_500, "b a " * 2_500), ("x" * 10_000, "y")):
        assert isinstance(difference_rows(old, new)[0], DiffRow)
    assert time.process_time() - started < 5
