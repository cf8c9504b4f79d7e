"""A search puts the right entry first, whatever is typed, and never raises."""

from __future__ import annotations

import random
import re
from time import monotonic
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from knowledge.entries import entry_viewed
from knowledge.models import CodeAlias, Entry, ErrorCode, SearchDoc
from knowledge.search import SearchFilters, SearchOrder, SearchResults, database, entry_search, index_update
from knowledge.search.rank import TOPS, top_of
from tests.knowledge.builders import entry_built

pytestmark = pytest.mark.django_db


@pytest.fixture
def entries() -> dict[str, Entry]:
    return {
        "s0c7": entry_built(
            title="S0C7: data exception in a packed field",
            problem="The step ends with ABEND=S0C7 when a COMP-3 field holds spaces.",
            solution="Find the field, then initialise the record. See also S0C4.",
            category="COBOL",
            severity="high",
            tags=["abend", "packed-decimal"],
            codes=["S0C7"],
        ),
        "s0c4": entry_built(
            title="S0C4: protection exception",
            problem="A subscript or an address is wrong; sometimes S0C7 comes first.",
            category="COBOL",
            severity="critical",
            tags=["abend", "storage"],
            codes=["S0C4"],
        ),
        "dup": entry_built(
            title="SQLCODE -803: row exists already",
            problem="An INSERT meets a unique index.",
            category="DB2",
            tags=["insert"],
            codes=["SQLCODE -803"],
        ),
        "open": entry_built(
            title="FS 35: OPEN of a missing file",
            problem="The data set is not there or was never loaded.",
            category="VSAM",
            severity="low",
            tags=["open"],
            codes=["FS 35"],
        ),
        "draft": entry_built(title="S0C7 draft of a new text", status="draft", codes=["S0C7"]),
    }


def titles(results: SearchResults) -> list[str]:
    return [hit.entry.title.split(":")[0] for hit in results.hits]


@pytest.mark.parametrize("text", ["S0C7", "soc7", "0C7", "s 0c7", "system 0C7", "ABEND=S0C7 U0000", "S0C7 abend"])
def test_every_spelling_of_a_code_finds_its_own_entry_first(entries: dict[str, Entry], text: str) -> None:
    assert titles(entry_search(text))[0] == "S0C7"


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("-803", "SQLCODE -803"),
        ("803", "SQLCODE -803"),
        ("SQL0803N", "SQLCODE -803"),
        ("sqlcode \u2212803 on insert", "SQLCODE -803"),
        ("35", "FS 35"),
        ("file status '35'", "FS 35"),
        ("opening missing files", "FS 35"),
        ("dataset loaded", "FS 35"),
        ("protect", "S0C4"),
        ("comp3", "S0C7"),
        ("initialised records", "S0C7"),
        ("IEF450I PAYJOB STEP020 - ABEND=S0C7 U0000 REASON=00000007", "S0C7"),
        ("what to do when the nightly job abends with protection exception", "S0C4"),
    ],
)
def test_the_entry_that_a_person_means_comes_first(entries: dict[str, Entry], text: str, first: str) -> None:
    assert titles(entry_search(text))[0] == first


def test_the_last_word_may_be_unfinished(entries: dict[str, Entry]) -> None:
    assert sorted(titles(entry_search("s0c"))) == ["S0C4", "S0C7"]
    assert titles(entry_search("sqlcode -80"))[0] == "SQLCODE -803"
    assert titles(entry_search("unique ind")) == ["SQLCODE -803"]
    assert entry_search("unique ind ").total < 2


def test_an_alias_of_a_code_finds_its_entry_though_no_word_of_it_stands_there(entries: dict[str, Entry]) -> None:
    CodeAlias.objects.create(alias="duplicate key", error_code=ErrorCode.objects.get(code="SQLCODE -803"))
    assert titles(entry_search("Duplicate  KEY")) == ["SQLCODE -803"]
    assert titles(entry_search("duplicate key on insert"))[0] == "SQLCODE -803"


