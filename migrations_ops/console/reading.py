"""What people type into the console's forms, as values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.dateparse import parse_datetime, parse_time
from django.utils.translation import gettext as _

from migrations_ops.console.errors import InputError


@dataclass(frozen=True)
class FormReader:
    """Reads one posted form; every method raises InputError for what it cannot read."""

    posted: Mapping[str, str]

    def _text(self, name: str) -> str:
        return self.posted.get(name, "").strip()

    def number(self, name: str, *, default: int, lowest: int, highest: int) -> int:
        """A whole number between two bounds; the default where nothing was typed."""
        text = self._text(name)
        if not text:
            return default
        if not text.isascii() or not text.isdecimal() or not lowest <= int(text) <= highest:
            raise InputError(
                field=name, expected=_("a number from %(low)d to %(high)d") % {"low": lowest, "high": highest}
            )
        return int(text)

    def choice(self, name: str, values: Sequence[str], *, default: str) -> str:
        """One of these values; the default where nothing was chosen."""
        text = self._text(name) or default
        if text not in values:
            raise InputError(field=name, expected=", ".join(values))
        return text

    def moment(self, name: str) -> dt.datetime | None:
        """A moment in the site's time zone unless it names one; None where nothing was typed."""
        text = self._text(name)
        if not text:
            return None
        try:
            parsed = parse_datetime(text)
        except ValueError:
            parsed = None
        if parsed is None:
            raise InputError(field=name, expected=_("a moment such as 2030-01-31T22:00"))
        return parsed if parsed.tzinfo else timezone.make_aware(parsed)

    def time(self, name: str) -> dt.time | None:
        """A time of day; None where nothing was typed."""
        text = self._text(name)
        if not text:
            return None
        try:
            parsed = parse_time(text)
        except ValueError:
            parsed = None
        if parsed is None:
            raise InputError(field=name, expected=_("a time such as 22:00"))
        return parsed
