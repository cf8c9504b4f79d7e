"""Points in time as files write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from django.utils.timezone import is_naive, make_aware

from knowledge.transfer.options import DateOrder

_CLOCK = r"(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([AaPp][Mm])?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})[/.](\d{{1,2}})[/.](\d{{1,2}}){_CLOCK}")
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([/.\-])(\d{{1,2}})[/.\-](\d{{4}}){_CLOCK}")
_MONTH_WORD = re.compile(rf"(\d{{1,2}})[ \-.]+([A-Za-z]{{3,9}})[ \-.,]+(\d{{4}}){_CLOCK}")
_WORD_FIRST = re.compile(rf"([A-Za-z]{{3,9}})\.? (\d{{1,2}}),? (\d{{4}}){_CLOCK}")
_NUMBER = re.compile(r"\d{5,13}(?:\.\d+)?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
#: Day 0 of spreadsheets, which count days; larger numbers are seconds or milliseconds since 1970.
_SHEET_START = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet has no zone
_MOST_SHEET_DAYS = 100_000
_LEAST_MILLISECONDS = 10**11


def moment_read(text: str, order: str = DateOrder.REFUSE) -> datetime:
    """The point in time that a text means, in the zone of the site unless it names its own.

    Raises ValueError with the reason.
    """
    plain = " ".join(text.split())
    try:
        found = _read(plain, order)
    except (OverflowError, OSError) as error:
        raise ValueError(f"“{plain[:40]}” is out of range") from error
    if found is None:
        raise ValueError(f"“{plain[:40]}” is no date that is known here; write 2024-05-31 12:30")
    return make_aware(found) if is_naive(found) else found


def _read(text: str, order: str) -> datetime | None:
    for read in (_iso, _numbers, _year_first, _month_word, _word_first, _mail):
        if found := read(text):
            return found
    return _year_last(text, order)


def _iso(text: str) -> datetime | None:
    if not text[:4].isdigit() or text[4:5] != "-":
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _numbers(text: str) -> datetime | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    if value < _MOST_SHEET_DAYS:
        return _SHEET_START + timedelta(days=value)
    return datetime.fromtimestamp(value / 1000 if value >= _LEAST_MILLISECONDS else value, UTC)


def _year_first(text: str) -> datetime | None:
    found = _YEAR_FIRST.fullmatch(text)
    return _made(found[1], found[2], found[3], found.groups()[3:]) if found else None


def _month_word(text: str) -> datetime | None:
    found = _MONTH_WORD.fullmatch(text)
    return _made(found[3], _month(found[2]), found[1], found.groups()[3:]) if found else None


def _word_first(text: str) -> datetime | None:
    found = _WORD_FIRST.fullmatch(text)
    return _made(found[3], _month(found[1]), found[2], found.groups()[3:]) if found else None


def _mail(text: str) -> datetime | None:
    if "," not in text[:5]:
        return None
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return None


def _year_last(text: str, order: str) -> datetime | None:
    """Dots mean day first; slashes and hyphens mean either, unless one of both is no month."""
    found = _YEAR_LAST.fullmatch(text)
    if not found:
        return None
    first, second = int(found[1]), int(found[3])
    day_first = found[2] == "." or first > 12 or order == DateOrder.DAY_FIRST
    unclear = found[2] != "." and first <= 12 and second <= 12 and first != second
    if unclear and order == DateOrder.REFUSE:
        raise ValueError(f"“{text[:40]}” can be read in two ways; say whether the day comes first")
    day, month = (first, second) if day_first else (second, first)
    return _made(found[4], str(month), str(day), found.groups()[4:])


def _month(word: str) -> str:
    prefix = word[:3].lower()
    return str(_MONTHS.index(prefix) + 1) if prefix in _MONTHS else "0"


def _made(year: str, month: str, day: str, clock: Sequence[str | None]) -> datetime | None:
    hour, minute, second = (int(part or 0) for part in clock[:3])
    if half := (clock[3] or "").lower():
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        return datetime(int(year), int(month), int(day), hour, minute, second)  # noqa: DTZ001 - the caller adds it
    except ValueError:
        return None
