"""Finds patterns in searches and votes. Reads only; knowledge of what is already known is elsewhere.

A confidence is a probability with its own meaning for each type, named at each detector. The rule
of succession, (k + 1) / (n + 2), is the chance that the next of a series does what k of n did.
"""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from django.db.models import Count, F, Max, Min, Q, QuerySet, Window
from django.db.models.functions import Greatest, RowNumber

from knowledge.models import Feedback, SearchQuery
from knowledge.phases.mvp2_analytics.models import IgnoredQuery, PatternType, SearchAnalytics

EXAMPLES = 5
#: Most patterns of one type, the most frequent first: a list that people can read.
PATTERNS_MAX = 200
#: Most searches with codes that one detection reads, newest first.
CODE_ROWS_MAX = 200_000
#: Searches of one person with smaller gaps belong to one problem.
SESSION_GAP = dt.timedelta(minutes=30)
#: A vote this long after the search that led to the entry is the outcome of that search.
OUTCOME_WITHIN = dt.timedelta(days=1)
#: A day is a surge from this many times the mean of the other days on.
SURGE_FACTOR = 3
#: Days of history without which no day can be called unusual.
SURGE_DAYS_MIN = 3


@dataclass(frozen=True)
class Limits:
    """What counts as a pattern, and from which day (UTC) on."""

    since: dt.date
    today: dt.date
    min_occurrences: int = 3
    min_confidence: float = 0.7

    def admit(self, occurrences: int, confidence: float) -> bool:
        """Whether this is often and certain enough."""
        return occurrences >= self.min_occurrences and confidence >= self.min_confidence


@dataclass(frozen=True)
class Detection:
    """One pattern as it looks now."""

    type: PatternType
    key: str
    title: str
    frequency: int
    confidence: float
    first_seen: dt.datetime
    last_seen: dt.datetime
    examples: list[dict[str, Any]]
    #: How many of the occurrences are later than a moment.
    count_after: Callable[[dt.datetime], int]


def succession(hits: int, trials: int) -> float:
    """The rule of succession."""
    return (hits + 1) / (trials + 2)


def repetition_confidence(times: int, occasions: int) -> float:
    """Certainty that a query will be asked again: doubt 1 / (times + 1), shared by the occasions."""
    return 1 - 1 / ((times + 1) * max(occasions, 1))


def poisson_below(count: int, mean: float) -> float:
    """Probability that a day with this mean has fewer than `count` searches."""
    if mean <= 0:
        return 1.0 if count > 0 else 0.0
    terms = (math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count))
    return min(1.0, math.fsum(terms))


def _searches(limits: Limits) -> QuerySet[SearchAnalytics]:
    return SearchAnalytics.objects.filter(day__gte=limits.since)


def _query_groups(rows: QuerySet[SearchAnalytics]) -> QuerySet[Any, Any]:
    return (
        rows.exclude(normalized="")
        .order_by()
        .values("normalized")
        .annotate(times=Count("pk"), missed=Count("pk", filter=Q(had_results=False)))
    )


