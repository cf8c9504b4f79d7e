"""Geometry of the charts: numbers in, SVG coordinates out. Words stand in HTML around the SVG.

Coordinates are text, because a localised decimal comma would break the SVG.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: The drawing is this high, and SLOT wide for each bar or point; the page stretches it.
HEIGHT = 100
SLOT = 10
BAR = 7


@dataclass(frozen=True)
class Bar:
    """One rectangle; `kind` ends its CSS class, `title` is its tooltip."""

    x: str
    y: str
    width: str
    height: str
    kind: str
    title: str


@dataclass(frozen=True)
class Line:
    """One polyline for each stretch without a gap; single points are circles."""

    kind: str
    stretches: list[str]
    dots: list[tuple[str, str]]


@dataclass(frozen=True)
class Chart:
    """A drawing with the words at its axes."""

    view_box: str
    top: str
    middle: str
    first: str
    last: str
    bars: Sequence[Bar] = ()
    lines: Sequence[Line] = ()
    width: str = ""


@dataclass(frozen=True)
class Series:
    """The values of one kind, one a slot; None is a gap."""

    kind: str
    name: str
    values: Sequence[float | None]


def axis_top(highest: float) -> float:
    """The smallest of 1, 2, 4, 5, 10, 20, 40, 50 ... that is not below; 1 for nothing."""
    if highest <= 1:
        return 1
    unit = 10.0 ** math.floor(math.log10(highest))
    return next(step * unit for step in (1, 2, 4, 5, 10) if step * unit >= highest)


def stacked_bars(labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """Bars of several series upon each other, the first at the bottom."""
    totals = [sum(values) for values in zip(*(_numbers(one) for one in series), strict=True)]
    top = axis_top(max(totals, default=0))
    bars = [bar for slot, label in enumerate(labels) for bar in _stack(slot, label, series, top)]
    return _chart(labels, top, bars=bars)


def _stack(slot: int, label: str, series: Sequence[Series], top: float) -> Iterable[Bar]:
    floor = 0.0
    for one in series:
        value = one.values[slot] or 0
        if value:
            height = HEIGHT * value / top
            yield Bar(
                x=_text(slot * SLOT + (SLOT - BAR) / 2),
                y=_text(HEIGHT - floor - height),
                width=_text(BAR),
                height=_text(height),
                kind=one.kind,
                title=f"{label} · {one.name}: {value:g}",
            )
            floor += height


def lines(labels: Sequence[str], series: Sequence[Series], top: float) -> Chart:
    """One line for each series on a scale from 0 to `top`."""
    return _chart(labels, top, lines=[_line(one, top) for one in series])


def _line(series: Series, top: float) -> Line:
    stretches: list[list[tuple[str, str]]] = [[]]
    for slot, value in enumerate(series.values):
        if value is None:
            stretches.append([])
        else:
            stretches[-1].append((_text((slot + 0.5) * SLOT), _text(HEIGHT - HEIGHT * value / top)))
    return Line(
        kind=series.kind,
        stretches=[" ".join(f"{x},{y}" for x, y in points) for points in stretches if len(points) > 1],
        dots=[points[0] for points in stretches if len(points) == 1],
    )


def _chart(labels: Sequence[str], top: float, bars: Sequence[Bar] = (), lines: Sequence[Line] = ()) -> Chart:
    half = top / 2
    width = str(max(len(labels), 1) * SLOT)
    return Chart(
        view_box=f"0 0 {width} {HEIGHT}",
        width=width,
        top=f"{top:,.0f}",
        middle=f"{half:,.0f}" if half == int(half) else "",
        first=labels[0] if labels else "",
        last=labels[-1] if labels else "",
        bars=bars,
        lines=lines,
    )


def _numbers(series: Series) -> list[float]:
    return [value or 0 for value in series.values]


def _text(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
