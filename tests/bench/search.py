"""How fast a search is, on both databases, and that both give the same answers.

`make bench` measures 100,000 entries; KB_BENCH_LARGE=1 measures 1,000,000 as well, KB_BENCH_ENTRIES=n another
number, KB_BENCH_DATABASES=sqlite one database. With KB_BENCH_FOLDER=folder sites stay there, and those that are
there are measured without being filled again (PostgreSQL's for as long as KB_TEST_POSTGRES_URL names their server).

A machine that does other things lengthens what the clock on the wall says, so beside it stands the time of the
processor: of this process, and of the PostgreSQL process that answers it. Every figure of one database comes from
one run over the same searches: `entry_search` as the pages call it, the bare question to the index, and what the
database's own ranking takes (FTS5 with bm25(), to_tsvector with ts_rank_cd), which gives at most 20 numbers and
neither entries nor snippets. That ranking is asked twice: for entries that have every word, of which many a search
has none or few, and for 20 answers, as `entry_search` gives them: every word first, any word where that gave fewer.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.postgres import SERVER_OPTIONS
from tests.sites import Site, site_drop, site_new

SEARCHES = 500
PAGES = 150
FIRST_OF_EACH = 20
#: Memory of PostgreSQL's tables as docs/operations.md wants it, where this starts the server.
SHARED_BUFFERS = "1GB"


def main() -> None:
    SERVER_OPTIONS["shared_buffers"] = SHARED_BUFFERS
    sizes = [int(os.environ.get("KB_BENCH_ENTRIES", "100000"))]
    if os.environ.get("KB_BENCH_LARGE") == "1":
        sizes.append(1_000_000)
    print_judged()
    for entries in sizes:
        answers = {}
        for vendor in os.environ.get("KB_BENCH_DATABASES", "sqlite,postgresql").split(","):
            with site_for(vendor, entries) as site:
                answers[vendor] = measured(site, entries)
        if len(answers) == 2:
            print_same(*answers.values())


@contextmanager
def site_for(vendor: str, entries: int) -> Iterator[Site]:
    """A site that is thrown away afterwards, or the one that is kept."""
    if kept := os.environ.get("KB_BENCH_FOLDER"):
        folder = Path(kept) / f"{vendor}-{entries}"
        address = folder / "address"
        if not address.exists():
            address.write_text(site_new(vendor, folder).url)
        yield Site(vendor, folder, address.read_text().strip())
        return
    with tempfile.TemporaryDirectory(prefix="kb-bench-") as new:
        site = site_new(vendor, Path(new))
        try:
            yield site
        finally:
            site_drop(site)


def measured(site: Site, entries: int) -> dict[str, list[str]]:
    """Prints what one database does; the answers to each search."""
    print(f"\nSearch, {entries:,} entries on {site.vendor} ({load()})", flush=True)
    site.manage("migrate", "--verbosity=0")
    site.manage("collectstatic", "--noinput", "--verbosity=0")
    answers = site.data_dir / "answers.json"
    process = site.spawn("-m", "tests.bench.search", "measure", str(entries), str(answers))
    if process.wait():
        raise SystemExit(process.returncode)
    found: dict[str, list[str]] = json.loads(answers.read_text())
    return found


def print_judged() -> None:
    """How well the judged searches find what helps in the starter knowledge base."""
    with tempfile.TemporaryDirectory(prefix="kb-bench-") as folder:
        site = site_new("sqlite", Path(folder))
        site.manage("migrate", "--verbosity=0")
        site.manage("kb", "starter")
        print(site.python("-m", "tests.bench.search", "judged").stdout, end="", flush=True)


def judge() -> None:
    """Runs inside a site with the starter entries: prints rank and recall by kind of search."""
    from tests.knowledge.search.test_relevance import judged, mean

    results = [(one, *one.measured()) for one in judged()]
    print(f"\nJudged searches over the starter knowledge base: {len(results)}")
    for kind in sorted({one.kind for one, _, _ in results}):
        found = [(rank, share) for one, rank, share in results if one.kind == kind]
        rank, recall = (mean(list(values)) for values in zip(*found, strict=True))
        print(f"  {kind}: {len(found)} searches, MRR {rank:.3f}, recall in the first ten {recall:.3f}")


def print_same(one: dict[str, list[str]], other: dict[str, list[str]]) -> None:
    """How many searches have the same first results on both."""
    same = sum(one[text] == other[text] for text in one)
    print(f"\nSame first {FIRST_OF_EACH} on both databases: {same} of {len(one)} searches")
    for text in [text for text in one if one[text] != other[text]][:5]:
        print(f"  differs: {text!r}")


def measure(entries: int, answers: Path) -> None:
    """Runs inside the site: fills it, then times it."""
    from knowledge.models import Entry
    from knowledge.search import entry_search
    from tests.corpus import Corpus

    corpus = Corpus(entries)
    if Entry.objects.count() < entries:
        timed("entries written", entries, corpus.write)
        fill(entries)
    different = list(dict.fromkeys(corpus.searches(SEARCHES * 3)))
    searches, others = different[:SEARCHES], different[SEARCHES : SEARCHES * 2]
    plain, plain_some = plain_ranking()
    print_memory()
    for text in others:  # a site is searched all day
        entry_search(text)
    whole = print_times("entry_search", searches, entry_search, base=None)
    print_times("  the bare index query", searches, bare_query(searches), base=whole)
    print_times(f"  plain {plain.__name__}, every word", searches, plain, base=whole)
    print_answered(searches, plain)
    print_times(
        f"  plain {plain.__name__}, any word where that gives fewer than {FIRST_OF_EACH}",
        searches,
        filled(plain, plain_some),
        base=whole,
    )
    print_times("  entry_search with what it found marked", searches, shown_search, base=None)
    print_times("  entry_search with total and filters", searches, counted_search, base=None)
    print_pages(searches[:PAGES])
    print(f"  at the end: {load()}")
    found = {text: [str(hit.entry.pk) for hit in entry_search(text, page_size=FIRST_OF_EACH).hits] for text in searches}
    answers.write_text(json.dumps(found))


def print_memory() -> None:
    """What PostgreSQL may keep of its tables in memory."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SHOW shared_buffers")
            print(f"  shared_buffers of the server: {cursor.fetchone()[0]}", flush=True)


