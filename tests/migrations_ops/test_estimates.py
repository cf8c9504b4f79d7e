"""How long a plan takes, by what was measured."""

from __future__ import annotations

import pytest

from migrations_ops.estimates import _scaled


@pytest.mark.parametrize(
    ("units", "rows", "seconds", "expected"),
    [
        (3_000, 1_000, 2.0, 6.0),
        (500, 1_000, 2.0, 1.0),
        (None, 1_000, 2.0, 2.0),
        (0, 1_000, 2.0, 2.0),
        (3_000, 0, 2.0, 2.0),
    ],
)
def test_a_measured_rate_is_scaled_to_the_rows_of_today(
    units: int | None, rows: int, seconds: float, expected: float
) -> None:
    assert _scaled(units, rows, seconds, probe=1_000.0) == expected


def test_a_rate_of_one_row_is_not_taken_for_the_rate_of_thirty_thousand() -> None:
    assert _scaled(30_001, 1, 0.3, probe=10_000.0) == pytest.approx(3.3)
