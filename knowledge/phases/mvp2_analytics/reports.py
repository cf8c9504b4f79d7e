"""The tables of the dashboard; each is shown on the page and given out as CSV."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models import Entry, EntryStatus, Feedback, SearchQuery
from knowledge.phases.mvp2_analytics import usage
from knowledge.phases.mvp2_analytics.figures import (
    ANSWERED,
    SEARCH_COUNTS,
    DayRange,
    SearchFigures,
    counted_figures,
    search_time_percentiles,
    share,
)
from knowledge.phases.mvp2_analytics.models import IgnoredQuery, UsageMetric
from knowledge.phases.mvp2_analytics.plugins import ANALYTICS
from knowledge.plugins import plugin_configuration

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

#: Rows on the page, and in a CSV.
PAGE_ROWS = 15
CSV_ROWS = 10_000


@dataclass(frozen=True)
class Column:
    """A column: its name in the CSV, its heading on the page."""

    name: str
    title: StrOrPromise
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """Values under columns."""

    columns: tuple[Column, ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class DayRow:
    """The searches of one day."""

    day: dt.date
    figures: SearchFigures


def searches_by_day(days: DayRange) -> list[DayRow]:
    """Every day of the range, oldest first, days without searches too."""
    rows: QuerySet[Any, Any] = days.searches().order_by().values("day").annotate(**SEARCH_COUNTS)
    found = {row["day"]: counted_figures(row) for row in rows}
    return [DayRow(day, found.get(day, SearchFigures())) for day in days.days]


@dataclass(frozen=True)
class QueryRow:
    """The searches for one query in the range."""

    normalized: str
    #: As somebody typed it last.
    query: str
    figures: SearchFigures
    searchers: int
    last_asked: dt.datetime


def _query_rows(days: DayRange, groups: QuerySet[Any, Any], rows: int) -> list[QueryRow]:
    found = list(groups[:rows])
    typed = SearchQuery.objects.in_bulk([group["newest"] for group in found])
    searchers = _searchers(days, [group["normalized"] for group in found])
    return [
        QueryRow(
            group["normalized"],
            typed[group["newest"]].query,
            counted_figures(group),
            searchers.get(group["normalized"], 0),
            typed[group["newest"]].created_at,
        )
        for group in found
        if group["newest"] in typed  # else deleted between the two statements
    ]


def _searchers(days: DayRange, queries: list[str]) -> dict[str, int]:
    """How many people asked each of these queries; counting them for every query would take seconds."""
    groups: QuerySet[Any, Any] = days.searches().filter(normalized__in=queries).order_by().values_list("normalized")
    return dict(groups.annotate(Count("searcher", distinct=True)))


def _query_groups(days: DayRange) -> QuerySet[Any, Any]:
    searches = days.searches().exclude(normalized="").order_by().values("normalized")
    return searches.annotate(**SEARCH_COUNTS, newest=Max("search_id"))


def top_queries(days: DayRange, rows: int = PAGE_ROWS) -> list[QueryRow]:
    """What is searched for most."""
    return _query_rows(days, _query_groups(days).order_by("-searches", "normalized"), rows)


def missed_queries(days: DayRange, rows: int = PAGE_ROWS) -> list[QueryRow]:
    """Queries whose latest search was not answered, ignored ones left out, most frequent first."""
    groups = (
        _query_groups(days)
        .annotate(newest_answered=Coalesce(Max("search_id", filter=ANSWERED), 0))
        .filter(newest__gt=F("newest_answered"))
        .exclude(normalized__in=IgnoredQuery.objects.values("normalized"))
    )
    return _query_rows(days, groups.order_by("-searches", "-newest"), rows)


@dataclass(frozen=True)
class EntryRow:
    """The use of one entry in the range."""

    entry: Entry
    views: int
    worked: int
    failed: int

    @property
    def worked_percent(self) -> float | None:
        """Share of the votes that say it worked; None without votes."""
        return share(self.worked, self.worked + self.failed)


def most_used_entries(days: DayRange, rows: int = PAGE_ROWS) -> list[EntryRow]:
    """Entries by views in the range; views since the last hourly count are included."""
    pending = views_pending(days)
    counted = _usage_sums(days, Q())
    top = list(counted.order_by("-sum_views", "entry_id")[: rows + len(pending)])
    missing = set(pending) - {row["entry_id"] for row in top}
    top += list(_usage_sums(days, Q(entry__in=missing)))
    sums = {row["entry_id"]: (row["sum_views"], row["sum_worked"], row["sum_failed"]) for row in top}
    for pk, views in pending.items():
        known = sums.get(pk, (0, 0, 0))
        sums[pk] = (known[0] + views, *known[1:])
    best = sorted(sums, key=lambda pk: (-sums[pk][0], pk))[:rows]
    entries = Entry.objects.only("pk", "title", "category").in_bulk(best)
    return [EntryRow(entries[pk], *sums[pk]) for pk in best if sums[pk][0] and pk in entries]


def _usage_sums(days: DayRange, only: Q) -> QuerySet[Any, Any]:
    return (
        UsageMetric.objects.filter(only, day__range=(days.first, days.last))
        .order_by()
        .values("entry_id")
        .annotate(sum_views=Sum("views"), sum_worked=Sum("worked"), sum_failed=Sum("failed"))
    )


def views_pending(days: DayRange) -> dict[uuid.UUID, int]:
    """Views that the next aggregation will count, of entries used last in the range."""
    start = dt.datetime.combine(days.first, dt.time.min, dt.UTC)
    entries = usage.entries_uncounted().filter(last_used_at__gte=start)[: usage.BATCH_ENTRIES]
    return {entry.pk: gained for entry in entries if (gained := usage.views_gained(entry))}


def stale_before() -> dt.datetime:
    """An entry last used before this moment is stale."""
    return timezone.now() - dt.timedelta(days=plugin_configuration(ANALYTICS)["stale_after_days"])


def stale_entries() -> QuerySet[Entry]:
    """Published entries, older than the limit themselves, that nobody used since it; longest unused first."""
    limit = stale_before()
    unused = Q(last_used_at__isnull=True) | Q(last_used_at__lt=limit)
    return (
        Entry.objects.filter(unused, status=EntryStatus.PUBLISHED, created_at__lt=limit)
        .order_by(F("last_used_at").asc(nulls_first=True), "created_at", "pk")
        .only("pk", "title", "category", "last_used_at", "created_at", "usage_count")
    )


@dataclass(frozen=True)
class OutcomeRow:
    """The votes of one day."""

    day: dt.date
    worked: int = 0
    failed: int = 0


def outcomes_by_day(days: DayRange) -> list[OutcomeRow]:
    """Votes of every day of the range, oldest first."""
    rows = (
        Feedback.objects.filter(
            created_at__gte=dt.datetime.combine(days.first, dt.time.min, dt.UTC),
            created_at__lt=dt.datetime.combine(days.last + dt.timedelta(days=1), dt.time.min, dt.UTC),
        )
        .annotate(day=TruncDate("created_at", tzinfo=dt.UTC))
        .order_by()
        .values_list("day")
        .annotate(good=Count("pk", filter=Q(worked=True)), bad=Count("pk", filter=Q(worked=False)))
    )
    found = {day: OutcomeRow(day, good, bad) for day, good, bad in rows}
    return [found.get(day, OutcomeRow(day)) for day in days.days]


DAY = Column("day", _("Day"), numeric=False)
QUERY_COLUMNS = (
    Column("query", _("Query"), numeric=False),
    Column("searches", _("Searches")),
    Column("searchers", _("People")),
    Column("answered_percent", _("Answered %")),
    Column("opened_percent", _("Opened %")),
    Column("last_asked", _("Last asked"), numeric=False),
)


def searches_table(days: DayRange) -> Table:
    """Searches by day."""
    return day_rows_table(searches_by_day(days))


def day_rows_table(rows: Sequence[DayRow]) -> Table:
    """The table of these days."""
    columns = (
        DAY,
        Column("searches", _("Searches")),
        Column("answered", _("Answered")),
        Column("not_answered", _("Not answered")),
        Column("opened", _("Result opened")),
        Column("answered_percent", _("Answered %")),
        Column("opened_percent", _("Opened %")),
    )
    return Table(columns, [(row.day, *_figures(row.figures)) for row in rows])


def _figures(figures: SearchFigures) -> tuple[Any, ...]:
    return (
        figures.searches,
        figures.answered,
        figures.missed,
        figures.opened,
        figures.answered_percent,
        figures.opened_percent,
    )


def _queries_table(rows: list[QueryRow]) -> Table:
    return Table(
        QUERY_COLUMNS,
        [
            (
                row.query,
                row.figures.searches,
                row.searchers,
                row.figures.answered_percent,
                row.figures.opened_percent,
                row.last_asked,
            )
            for row in rows
        ],
    )


def top_queries_table(days: DayRange) -> Table:
    """Top queries."""
    return _queries_table(top_queries(days, CSV_ROWS))


def missed_queries_table(days: DayRange) -> Table:
    """Queries without a result."""
    return _queries_table(missed_queries(days, CSV_ROWS))


def most_used_table(days: DayRange) -> Table:
    """Most used entries."""
    columns = (
        Column("entry", _("Entry"), numeric=False),
        Column("category", _("Category"), numeric=False),
        Column("views", _("Views")),
        Column("worked", _("Worked")),
        Column("did_not_work", _("Did not work")),
        Column("id", _("Id"), numeric=False),
    )
    rows = most_used_entries(days, CSV_ROWS)
    return Table(
        columns,
        [(row.entry.title, row.entry.category, row.views, row.worked, row.failed, row.entry.pk) for row in rows],
    )


def stale_table(days: DayRange) -> Table:
    """Stale entries; the same for every range."""
    columns = (
        Column("entry", _("Entry"), numeric=False),
        Column("category", _("Category"), numeric=False),
        Column("last_used", _("Last used"), numeric=False),
        Column("views", _("Views")),
        Column("id", _("Id"), numeric=False),
    )
    rows = stale_entries()[:CSV_ROWS]
    return Table(
        columns, [(entry.title, entry.category, entry.last_used_at, entry.usage_count, entry.pk) for entry in rows]
    )


def times_table(days: DayRange) -> Table:
    """Search time percentiles."""
    columns = (Column("percentile", _("Percentile")), Column("milliseconds", _("Milliseconds")))
    return Table(columns, [(percent, round(ms, 2)) for percent, ms in search_time_percentiles(days).items()])


def outcomes_table(days: DayRange) -> Table:
    """Votes by day."""
    return outcome_rows_table(outcomes_by_day(days))


def outcome_rows_table(rows: Sequence[OutcomeRow]) -> Table:
    """The table of the votes of these days."""
    columns = (DAY, Column("worked", _("Worked")), Column("did_not_work", _("Did not work")))
    return Table(columns, [(row.day, row.worked, row.failed) for row in rows])


#: By the name in the address of the CSV.
TABLES: dict[str, Callable[[DayRange], Table]] = {
    "searches-by-day": searches_table,
    "top-queries": top_queries_table,
    "queries-without-result": missed_queries_table,
    "most-used-entries": most_used_table,
    "stale-entries": stale_table,
    "search-times": times_table,
    "votes-by-day": outcomes_table,
}