def fill(entries: int) -> None:
    """Builds the index from nothing, looks at all of it again, and lets PostgreSQL take notice."""
    from django.db import connection

    from knowledge.search import index_check, index_rebuild

    timed("index built from nothing", entries, index_rebuild)
    timed("index rebuilt, nothing to change", entries, index_rebuild)
    assert index_check().ok
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def timed(what: str, entries: int, work: Callable[[], object]) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    work()
    took, used = time.perf_counter() - began, time.process_time() - cpu
    print(f"  {what}: {took:.1f} s, {used:.1f} s of this process, {entries / took:,.0f} entries/s", flush=True)


Times = list[tuple[float, float]]


def print_times(what: str, searches: list[str], ask: Callable[[str], object], base: Times | None) -> Times:
    """Times every search once, by the wall and the processor; prints percentiles and how `base` compares."""
    times: Times = []
    server = server_clock()
    for text in searches:
        began, cpu = time.perf_counter(), time.process_time() + server()
        ask(text)
        took = time.perf_counter() - began
        times.append((took * 1000, (time.process_time() + server() - cpu) * 1000))
    wall, worked = zip(*times, strict=True)
    print(f"  {what}: {percentiles(wall)}; of the processor {percentiles(worked)}", flush=True)
    if base:
        print(f"    entry_search is {faster(base, times, 0)} times as fast; of the processor {faster(base, times, 1)}")
    return times


def faster(one: Times, other: Times, clock: int) -> str:
    """How many times as long the other takes."""
    ours, theirs = (sorted(time[clock] for time in times) for times in (one, other))
    ratios = [theirs[int(len(theirs) * share)] / ours[int(len(ours) * share)] for share in (0.5, 0.95)]
    return f"p50 {ratios[0]:.2f}, p95 {ratios[1]:.2f}, mean {sum(theirs) / sum(ours):.2f}"


def print_answered(searches: list[str], plain: Callable[[str], Any]) -> None:
    """How often the plain ranking has an answer at all where `entry_search` has one."""
    from knowledge.search import entry_search

    counts = [len(plain(text)) for text in searches]
    ours = sum(bool(entry_search(text).hits) for text in searches)
    enough = sum(count >= FIRST_OF_EACH for count in counts)
    print(
        f"    it has {FIRST_OF_EACH} answers to {enough}, none to {counts.count(0)} of {len(searches)} searches;",
        end=" ",
    )
    print(f"entry_search has none to {len(searches) - ours}", flush=True)


def filled(plain: Callable[[str], Any], some: Callable[[str], Any]) -> Callable[[str], object]:
    """The plain ranking that gives 20 answers where there are: every word, else any word."""

    def asked(text: str) -> object:
        found = plain(text)
        return found if len(found) >= FIRST_OF_EACH else some(text)

    return asked


