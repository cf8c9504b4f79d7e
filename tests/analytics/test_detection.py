"""Detection, compared with straightforward counting in Python."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter, defaultdict

import pytest
from django.utils import timezone

from knowledge.models import SearchQuery
from knowledge.phases.mvp2_analytics import detection
from knowledge.phases.mvp2_analytics.detection import Limits
from knowledge.phases.mvp2_analytics.models import SearchAnalytics
from knowledge.phases.mvp2_analytics.patterns import query_ignore
from knowledge.phases.mvp2_analytics.searches import searches_sweep
from knowledge.phases.mvp2_analytics.usage import today
from tests.analytics import builders


@pytest.fixture
def limits(level_2) -> Limits:
    return Limits(since=today() - dt.timedelta(days=29), today=today())


def index() -> None:
    while searches_sweep():
        pass


@pytest.fixture
def crowd(level_2):
    """Six hundred searches of eight people over forty days."""
    dice = random.Random(7)
    now = timezone.now()
    SearchQuery.objects.bulk_create(
        SearchQuery(
            query=f"Query {(kind := dice.randrange(30))}",
            normalized=f"query {kind}",
            searcher=f"user:{dice.randrange(8)}",
            result_count=0 if kind % 5 == 0 and dice.random() < 0.9 else 3,
            created_at=now - dt.timedelta(minutes=dice.randrange(60 * 24 * 40)),
        )
        for _ in range(600)
    )
    index()


def groups(limits: Limits) -> dict[str, list[SearchAnalytics]]:
    found = defaultdict(list)
    for row in SearchAnalytics.objects.select_related("search"):
        if row.day >= limits.since:
            found[row.normalized].append(row)
    return found


def test_repeated_queries_equal_brute_force(crowd, limits):
    expected = {}
    for query, rows in groups(limits).items():
        occasions = max(len({row.day for row in rows}), len({row.searcher for row in rows}))
        confidence = 1 - 1 / ((len(rows) + 1) * occasions)
        if len(rows) >= 3 and confidence >= 0.7 and any(row.had_results for row in rows):
            expected[query] = (len(rows), confidence, min(row.search.created_at for row in rows))
    found = {one.key: (one.frequency, one.confidence, one.first_seen) for one in detection.repeated_queries(limits)}
    assert found == expected


def test_zero_results_equal_brute_force(crowd, limits):
    expected = {}
    for query, rows in groups(limits).items():
        missed = [row.search.created_at for row in rows if not row.had_results]
        confidence = (len(missed) + 1) / (len(rows) + 2)
        if len(missed) >= 3 and confidence >= 0.7:
            expected[query] = (len(missed), confidence, min(missed), max(missed))
    found = {
        one.key: (one.frequency, one.confidence, one.first_seen, one.last_seen)
        for one in detection.zero_results(limits)
    }
    assert found == expected
    assert expected


def test_occurrences_after_a_moment_are_counted(crowd, limits):
    moment = timezone.now() - dt.timedelta(days=9)
    for one in [*detection.zero_results(limits), *detection.repeated_queries(limits)]:
        rows = groups(limits)[one.key]
        if one.type == "zero_result":
            rows = [row for row in rows if not row.had_results]
        assert one.count_after(moment) == sum(row.search.created_at > moment for row in rows)


def test_two_searches_are_no_pattern(limits):
    builders.searches(2, "rare thing", result_count=0)
    index()
    assert detection.zero_results(limits) == []
    assert detection.repeated_queries(limits) == []


def test_an_ignored_query_is_no_pattern_without_result(limits):
    builders.searches(4, "qwerty", result_count=0)
    index()
    query_ignore(normalized="qwerty", actor="ann")
    assert detection.zero_results(limits) == []


def test_searches_before_the_window_do_not_count(limits):
    now = timezone.now()
    for days in (1, 29, 31, 45):
        builders.search("old thing", created_at=now - dt.timedelta(days=days))
    index()
    assert detection.repeated_queries(limits) == []


def code_rows(rows: list[tuple[str, dt.timedelta, list[str]]]) -> None:
    now = timezone.now()
    for searcher, ago, codes in rows:
        search = SearchQuery(
            query=" ".join(codes), normalized=" ".join(codes), searcher=searcher, created_at=now - ago, result_count=1
        )
        search.save()
        day = search.created_at.astimezone(dt.UTC)
        SearchAnalytics.objects.create(
            search=search,
            day=day.date(),
            hour=day.hour,
            searcher=searcher,
            codes=codes,
            result_count=1,
            had_results=True,
        )


def test_a_code_far_above_its_usual_days_surges(limits):
    usual = [("user:1", dt.timedelta(days=day), ["S0C7"]) for day in range(1, 20, 2)]
    even = [("user:1", dt.timedelta(days=day), ["SB37"]) for day in range(20)]
    surge = [(f"user:{who}", dt.timedelta(days=3, seconds=who), ["S0C7"]) for who in range(8)]
    code_rows([*usual, *even, *surge])
    (found,) = detection.code_surges(limits)
    assert (found.key, found.frequency) == ("S0C7", 9)
    assert found.last_seen.astimezone(dt.UTC).date() == (timezone.now() - dt.timedelta(days=3)).date()
    assert found.confidence > 0.99


def test_the_first_days_of_a_site_are_no_surge(limits):
    code_rows([("user:1", dt.timedelta(seconds=number), ["S0C7"]) for number in range(9)])
    assert detection.code_surges(limits) == []


def test_codes_searched_in_one_go_belong_together(limits):
    rows = []
    for day in range(1, 5):
        start = dt.timedelta(days=day)
        rows += [(f"user:{day}", start, ["FS 35"]), (f"user:{day}", start - dt.timedelta(minutes=20), ["IEC141I"])]
        rows += [(f"user:{day}", start - dt.timedelta(hours=3), ["S0C7"])]
    code_rows(rows)
    (found,) = detection.co_searched_codes(limits)
    assert (found.key, found.frequency) == ("FS 35|IEC141I", 4)
    assert found.confidence == pytest.approx(5 / 6)


def test_sessions_equal_brute_force(level_2):
    dice = random.Random(3)
    moment = timezone.now()
    searches = sorted(
        (
            detection.CodeSearch(
                number,
                dice.choice(["", "a", "b", "c"]),
                moment + dt.timedelta(minutes=dice.randrange(4_000)),
                "",
                ("X",),
            )
            for number in range(200)
        ),
        key=lambda search: (search.at, search.pk),
    )
    found = sorted(tuple(search.pk for search in session) for session in detection.code_sessions(searches))
    expected = [(search.pk,) for search in searches if not search.searcher]
    for searcher in "abc":
        own = [search for search in searches if search.searcher == searcher]
        session: list[detection.CodeSearch] = []
        for search in own:
            if session and (search.at - session[-1].at) > dt.timedelta(minutes=30):
                expected.append(tuple(one.pk for one in session))
                session = []
            session.append(search)
        if session:
            expected.append(tuple(one.pk for one in session))
    assert found == sorted(expected)
    assert Counter(pk for session in found for pk in session).most_common(1)[0][1] == 1


def test_an_entry_that_does_not_help_is_found_with_its_query(limits):
    entry = builders.entry()
    for who in range(4):
        builders.search("dump in paymaster", searcher=f"user:{who}", opened_entry=entry, ago=dt.timedelta(hours=5))
        builders.vote(entry, worked=False, voter=f"user:{who}")
    builders.vote(entry, worked=True, voter="user:77")  # came from elsewhere
    index()
    (found,) = detection.query_failures(limits)
    assert (found.key, found.frequency) == (f"{entry.pk} dump in paymaster", 4)
    assert found.confidence == pytest.approx(5 / 6)
    assert entry.title in found.title


def test_a_vote_long_after_the_search_is_not_its_outcome(limits):
    entry = builders.entry()
    for who in range(4):
        builders.search("dump", searcher=f"user:{who}", opened_entry=entry, ago=dt.timedelta(days=3))
        builders.vote(entry, worked=False, voter=f"user:{who}")
    assert detection.query_failures(limits) == []


@pytest.mark.parametrize(
    ("count", "mean", "expected"), [(0, 2.0, 0.0), (1, 1.0, 0.367879), (3, 1.0, 0.919699), (2, 0, 1)]
)
def test_the_poisson_probability_is_right(count, mean, expected):
    assert detection.poisson_below(count, mean) == pytest.approx(expected, abs=1e-6)


def test_a_poisson_probability_of_huge_counts_stays_a_probability():
    assert 0 <= detection.poisson_below(5_000, 4_900.0) <= 1
