"""The steps of a move to MVP2. Tables, parked rows and the level itself are the engine's steps."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from knowledge.models import Entry, Plugin, SearchQuery
from knowledge.phases.mvp2_analytics import usage
from knowledge.phases.mvp2_analytics.baselines import METRICS, baselines_set
from knowledge.phases.mvp2_analytics.detection import DETECTORS
from knowledge.phases.mvp2_analytics.models import Baseline, PatternType
from knowledge.phases.mvp2_analytics.patterns import detection_limits, patterns_detect
from knowledge.phases.mvp2_analytics.plugins import ANALYTICS, PATTERNS
from knowledge.phases.mvp2_analytics.searches import searches_after, searches_sweep, searches_sync
from knowledge.plugins import plugin_disable, plugin_enable, plugin_is_enabled
from migrations_ops.errors import VerificationError
from migrations_ops.steps.base import Batch, Cursor, Step, StepContext, StepKind
from migrations_ops.steps.plugin import PluginStep


def nothing_to_revert() -> Iterator[Batch]:
    """The revert of a step whose only traces are rows of this phase's tables.

    The engine parks these rows and drops the tables after all steps are reverted; removing them here
    would take them out of the parked ones.
    """
    yield from ()


@dataclass(frozen=True, kw_only=True)
class BackfillSearches(Step):
    """Gives every search of the history its row, then the ones that were born behind the cursor."""

    name: str = "mvp2/backfill-searches"
    title: str = "Bring the search history into analytics"
    kind: StepKind = StepKind.DATA
    requires: tuple[str, ...] = ("mvp2/plugin-analytics",)

    def estimate(self) -> int:
        return SearchQuery.objects.count()

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        after = cursor["after"] if cursor else 0
        while searches := searches_after(after):
            searches_sync(searches)  # parked rows are back already, and their searches may have gone on
            after = searches[-1].pk
            yield Batch({"after": after}, len(searches))
        # A key is given out before its row is committed, so a search may appear behind `after`.
        while swept := searches_sweep():
            ctx.log(f"{swept} searches that were being recorded meanwhile")
            yield Batch({"after": after}, swept)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        return nothing_to_revert()


@dataclass(frozen=True, kw_only=True)
class InitialiseBaselines(Step):
    """Accounts for the views so far, counts the votes of every day, and keeps what is usual."""

    name: str = "mvp2/initialise-baselines"
    title: str = "Count usage so far and keep what is usual"
    kind: StepKind = StepKind.COMPONENT
    requires: tuple[str, ...] = ("mvp2/backfill-searches",)

    def estimate(self) -> int:
        return Entry.objects.filter(usage_count__gt=0).count() + len(METRICS)

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        stage = cursor["stage"] if cursor else "views"
        if stage == "views":
            after = uuid.UUID(cursor["after"]) if cursor else None
            while entries := usage.entries_after(after, Entry.objects.filter(usage_count__gt=0).order_by("pk")):
                after = entries[-1].pk
                usage.views_baseline(entries, usage.today())
                yield Batch({"stage": "views", "after": str(after)}, len(entries))
        if stage in {"views", "outcomes"}:
            for _ in usage.outcomes_set(dt.date(1970, 1, 1)):
                # A restart begins this stage again: setting counts twice is harmless, counting rows is not.
                yield Batch({"stage": "outcomes"})
        if stage != "done":
            yield Batch({"stage": "done"}, baselines_set(usage.today()))

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        return nothing_to_revert()


@dataclass(frozen=True, kw_only=True)
class DetectPatterns(Step):
    """Looks for patterns in the last 30 days; without it the plugin finds them five minutes later."""

    name: str = "mvp2/detect-patterns"
    title: str = "Find patterns in the last 30 days"
    kind: StepKind = StepKind.DATA
    critical: bool = False
    requires: tuple[str, ...] = ("mvp2/backfill-searches", "mvp2/plugin-patterns")

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        done = list(cursor["done"]) if cursor else []
        limits = detection_limits()
        for type_ in DETECTORS:
            if type_.value in done:
                continue
            found = patterns_detect(type_, limits)
            ctx.log(f"{PatternType(type_).label}: {found}")
            done.append(type_.value)
            yield Batch({"done": list(done)}, found)

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        return nothing_to_revert()


@dataclass(frozen=True, kw_only=True)
class VerifyAnalytics(Step):
    """Proves that analytics is complete before its pages open."""

    name: str = "mvp2/verify-analytics"
    title: str = "Verify analytics against the search history"
    kind: StepKind = StepKind.VERIFICATION
    requires: tuple[str, ...] = ("mvp2/backfill-searches", "mvp2/initialise-baselines")

    def estimate(self) -> int:
        return SearchQuery.objects.count()

    def apply(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        state = cursor or {"after": 0, "missing": [0, []], "moved": [0, []]}
        before = timezone.now() - SETTLING
        while rows := searches_compared(state["after"]):
            state = _state_after(state, rows, before)
            yield Batch(state, len(rows))
        if differences := [*_differences(state), *_plugins_off(), *_baselines_missing()]:
            raise VerificationError(count=len(differences), differences="; ".join(differences))
        ctx.log("Every search is in analytics, on its day; plugins are enabled; baselines are kept")

    def revert(self, ctx: StepContext, cursor: Cursor) -> Iterator[Batch]:
        yield from ()  # It only read.


#: A search younger than this may still be on its way into analytics.
SETTLING = dt.timedelta(minutes=1)


#: Searches that one batch of the verification compares: a fraction of a second.
COMPARED_ROWS = 10_000

#: Searches named in a difference.
NAMED = 5

#: A search, when it was made, and the day on which analytics counts it; None without a row.
Compared = tuple[int, dt.datetime, dt.date | None]


def searches_compared(after: int) -> list[Compared]:
    """The next searches beside their rows, in one statement, so that a search made meanwhile has both or none."""
    searches = SearchQuery.objects.filter(pk__gt=after).order_by("pk")
    return list(searches.values_list("pk", "created_at", "analytics__day")[:COMPARED_ROWS])


def _state_after(state: dict[str, Any], rows: Sequence[Compared], before: dt.datetime) -> dict[str, Any]:
    """The cursor after these rows: how many differ so far, and the first of them."""
    missing = [pk for pk, made, day in rows if day is None and made < before]
    moved = [pk for pk, made, day in rows if day is not None and day != made.astimezone(dt.UTC).date()]
    return {
        "after": rows[-1][0],
        "missing": _more(state["missing"], missing),
        "moved": _more(state["moved"], moved),
    }


def _more(known: list[Any], found: list[int]) -> list[Any]:
    count, named = known
    return [count + len(found), (named + found)[:NAMED]]


def _differences(state: dict[str, Any]) -> Iterator[str]:
    for name, text in (("missing", "without their row in analytics"), ("moved", "counted on another day than theirs")):
        count, named = state[name]
        if count:
            yield f"{count} search(es) {text} (search {', '.join(map(str, named))})"


def _plugins_off() -> Iterator[str]:
    enabled = set(Plugin.objects.filter(enabled=True).values_list("name", flat=True))
    for name in (ANALYTICS, PATTERNS):
        if name not in enabled:
            yield f"plugin {name} is not enabled"


def _baselines_missing() -> Iterator[str]:
    kept = set(Baseline.objects.values_list("metric", flat=True))
    for metric in METRICS:
        if metric not in kept:
            yield f"no baseline {metric}"


STEPS: tuple[Step, ...] = (
    PluginStep(
        name="mvp2/plugin-analytics",
        title="Enable search and usage analytics",
        plugin=ANALYTICS,
        is_enabled=plugin_is_enabled,
        enable=plugin_enable,
        disable=plugin_disable,
    ),
    PluginStep(
        name="mvp2/plugin-patterns",
        title="Enable pattern detection",
        plugin=PATTERNS,
        depends_on=(ANALYTICS,),
        is_enabled=plugin_is_enabled,
        requires=("mvp2/plugin-analytics",),
        enable=plugin_enable,
        disable=plugin_disable,
    ),
    BackfillSearches(),
    InitialiseBaselines(),
    DetectPatterns(),
    VerifyAnalytics(),
)


def steps() -> tuple[Step, ...]:
    """The steps of PHASE 2, in order."""
    return STEPS
