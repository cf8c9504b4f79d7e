"""Seconds, bytes, counts and moments as people read them."""

from __future__ import annotations

from datetime import datetime

from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

MINUTE, HOUR, DAY = 60, 3600, 86400


def duration_text(seconds: float | None) -> str:
    """12 ms, 3.4 s, 2 min 5 s, 1 h 20 min, 3 d 4 h; empty for None."""
    if seconds is None:
        return ""
    if seconds < 1:
        return _("under 1 ms") if 0 < seconds < 0.001 else _("%(n)d ms") % {"n": round(seconds * 1000)}
    if seconds < 10:
        return _("%(n)s s") % {"n": number_format(round(seconds, 1))}
    whole = round(seconds)
    if whole < MINUTE:
        return _("%(n)d s") % {"n": whole}
    if whole < HOUR:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": whole // MINUTE, "seconds": whole % MINUTE}
    if whole < DAY:
        return _("%(hours)d h %(minutes)d min") % {"hours": whole // HOUR, "minutes": whole % HOUR // MINUTE}
    return _("%(days)d d %(hours)d h") % {"days": whole // DAY, "hours": whole % DAY // HOUR}


def age_text(moment: datetime | None) -> str:
    """How long ago, in one unit; empty for None."""
    if moment is None:
        return ""
    seconds = max(0, round((timezone.now() - moment).total_seconds()))
    for size, text in ((DAY, _("%(n)d d ago")), (HOUR, _("%(n)d h ago")), (MINUTE, _("%(n)d min ago"))):
        if seconds >= size:
            return text % {"n": seconds // size}
    return _("%(n)d s ago") % {"n": seconds} if seconds else _("now")


def count_text(number: float | None) -> str:
    """A count with thousands separated; empty for None."""
    return "" if number is None else f"{number:,.0f}"


def rate_text(rows_per_second: float | None) -> str:
    """Rows a second; empty for None."""
    if not rows_per_second:
        return ""
    digits = 0 if rows_per_second >= 10 else 1
    return _("%(n)s rows/s") % {"n": f"{rows_per_second:,.{digits}f}"}


def size_text(size_bytes: int) -> str:
    """Bytes in the unit that suits them."""
    return filesizeformat(size_bytes)