def test_drafts_are_found_only_when_asked_for(entries: dict[str, Entry]) -> None:
    assert "S0C7 draft of a new text" not in titles(entry_search("S0C7"))
    assert titles(entry_search("S0C7", filters=SearchFilters(status="draft"))) == ["S0C7 draft of a new text"]
    assert entry_search("S0C7", filters=SearchFilters(status="")).total == 3


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (SearchFilters(category="VSAM"), ["FS 35"]),
        (SearchFilters(severity="critical"), ["S0C4"]),
        (SearchFilters(tag="storage"), ["S0C4"]),
        (SearchFilters(code="SQLCODE -803"), ["SQLCODE -803"]),
        (SearchFilters(category="VSAM", tag="storage"), []),
    ],
)
def test_filters_alone_list_what_has_them(entries: dict[str, Entry], filters: SearchFilters, found: list[str]) -> None:
    results = entry_search("", filters=filters)
    assert titles(results) == found
    assert results.total == len(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("category:vsam", ["FS 35"]),
        ("severity:CRITICAL exception", ["S0C4"]),
        ("tag:packed-decimal", ["S0C7"]),
        ("code:soc4 category:COBOL", ["S0C4", "S0C7"]),
        ('code:"FS 35"', ["FS 35"]),
        ("exception -packed", ["S0C4"]),
        ('"packed field"', ["S0C7"]),
        ('"field packed"', []),
    ],
)
def test_field_syntax_narrows_a_search(entries: dict[str, Entry], text: str, found: list[str]) -> None:
    assert sorted(titles(entry_search(text))) == found


def test_a_given_filter_wins_over_the_text_and_an_unknown_value_is_a_word(entries: dict[str, Entry]) -> None:
    assert entry_search("category:DB2 x", filters=SearchFilters(category="VSAM")).filters.category == "VSAM"
    assert entry_search("category:exception").filters.category == ""
    assert entry_search("category:exception").total == 2


def test_facets_count_each_filter_under_the_others(entries: dict[str, Entry]) -> None:
    facets = entry_search("", filters=SearchFilters(category="COBOL")).facets
    assert {one.value: one.count for one in facets.category} == {"COBOL": 2, "DB2": 1, "VSAM": 1}
    assert {one.value: one.count for one in facets.severity} == {"critical": 1, "high": 1}
    assert [one.value for one in facets.category if one.selected] == ["COBOL"]
    assert (facets.tag[0].value, facets.tag[0].count) == ("abend", 2)


def test_words_that_are_marked_are_the_found_ones_and_html_is_escaped() -> None:
    entry_built(title="A <b>Zebra</b> & co", problem="Before it: <script>zebras</script> run away at night.")
    hit = entry_search("zebra").hits[0]
    assert hit.title_html == "A &lt;b&gt;<mark>Zebra</mark>&lt;/b&gt; &amp; co"
    assert "<mark>zebras</mark>" in hit.snippet_html
    assert "<script" not in hit.snippet_html


def test_a_snippet_shows_the_place_where_the_words_are() -> None:
    entry_built(
        problem="Nothing here.\n\n" + "Filler words go on. " * 100 + "The zebra sleeps near a spool. " + "More. " * 50
    )
    snippet = entry_search("zebra spool").hits[0].snippet_html
    assert "<mark>zebra</mark> sleeps near a <mark>spool</mark>" in snippet
    assert snippet.startswith("\u2026 ")
    assert len(snippet) < 400


def test_use_and_proven_success_decide_between_equals() -> None:
    first, second, third = (entry_built(title="Zebra in the spool") for _ in range(3))
    Entry.objects.filter(pk=second.pk).update(success_count=90, failure_count=10)
    Entry.objects.filter(pk=third.pk).update(success_count=1)
    index_update([first.pk, second.pk, third.pk])
    assert [hit.entry.pk for hit in entry_search("zebra").hits] == [second.pk, third.pk, first.pk]


def test_equal_entries_stand_in_the_order_of_their_static_rank_which_comes_from_their_ids() -> None:
    made = sorted((entry_built(title="Zebra in the spool") for _ in range(5)), key=lambda entry: entry.search_doc.rank)
    assert [hit.entry for hit in entry_search("zebra").hits] == made