def _of_queries(rows: QuerySet[SearchAnalytics], queries: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What only the queries that are patterns need: first and last search, and on how many occasions."""
    groups: QuerySet[Any, Any] = rows.filter(normalized__in=queries).order_by().values("normalized")
    found = groups.annotate(
        first=Min("search__created_at"),
        last=Max("search__created_at"),
        occasions=Greatest(Count("day", distinct=True), Count("searcher", distinct=True)),
    )
    return {group["normalized"]: group for group in found}


def repeated_queries(limits: Limits) -> list[Detection]:
    """Queries that are asked again and again; confidence as in `repetition_confidence`.

    A query that never finds anything is left to `zero_results`.
    """
    groups = _query_groups(_searches(limits)).filter(times__gte=limits.min_occurrences, times__gt=F("missed"))
    found = {
        group["normalized"]: group["times"] for group in groups.order_by("-times", "normalized")[: 2 * PATTERNS_MAX]
    }
    facts = _of_queries(_searches(limits), list(found))
    confidences = {
        query: repetition_confidence(times, facts[query]["occasions"])
        for query, times in found.items()
        if query in facts
    }
    admitted = [query for query in confidences if limits.admit(found[query], confidences[query])][:PATTERNS_MAX]
    return _query_detections(
        PatternType.REPEATED_QUERY,
        {query: (found[query], confidences[query]) for query in admitted},
        facts,
        _searches(limits),
    )


def zero_results(limits: Limits) -> list[Detection]:
    """Queries that find nothing; confidence: the chance that the next such search finds nothing.

    Queries that somebody chose to ignore are left out.
    """
    ignored = IgnoredQuery.objects.values("normalized")
    groups = _query_groups(_searches(limits).exclude(normalized__in=ignored))
    found = [
        (group["normalized"], (group["missed"], confidence))
        for group in groups.filter(missed__gte=limits.min_occurrences).order_by("-missed", "normalized")
        if limits.admit(group["missed"], confidence := succession(group["missed"], group["times"]))
    ][:PATTERNS_MAX]
    missed = _searches(limits).filter(had_results=False)
    facts = _of_queries(missed, [query for query, _ in found])
    return _query_detections(PatternType.ZERO_RESULT, dict(found), facts, missed)


def _query_detections(
    type_: PatternType,
    found: dict[str, tuple[int, float]],
    facts: dict[str, dict[str, Any]],
    rows: QuerySet[SearchAnalytics],
) -> list[Detection]:
    """Detections of queries (times, confidence) whose searches are in `rows`."""
    examples = _query_examples(list(found), rows)
    return [
        Detection(
            type_,
            query,
            examples[query][0]["query"],
            times,
            confidence,
            facts[query]["first"],
            facts[query]["last"],
            examples[query],
            count_after=_count_after(rows.filter(normalized=query)),
        )
        for query, (times, confidence) in found.items()
        if query in facts and examples[query]  # else its searches were deleted between the statements
    ]


def _count_after(rows: QuerySet[SearchAnalytics]) -> Callable[[dt.datetime], int]:
    return lambda moment: rows.filter(search__created_at__gt=moment).count()


def _query_examples(normalized: Sequence[str], rows: QuerySet[SearchAnalytics]) -> dict[str, list[dict[str, Any]]]:
    """The newest searches of each query, as typed."""
    newest = (
        rows.filter(normalized__in=normalized)
        .annotate(place=Window(RowNumber(), partition_by=F("normalized"), order_by=F("search_id").desc()))
        .filter(place__lte=EXAMPLES)
        .order_by("-search_id")
        .values_list("normalized", "search__query", "search__created_at", "result_count")
    )
    examples: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for key, query, at, results in newest:
        examples[key].append({"query": query, "at": at.isoformat(), "results": results})
    return examples


@dataclass(frozen=True)
class CodeSearch:
    """One search with codes in it."""

    pk: int
    searcher: str
    at: dt.datetime
    query: str
    codes: tuple[str, ...]

    def example(self) -> dict[str, Any]:
        return {"query": self.query, "at": self.at.isoformat()}


def code_searches(limits: Limits) -> list[CodeSearch]:
    """The searches with codes, oldest first; the newest CODE_ROWS_MAX where there are more."""
    rows = (
        _searches(limits)
        .exclude(codes=[])
        .order_by("-search_id")
        .values_list("search_id", "searcher", "search__created_at", "search__query", "codes")
    )
    found = [CodeSearch(pk, who, at, query, tuple(codes)) for pk, who, at, query, codes in rows[:CODE_ROWS_MAX]]
    return sorted(found, key=lambda search: (search.at, search.pk))


def code_surges(limits: Limits, first_day: dt.date | None = None) -> list[Detection]:
    """Codes with a day far above their other days.

    Confidence: the chance that as many usual days as the window has would all stay below it. Without
    the number of days, some day of every code would look special. The usual day is a Poisson
    distribution whose mean is that of the other days of the window, one search and one day added so
    that a new code has a mean too. The last such day of a code counts.
    """
    start = first_day or _searches(limits).aggregate(first=Min("day"))["first"]
    days = (limits.today - max(start, limits.since)).days + 1 if start else 0
    if days < SURGE_DAYS_MIN:
        return []
    by_code: dict[str, dict[dt.date, list[CodeSearch]]] = defaultdict(lambda: defaultdict(list))
    for search in code_searches(limits):
        for code in search.codes:
            by_code[code][search.at.astimezone(dt.UTC).date()].append(search)
    found = [surge for code, by_day in by_code.items() if (surge := _surge(code, by_day, days, limits))]
    return _most_frequent(found)


def _surge(code: str, by_day: dict[dt.date, list[CodeSearch]], days: int, limits: Limits) -> Detection | None:
    total = sum(map(len, by_day.values()))
    for day in sorted(by_day, reverse=True):
        searches = by_day[day]
        usual = (total - len(searches) + 1) / days  # days - 1 other days, and the added one
        confidence = poisson_below(len(searches), usual) ** days
        if len(searches) >= SURGE_FACTOR * usual and limits.admit(len(searches), confidence):
            return _of_searches(PatternType.CODE_SURGE, code, code, confidence, searches)
    return None


def co_searched_codes(limits: Limits) -> list[Detection]:
    """Pairs of codes that one person searches for in one go; an occurrence is such a session.

    Confidence: the chance that a session with the rarer code has the other one too.
    """
    sessions: Counter[str] = Counter()
    together: dict[tuple[str, str], list[CodeSearch]] = defaultdict(list)
    for session in code_sessions(code_searches(limits)):
        codes = sorted({code for search in session for code in search.codes})
        sessions.update(codes)
        for pair in combinations(codes[:20], 2):
            together[pair].append(session[-1])
    found = []
    for (one, other), searches in together.items():
        confidence = succession(len(searches), min(sessions[one], sessions[other]))
        if limits.admit(len(searches), confidence):
            title = f"{one} + {other}"
            found.append(_of_searches(PatternType.CO_SEARCHED, f"{one}|{other}", title, confidence, searches))
    return _most_frequent(found)


def code_sessions(searches: Iterable[CodeSearch]) -> Iterator[list[CodeSearch]]:
    """Searches (oldest first) of one person with small gaps; an unknown person's stand alone."""
    running: dict[str, list[CodeSearch]] = {}
    for search in searches:
        if not search.searcher:
            yield [search]
            continue
        session = running.get(search.searcher, [])
        if session and search.at - session[-1].at > SESSION_GAP:
            yield session
            session = []
        running[search.searcher] = [*session, search]
    yield from running.values()


def query_failures(limits: Limits) -> list[Detection]:
    """Entries that a query leads to and that do not help; confidence: the chance that the next vote says so."""
    votes = defaultdict(list)
    for search, worked, at in _search_outcomes(limits):
        votes[search["normalized"], search["opened_entry_id"]].append((search, worked, at))
    found = []
    for (normalized, entry_id), outcomes in votes.items():
        failed = [(search, at) for search, worked, at in outcomes if not worked]
        confidence = succession(len(failed), len(outcomes))
        if limits.admit(len(failed), confidence):
            found.append(_of_failures(f"{entry_id} {normalized}", failed, confidence))
    return _most_frequent(found)


def _search_outcomes(limits: Limits) -> Iterator[tuple[dict[str, Any], bool, dt.datetime]]:
    """Every vote with the last search of its voter that led to its entry, in the time before it."""
    start = dt.datetime.combine(limits.since, dt.time.min, dt.UTC)
    searches: dict[tuple[str, Any], list[dict[str, Any]]] = defaultdict(list)
    opened = SearchQuery.objects.filter(created_at__gte=start, opened_entry__isnull=False)
    columns = ("query", "normalized", "searcher", "opened_entry_id", "opened_entry__title", "created_at")
    for search in opened.exclude(searcher="").exclude(normalized="").order_by("created_at", "pk").values(*columns):
        searches[search["searcher"], search["opened_entry_id"]].append(search)
    feedback = Feedback.objects.filter(created_at__gte=start).order_by("pk")
    for voter, entry, worked, at in feedback.values_list("voter", "entry_id", "worked", "created_at").iterator():
        before = searches.get((voter, entry), [])
        place = bisect_right([search["created_at"] for search in before], at)
        if place and at - before[place - 1]["created_at"] <= OUTCOME_WITHIN:
            yield before[place - 1], worked, at


def _of_failures(key: str, failed: list[tuple[dict[str, Any], dt.datetime]], confidence: float) -> Detection:
    failed = sorted(failed, key=lambda pair: pair[1])
    newest = failed[-1][0]
    times = [at for _, at in failed]
    return Detection(
        PatternType.QUERY_FAILURE,
        key,
        f"{newest['query']} → {newest['opened_entry__title']}",
        len(failed),
        confidence,
        times[0],
        times[-1],
        [
            {"query": search["query"], "at": at.isoformat(), "entry": str(search["opened_entry_id"])}
            for search, at in failed[: -EXAMPLES - 1 : -1]
        ],
        _counter(times),
    )


def _of_searches(
    type_: PatternType, key: str, title: str, confidence: float, searches: Sequence[CodeSearch]
) -> Detection:
    times = sorted(search.at for search in searches)
    examples = [search.example() for search in searches[: -EXAMPLES - 1 : -1]]
    return Detection(type_, key, title, len(times), confidence, times[0], times[-1], examples, _counter(times))


def _counter(times: Sequence[dt.datetime]) -> Callable[[dt.datetime], int]:
    return lambda moment: len(times) - bisect_right(times, moment)


def _most_frequent(found: list[Detection]) -> list[Detection]:
    return sorted(found, key=lambda detection: (-detection.frequency, detection.key))[:PATTERNS_MAX]


#: In the order in which they run.
DETECTORS: dict[PatternType, Callable[[Limits], list[Detection]]] = {
    PatternType.REPEATED_QUERY: repeated_queries,
    PatternType.ZERO_RESULT: zero_results,
    PatternType.CODE_SURGE: code_surges,
    PatternType.QUERY_FAILURE: query_failures,
    PatternType.CO_SEARCHED: co_searched_codes,
}