def percentiles(times: Sequence[float]) -> str:
    """Half of the times are below p50, 95 and 99 of 100 below the others."""
    p50, p95, p99 = (sorted(times)[int(len(times) * share)] for share in (0.5, 0.95, 0.99))
    return f"p50 {p50:.2f} ms, p95 {p95:.2f}, p99 {p99:.2f}, mean {sum(times) / len(times):.2f}"


def server_clock() -> Callable[[], float]:
    """Seconds that PostgreSQL's process for this connection has worked, where this machine tells; 0 on SQLite."""
    from django.db import connection

    from knowledge.search.rows import rows

    if connection.vendor == "sqlite":
        return lambda: 0.0
    figures = Path(f"/proc/{rows('SELECT pg_backend_pid()')[0][0]}/schedstat")
    return (lambda: int(figures.read_text().split()[0]) / 1e9) if figures.exists() else (lambda: 0.0)


def load() -> str:
    return f"load of the machine {', '.join(f'{value:.1f}' for value in os.getloadavg())}"


def shown_search(text: str) -> object:
    """A search with titles and passages as a page shows them."""
    from knowledge.search import entry_search

    return [(hit.title_html, hit.snippet_html) for hit in entry_search(text).hits]


def counted_search(text: str) -> object:
    """A search with all that a page of results shows, but the page."""
    from knowledge.search import entry_search

    results = entry_search(text, counted=True)
    return results.facets, results.total


def bare_query(searches: list[str]) -> Callable[[str], object]:
    """The question to the index alone: the ranks of the first 200 rows that have every word."""
    from knowledge.search import SearchFilters, database
    from knowledge.search.plan import plan_made
    from knowledge.search.query import query_parse

    asked = {text: plan_made(query_parse(text, SearchFilters())).asked for text in searches}
    return lambda text: database.ranks(asked[text], database.Index.WORDS, limit=200)


def print_pages(searches: list[str]) -> None:
    """Times whole results pages, filters counted and search recorded."""
    from django.test import Client
    from django.urls import reverse

    client = Client(headers={"host": "localhost"})
    client.get(reverse("search"), {"q": "S0C7"})
    print_times("results page", searches, lambda text: client.get(reverse("search"), {"q": text}).content, base=None)


Plain = tuple[Callable[[str], Any], Callable[[str], Any]]


def plain_ranking() -> Plain:
    """The database's own full text search over title, problem and solution, filled: for every word, for any word."""
    from django.db import connection

    filled = "plain_words" in connection.introspection.table_names()
    return plain_sqlite(filled=filled) if connection.vendor == "sqlite" else plain_postgresql(filled=filled)


def fill_plain(*statements: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def plain_words(text: str) -> list[str]:
    import re

    return re.findall(r"[A-Za-z0-9]+", re.sub(r"\b(?:category|tag):\S+", " ", text))


def plain_sqlite(*, filled: bool) -> Plain:
    from knowledge.search.rows import rows

    if not filled:
        fill_plain(
            "CREATE VIRTUAL TABLE plain_words USING fts5(title, problem, solution, content='')",
            "INSERT INTO plain_words(rowid, title, problem, solution) SELECT rowid, title, problem, solution FROM kb_entries",
        )

    def bm25(text: str, between: str = " ") -> Any:
        match = between.join(f'"{word}"' for word in plain_words(text))
        return rows(
            "SELECT rowid FROM plain_words WHERE plain_words MATCH %s ORDER BY bm25(plain_words, 5, 2, 1) LIMIT 20",
            [match],
        )

    return bm25, lambda text: bm25(text, " OR ")


def plain_postgresql(*, filled: bool) -> Plain:
    from knowledge.search.rows import rows

    if not filled:
        fill_plain(
            "CREATE TABLE plain_words AS SELECT id, setweight(to_tsvector('english', title), 'A') || "
            "setweight(to_tsvector('english', problem), 'B') || to_tsvector('english', solution) AS words FROM kb_entries",
            "CREATE INDEX ON plain_words USING gin (words)",
            "VACUUM ANALYZE plain_words",
        )
    every = "plainto_tsquery('english', %s)"
    some = f"replace({every}::text, '&', '|')::tsquery"

    def ts_rank_cd(text: str, question: str = every) -> Any:
        return rows(
            f"SELECT id FROM plain_words, (SELECT {question} AS asked) AS question WHERE words @@ asked "
            "ORDER BY ts_rank_cd(words, asked) DESC LIMIT 20",
            [" ".join(plain_words(text))],
        )

    return ts_rank_cd, lambda text: ts_rank_cd(text, some)


if __name__ == "__main__":
    if sys.argv[1:]:
        import django

        django.setup()
        judge() if sys.argv[1] == "judged" else measure(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