def test_pages_hold_every_entry_once_also_beyond_the_ranked_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.search.engine.CANDIDATES", 5)
    made = {entry_built(title=f"Zebra {number}").pk for number in range(12)}
    pages = [entry_search("zebra", page=page, page_size=4) for page in (1, 2, 3, 4)]
    found = [hit.entry.pk for page in pages for hit in page.hits]
    assert (len(found), set(found)) == (12, made)
    assert [len(page.hits) for page in pages] == [4, 4, 4, 0]
    assert all(page.total == 12 for page in pages)
    assert (pages[0].page_count, pages[0].has_next, pages[2].has_next) == (3, True, False)


def test_common_words_are_found_the_same_in_a_top_of_the_rows_as_in_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("knowledge.search.engine.CANDIDATES", 4)
    monkeypatch.setattr("knowledge.search.database.TOP_MARGIN", (1.0, 0))
    monkeypatch.setattr("knowledge.search.database.HEAD_SHARE", 1.0)
    monkeypatch.setattr("knowledge.search.database.SORTED_TIMES", 0)
    monkeypatch.setattr("knowledge.search.plan._tops", {})
    for number in range(24):
        severity = ["low", "low", "medium", "high", "critical"][number % 5]
        entry_built(title=f"Zebra {number}", tags=["stripes"] if number % 2 else [], severity=severity)
    asked = ["zebra", "zebra tag:stripes", "zebra severity:high", "zebra -stripes", "zebra 7"]
    whole = [[hit.entry.pk for hit in entry_search(text).hits] for text in asked]
    monkeypatch.setattr("knowledge.search.database.SORTED_ROWS", 0)
    with CaptureQueriesContext(connection) as queries:
        assert whole == [[hit.entry.pk for hit in entry_search(text).hits] for text in asked]
    assert connection.vendor == "sqlite" or any("'/top." in query["sql"] for query in queries)
    for wrong in ([1] * TOPS, [10**6] * TOPS, [*range(TOPS)]):
        monkeypatch.setattr("knowledge.search.plan._tops", {"default": (monotonic(), tuple(wrong))})
        assert whole == [[hit.entry.pk for hit in entry_search(text).hits] for text in asked]


def test_an_entry_that_rises_into_a_top_is_found_in_it() -> None:
    entries = [entry_built(title=f"Zebra {number}", severity="low") for number in range(3)]
    for _ in range(9):
        entry_viewed(entry=entries[0])
    labels = {doc.entry_id: [*map(int, re.findall(r"/top.(\d+)", doc.labels))] for doc in SearchDoc.objects.all()}
    tops = {doc.entry_id: [*range(top_of(doc.rank), TOPS)] for doc in SearchDoc.objects.all()}
    assert labels == tops and len(tops[entries[0].pk]) > len(tops[entries[1].pk])


@pytest.mark.parametrize("order", list(SearchOrder))
def test_what_is_counted_with_the_search_is_the_same(monkeypatch: pytest.MonkeyPatch, order: SearchOrder) -> None:
    monkeypatch.setattr("knowledge.search.engine.CANDIDATES", 4)
    for number in range(12):
        entry_built(title=f"Zebra {number}", tags=["stripes"] if number % 3 else [], problem=f"It has {number} legs.")
    for text in ("zebra", "zebra tag:stripes", "zebra 7", '"has 7 legs"', "stripes", "giraffe", ""):
        for page in (1, 2):
            one, other = (
                entry_search(text, order=order, page=page, page_size=5, counted=counted) for counted in (False, True)
            )
            assert [hit.entry.pk for hit in one.hits] == [hit.entry.pk for hit in other.hits], text
            assert (one.facets, one.total, one.total_capped) == (other.facets, other.total, other.total_capped), text


