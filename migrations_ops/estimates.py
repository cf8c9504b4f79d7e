"""How long a plan will take, from rates measured on this site; never from constants."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Avg

from migrations_ops.models import PlanKind, Run, RunState, StepRecord
from migrations_ops.steps.base import Step

PROBE_ROWS = 2_000
#: Many times the rows that were measured; beyond it their rate says nothing.
SCALE_MAX = 20


@dataclass(frozen=True, kw_only=True)
class StepEstimate:
    """Work units and seconds of one step; `source` says where the rate was measured."""

    step: str
    units: int | None
    seconds: float | None
    source: str

    def as_json(self) -> dict[str, Any]:
        """The estimate as it is stored with a plan."""
        return {"step": self.step, "units": self.units, "seconds": self.seconds, "source": self.source}


def estimate_steps(steps: tuple[Step, ...]) -> list[StepEstimate]:
    """An estimate of every step: the rate of the last rehearsal or run, else of a probe of this database."""
    probe = probe_rows_per_second()
    return [_estimate(step, probe) for step in steps]


def _estimate(step: Step, probe: float) -> StepEstimate:
    units = step.estimate()
    for source, measured in (("rehearsal", rehearsed(step.name)), ("earlier run", ran(step.name))):
        if measured:
            rows, seconds = measured
            return StepEstimate(
                step=step.name, units=units, seconds=_scaled(units, rows, seconds, probe), source=source
            )
    if units is not None and (own := step.rate()):
        return StepEstimate(step=step.name, units=units, seconds=units / own[0], source=own[1])
    if units is None:
        return StepEstimate(step=step.name, units=None, seconds=None, source="not measured: rehearse")
    source = "write probe of this database; rehearse to measure"
    return StepEstimate(step=step.name, units=units, seconds=units / probe, source=source)


def _scaled(units: int | None, rows: float, seconds: float, probe: float) -> float:
    """Seconds for `units` by a measurement of `rows`.

    What was measured on few rows is mostly the cost of starting; the rest then goes by the probe.
    """
    if not units or not rows:
        return seconds
    if units <= rows * SCALE_MAX:
        return seconds * units / rows
    return seconds + (units - rows) / probe


def rehearsed(step_name: str) -> tuple[float, float] | None:
    """Rows and seconds of a step in the newest rehearsal that measured it."""
    rehearsals = Run.objects.filter(plan__kind=PlanKind.REHEARSAL, state=RunState.SUCCEEDED).order_by("-pk")
    for run in rehearsals[:5]:
        for record in run.steps.all():
            measured = record.result.get("measured", {}).get(step_name)
            if measured:
                return int(measured["rows"]), float(measured["seconds"])
    return None


def ran(step_name: str) -> tuple[float, float] | None:
    """Rows and seconds that a step took on average in the runs that finished it."""
    mean = StepRecord.objects.filter(name=step_name, finished_at__isnull=False, busy_seconds__gt=0).aggregate(
        rows=Avg("rows_done"), seconds=Avg("busy_seconds")
    )
    return (mean["rows"], mean["seconds"]) if mean["seconds"] else None


def probe_rows_per_second() -> float:
    """Rows a second that this database takes into a temporary table, right now."""
    rows = [(number, "x" * 200) for number in range(PROBE_ROWS)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE ops_probe (id integer PRIMARY KEY, body text)")
        began = time.perf_counter()
        cursor.executemany("INSERT INTO ops_probe (id, body) VALUES (%s, %s)", rows)
        seconds = time.perf_counter() - began
        cursor.execute("DROP TABLE ops_probe")
    return PROBE_ROWS / max(seconds, 1e-6)
