"""How well searches find what people judged to help, over a public collection, beside plain FTS5 bm25().

`python -m tests.bench.collection FOLDER` reads a collection in the plain SMART format, in which Cranfield, CACM,
CISI and others are given away: a file of documents ("cran.all.1400", "CISI.ALL"), one of queries ("cran.qry") and
one of judgements ("cranqrel", "CISI.REL"). They are entries of a new site here, indexed and searched as ever.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import log2
from pathlib import Path
from uuid import UUID

from tests.sites import site_drop, site_new

FIRST = 10
NEEDS = (
    "Collection: `python -m tests.bench.collection FOLDER` prints nDCG@10 of searches beside plain bm25(); FOLDER "
    "has a collection in the SMART format (cran.all.1400, cran.qry, cranqrel, or the like), which is not part of this."
)
#: Judgements that say a document is of no interest.
_NO_INTEREST = {"-1", "5"}
_FILES = {
    "documents": re.compile(r"\.all\b"),
    "queries": re.compile(r"\.qry$"),
    "judgements": re.compile(r"qrels?$|\.rel$"),
}
_RECORD = re.compile(r"^\.I +(\d+) *$", re.MULTILINE)
_PART = re.compile(r"^\.([A-Z])\b *", re.MULTILINE)
_WORD = re.compile(r"[a-z0-9]+")
#: What stands in a field that may not be empty: no word.
_NOTHING = "-" * 10


@dataclass(frozen=True)
class Collection:
    """Documents and queries by number, and the documents that help with each query."""

    #: Title and text.
    documents: dict[int, tuple[str, str]]
    queries: dict[int, str]
    relevant: dict[int, set[int]]


def main() -> None:
    if not sys.argv[1:]:
        print(f"\n{NEEDS}")
        return
    if "KB_DATABASE_URL" in os.environ:
        import django

        django.setup()
        measure(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory(prefix="kb-bench-") as folder:
        site = site_new("sqlite", Path(folder))
        site.manage("migrate", "--verbosity=0")
        done = site.python("-m", "tests.bench.collection", str(Path(sys.argv[1]).resolve()), timeout_seconds=1800)
        print(done.stdout, end="")
        site_drop(site)


def measure(folder: Path) -> None:
    """Runs inside an empty site: fills it and prints what each way of searching finds."""
    collection = collection_read(folder)
    entries_write(collection)
    judged = len(collection.relevant)
    print(f"\nCollection {folder.name}: {len(collection.documents):,} documents, {judged} judged queries, nDCG@{FIRST}")
    for name, ask in ways(collection).items():
        print(f"  {name}: {ndcg_mean(collection, ask):.3f}", flush=True)


def ways(collection: Collection) -> dict[str, Callable[[str], list[int]]]:
    """Ways to search: by name, what takes a text and gives the numbers of the first documents."""
    return {
        "entry_search": entries_found,
        "plain FTS5 bm25()": plain_bm25(collection, "unicode61"),
        "plain FTS5 bm25(), words stemmed by Porter": plain_bm25(collection, "porter unicode61"),
    }


def collection_read(folder: Path) -> Collection:
    """The collection in a folder. Raises SystemExit when one of its files is missing."""
    files = {what: _file(folder, what) for what in _FILES}
    documents = {
        number: (_line(parts.get("T", "")), parts.get("W", "")) for number, parts in _records(files["documents"])
    }
    queries = [(number, _line(parts.get("W", ""))) for number, parts in _records(files["queries"])]
    relevant: dict[int, set[int]] = {}
    for line in files["judgements"].splitlines():
        query, document, *more = line.split() or ("0", "0")
        if int(document) in documents and not _NO_INTEREST.intersection(more[:1]):
            relevant.setdefault(int(query), set()).add(int(document))
    numbered = dict(queries)
    if not relevant.keys() <= numbered.keys():
        # Cranfield's judgements count the queries from 1, whatever number each has.
        numbered = {place: text for place, (_, text) in enumerate(queries, start=1)}
    return Collection(documents, numbered, relevant)


def _file(folder: Path, what: str) -> str:
    for path in sorted(folder.iterdir()):
        if _FILES[what].search(path.name.lower()):
            return path.read_text(encoding="latin-1")
    raise SystemExit(f"{folder} has no file of {what}. {NEEDS}")


def _records(text: str) -> Iterable[tuple[int, dict[str, str]]]:
    """Number and parts by letter of each record."""
    pieces = _RECORD.split(text)[1:]
    for number, body in zip(pieces[::2], pieces[1::2], strict=True):
        parts = _PART.split(body)[1:]
        yield int(number), {letter: part.strip() for letter, part in zip(parts[::2], parts[1::2], strict=True)}


def _line(text: str) -> str:
    return " ".join(text.split())


def ndcg_mean(collection: Collection, ask: Callable[[str], list[int]]) -> float:
    """The mean over the judged queries."""
    found = [ndcg(ask(collection.queries[query]), helping) for query, helping in collection.relevant.items()]
    return sum(found) / len(found)


def ndcg(found: list[int], relevant: set[int]) -> float:
    """Normalised discounted cumulated gain of the first FIRST, relevant or not.

    Järvelin and Kekäläinen (2002), ACM Trans. Inf. Syst. 20.
    """
    gain = sum(1 / log2(place + 1) for place, number in enumerate(found[:FIRST], start=1) if number in relevant)
    return gain / sum(1 / log2(place + 1) for place in range(1, min(len(relevant), FIRST) + 1))


def entries_write(collection: Collection) -> None:
    """Make each document a published entry and index them."""
    from knowledge.models import Category, Entry, EntryStatus
    from knowledge.models.entry import PROBLEM_CHARS, SOLUTION_CHARS, TITLE_CHARS
    from knowledge.search import index_rebuild

    cut = PROBLEM_CHARS[1]
    usual = {"category": Category.OTHER, "status": EntryStatus.PUBLISHED}
    made = [
        Entry(
            id=UUID(int=number),
            title=(title or _NOTHING)[: TITLE_CHARS[1]],
            problem=text[:cut].ljust(PROBLEM_CHARS[0], "-"),
            solution=text[cut : cut + SOLUTION_CHARS[1]].ljust(SOLUTION_CHARS[0], "-"),
            **usual,
        )
        for number, (title, text) in collection.documents.items()
    ]
    Entry.objects.bulk_create(made, batch_size=500)
    index_rebuild()


def entries_found(text: str) -> list[int]:
    """The numbers of the documents that entry_search puts first."""
    from knowledge.search import entry_search

    return [hit.entry.pk.int for hit in entry_search(text, page_size=FIRST).hits]


def plain_bm25(collection: Collection, tokenizer: str) -> Callable[[str], list[int]]:
    """FTS5 over title and text with its own ranking; any word of the query is enough."""
    from django.db import connection

    from knowledge.search.rows import rows

    table = f"plain_{tokenizer.split(maxsplit=1)[0]}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE VIRTUAL TABLE {table} USING fts5(title, text, tokenize='{tokenizer}')")
        values = [(number, *texts) for number, texts in collection.documents.items()]
        cursor.executemany(f"INSERT INTO {table} (rowid, title, text) VALUES (%s, %s, %s)", values)

    def ask(text: str) -> list[int]:
        wanted = " OR ".join(f'"{word}"' for word in dict.fromkeys(_WORD.findall(text.lower())))
        sql = f"SELECT rowid FROM {table} WHERE {table} MATCH %s ORDER BY bm25({table}) LIMIT {FIRST}"
        return [number for (number,) in rows(sql, [wanted])]

    return ask


if __name__ == "__main__":
    main()