@pytest.mark.django_db(transaction=True)
def test_postgresql_plans_the_questions_of_searches_once(entries: dict[str, Entry], settings: Any) -> None:
    texts = ["abend field", "abend storage", "abend open"]
    settings.SEARCH_PREPARED = False
    plain = [titles(entry_search(text, counted=True)) for text in texts]
    settings.SEARCH_PREPARED = True
    assert [titles(entry_search(text, counted=True)) for text in texts] == plain
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements")
            generic, custom = cursor.fetchone()
        assert generic > 2 and custom == 0, (generic, custom)


@pytest.mark.django_db(transaction=True)
def test_a_search_is_planned_again_when_a_column_has_got_another_type(entries: dict[str, Entry]) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite prepares again by itself")
    for _ in range(3):
        found = titles(entry_search("abend field"))
    title = Entry._meta.get_field("title")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE kb_entries ALTER COLUMN title TYPE varchar(900)")
        try:
            assert titles(entry_search("abend field")) == found
        finally:
            cursor.execute(f"ALTER TABLE kb_entries ALTER COLUMN title TYPE {title.db_type(connection)}")


def test_a_row_that_goes_between_two_questions_takes_no_others_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.search.engine.CANDIDATES", 4)
    for number in range(12):
        entry_built(title=f"Number {number}", problem="The zebra fell asleep.")
    documents = database.documents
    monkeypatch.setattr(database, "documents", lambda found, **fields: documents(found, **fields)[:-1])
    assert entry_search("zebra", counted=True).total == 12


def test_counting_stops_at_a_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.search.engine.COUNT_CAP", 5)
    for number in range(7):
        entry_built(title=f"Zebra {number}")
    results = entry_search("")
    assert (results.total, results.total_capped) == (5, True)


def test_an_entry_with_some_of_the_words_is_better_than_nothing(entries: dict[str, Entry]) -> None:
    assert titles(entry_search("unique index zebra giraffe")) == ["SQLCODE -803"]


@pytest.mark.parametrize("text", ["???", "the of and", "-", "\0", '"', "a", "\U0001f600", "\ud800"])
def test_a_text_without_a_word_finds_nothing_or_everything_but_never_fails(
    entries: dict[str, Entry], text: str
) -> None:
    assert entry_search(text).total in {0, 4}


@pytest.mark.parametrize(
    "text",
    [
        'NEAR("a" "b")', "a AND", "OR OR", "NOT x", "a*", "^a", "{a b}: c", "a:b", "codes : x", '"unclosed', "'; DROP TABLE x; --",
        "a & b | !c <-> d", ":*", "\\", "%s %d %(x)s", "''''", "x" * 10_000, "SQLCODE -803 " * 2_000, "\x00S0C7\x00",
        "-" * 10_000, '"' * 999, "tag:" * 50, "category:\0", "code:\ud800", 'tag:"' + "x" * 300 + '"', "\u0130stanbul",
    ],
    ids=lambda text: repr(text[:16]),
)  # fmt: skip
def test_nothing_that_is_typed_reaches_a_query_language(entries: dict[str, Entry], text: str) -> None:
    results = entry_search(text)
    assert len(results.hits) <= results.total
    assert results.facets is not None


def test_random_text_never_raises(entries: dict[str, Entry]) -> None:
    chance = random.Random(11)
    pieces = [
        "S0C7",
        "-803",
        '"',
        "'",
        "tag:",
        "code:",
        "-",
        "*",
        ":",
        "\0",
        "\ud800",
        "(",
        ")",
        "&",
        "|",
        "!",
        "\\",
        "%s",
        " ",
        "\n",
        "a",
    ]
    for _ in range(200):
        entry_search("".join(chance.choices(pieces, k=chance.randint(1, 30)))).facets  # noqa: B018 - counted when read


def test_page_and_size_out_of_range_are_put_right(entries: dict[str, Entry]) -> None:
    assert entry_search("S0C7", page=-3, page_size=0).page == 1
    assert entry_search("S0C7", page=10**9).hits == ()
    assert entry_search("", page_size=10**6).page_size == 100


def test_a_search_asks_the_database_a_bounded_number_of_times(
    entries: dict[str, Entry], django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        entry_search("abend in a packed field").facets  # noqa: B018 - counted when read
