"""Dates as files write them."""

from __future__ import annotations

from datetime import UTC

import pytest

from knowledge.transfer.moments import moment_read

MAY = "2024-05-31T12:30:00+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-31 12:30",
        "2024-05-31T12:30:00Z",
        "2024-05-31T14:30:00+02:00",
        "2024/05/31 12:30:00",
        "31.05.2024 12:30",
        "31/05/2024 12:30",
        "05/31/2024 12:30 PM",
        "31-May-2024 12:30",
        "May 31, 2024 12:30:00",
        "Fri, 31 May 2024 12:30:00 +0000",
        "1717158600",
        "1717158600000",
        "45443.520833333336",
    ],
)
def test_a_date_is_read_in_many_forms(text: str) -> None:
    assert moment_read(text).astimezone(UTC).isoformat()[:16] == MAY[:16]


@pytest.mark.parametrize("text", ["", "soon", "2024-13-01", "31.02.2024", "03/04/2024", "1e400", "99999999999999999"])
def test_what_is_no_date_or_two_dates_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"date|ways|range"):
        moment_read(text)


def test_the_order_of_day_and_month_can_be_said() -> None:
    assert moment_read("03/04/2024", "day_first").month == 4
    assert moment_read("03/04/2024", "month_first").month == 3
