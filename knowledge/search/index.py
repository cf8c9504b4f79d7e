"""The index of entries: one SearchDoc each, written in the transaction that writes the entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef

from knowledge.models import Entry, EntryStatus, SearchDoc
from knowledge.search import database, storing, terms
from knowledge.search.analysis import code_parts, code_token
from knowledge.search.rank import Standing, merit_of, rank_of, top_of
from knowledge.search.rows import marks, one_of, rows, stored
from knowledge.search.tokens import tokens, tokens_joined

#: Entries that are analysed and written at a time.
BATCH_ROWS = 1_000
#: Codes of an entry that a list of results shows; a long text can have dozens.
CODES_SHOWN = 8

#: Of an index row, in the order of the model.
_COLUMNS = (
    *("rank", "entry_id", "category", "severity", "status", "version", "merit", "code_names"),
    *("codes", "title", "tags", "labels", "problem", "solution"),
)
_STATUS, _FIRST_TEXT = _COLUMNS.index("status"), _COLUMNS.index("codes")
_Row = tuple[Any, ...]
#: Of an entry, in the order of Facts.
FACTS = (
    *("id", "title", "problem", "solution", "category", "severity", "status", "version"),
    *("usage_count", "success_count", "failure_count"),
)
#: Values of an entry as the database has them.
Facts = tuple[Any, ...]
#: Name and number of each tag.
Tags = list[tuple[str, int]]
#: Position, number, code and kind of each code, in the order of their positions.
Codes = list[tuple[int, int, str, str]]


@dataclass(frozen=True)
class IndexCheck:
    """Whether the index fits the entries."""

    entries: int
    #: Entries that no search can find.
    missing: int
    #: Index rows without an entry.
    orphaned: int
    #: Index rows of an older text, category, severity or status.
    outdated: int

    @property
    def ok(self) -> bool:
        return not (self.missing or self.orphaned or self.outdated)

    def as_dict(self) -> dict[str, int | bool]:
        return {**asdict(self), "ok": self.ok}


def index_update(ids: Iterable[UUID]) -> int:
    """Index these entries again; the number of them that exist. Call it where the entry is written."""
    written = 0
    for batch in _batches(ids):
        with transaction.atomic():
            counted: Counter[str] = Counter()
            written += batch_written(batch, counted)
            terms.terms_count(counted)
    return written


def index_add(entries: Iterable[tuple[Facts, Tags, Codes]]) -> None:
    """Index entries that were added in this transaction and have no index row; nothing is read back."""
    counted: Counter[str] = Counter()
    made = [_document(facts, sorted(tags), codes) for facts, tags, codes in entries]
    storing.documents_add(_COLUMNS, _with_free_ranks(made))
    _count(counted, made, 1)
    terms.terms_count(counted)


def index_forget(ids: Iterable[UUID]) -> None:
    """Take these entries out of the index, before they are deleted in bulk."""
    for batch in _batches(ids):
        keys = [stored(key) for key in batch]
        sql = f"SELECT {', '.join(_COLUMNS)} FROM kb_search_docs WHERE entry_id IN ({marks(len(keys))})"
        with transaction.atomic():
            counted: Counter[str] = Counter()
            gone = rows(sql, keys)
            _count(counted, gone, -1)
            storing.documents_delete([row[0] for row in gone])
            terms.terms_count(counted)


def index_rank_refresh(entry_id: UUID) -> None:
    """Move an entry to the rank and merit that its use and votes have earned; nothing where they stay the same."""
    facts = (
        Entry.objects.filter(pk=entry_id)
        .values_list("usage_count", "success_count", "failure_count", "severity", "status")
        .first()
    )
    if facts is None:
        return
    standing = Standing(*facts)
    rank, merit = rank_of(entry_id, standing), merit_of(standing)
    doc = SearchDoc.objects.filter(entry=entry_id).values_list("rank", "merit").first()
    if doc == (rank, merit):
        return
    moves = doc is None or top_of(doc[0]) != top_of(rank)
    if doc is None or moves or (doc[0] != rank and SearchDoc.objects.filter(rank=rank).exists()):
        index_update([entry_id])
    elif doc[0] == rank:
        SearchDoc.objects.filter(entry=entry_id).update(merit=merit)
    else:
        SearchDoc.objects.filter(entry=entry_id).update(rank=rank, merit=merit)
        storing.tokens_sorted()


def index_check() -> IndexCheck:
    """Compare the index with the entries."""
    docs = SearchDoc.objects.all()
    same = docs.filter(
        entry__version=F("version"),
        entry__status=F("status"),
        entry__category=F("category"),
        entry__severity=F("severity"),
    )
    orphaned = docs.filter(~Exists(Entry.objects.filter(pk=OuterRef("entry_id")))).count()
    return IndexCheck(
        entries=Entry.objects.count(),
        missing=Entry.objects.filter(search_doc=None).count(),
        orphaned=orphaned,
        outdated=docs.count() - orphaned - same.count(),
    )


def doc_forget(*, instance: SearchDoc, **_signal: Any) -> None:
    """Take what a row adds away from the frequencies of terms; called before Django deletes one with its entry."""
    counted: Counter[str] = Counter()
    _count(counted, [tuple(getattr(instance, name) for name in _COLUMNS)], -1)
    terms.terms_count(counted)


def batch_written(batch: list[UUID], counted: Counter[str]) -> int:
    """Write the rows of these entries that are new or differ; adds to `counted` what terms gain and lose.

    The number of the entries that exist. Call it in a transaction.
    """
    keys = [stored(key) for key in batch]
    made = list(_documents(keys))
    chosen, params = one_of("entry_id", keys)
    sql = f"SELECT {', '.join(_COLUMNS)} FROM kb_search_docs WHERE {chosen}"
    before = {row[1]: row for row in rows(sql, params)}
    changed = [row for row in made if before.get(row[1]) != row]
    gone = before.keys() - {row[1] for row in made}
    old = [before[key] for key in (*(row[1] for row in changed), *gone) if key in before]
    storing.documents_delete([row[0] for row in old])
    storing.documents_add(_COLUMNS, _with_free_ranks(changed))
    _count(counted, old, -1)
    _count(counted, changed, 1)
    return len(made)


def _count(counted: Counter[str], found: Iterable[_Row], change: int) -> None:
    """Add the terms of published rows to the frequencies."""
    add = counted.update if change > 0 else counted.subtract
    for row in found:
        if row[_STATUS] == EntryStatus.PUBLISHED:
            add({terms.EVERY, *" ".join(row[_FIRST_TEXT:]).split()})


def _documents(keys: list[Any]) -> Iterator[_Row]:
    """The index rows of these entries (ids as the database has them), values in the order of _COLUMNS.

    The entries come first and stay locked, so that nobody who writes one of them is overwritten with what it was.
    """
    chosen, params = one_of("id", keys)
    sql = f"SELECT {', '.join(FACTS)} FROM kb_entries WHERE {chosen} ORDER BY id"
    entries = rows(f"{sql} FOR NO KEY UPDATE" if connection.vendor == "postgresql" else sql, params)
    chosen, params = one_of("entry_id", keys)
    tags: dict[Any, Tags] = {}
    sql = "SELECT entry_id, t.name, t.id FROM kb_entry_tags JOIN kb_tags t ON t.id = tag_id"
    for entry, name, number in rows(f"{sql} WHERE {chosen}", params):
        tags.setdefault(entry, []).append((name, number))
    codes: dict[Any, list[Any]] = {}
    sql = "SELECT entry_id, position, c.id, c.code, c.kind FROM kb_entry_codes ec JOIN kb_error_codes c ON c.id = error_code_id"
    for entry, *code in rows(f"{sql} WHERE {chosen} ORDER BY position, ec.id", params):
        codes.setdefault(entry, []).append(code)
    for facts in entries:
        yield _document(facts, sorted(tags.get(facts[0], [])), codes.get(facts[0], []))


def _document(facts: Facts, tags: Tags, codes: Codes) -> _Row:
    pk, title, problem, solution, category, severity, status, version, used, worked, failed = facts
    standing = Standing(used, worked, failed, severity, status)
    labels = [database.EVERY_ROW, database.label("category", category), database.label("severity", severity)]
    labels += [database.label("tag", number) for _, number in tags]
    labels += [database.label("code", number) for _, number, _, _ in codes]
    rank = rank_of(pk, standing)
    labels += database.TOP_LABELS[top_of(rank) :]
    return (
        *(rank, pk, category, severity, status, version),
        merit_of(standing),
        "\n".join(code for _, _, code, _ in codes[:CODES_SHOWN]),
        _text(_code_tokens(codes)),
        f" {tokens_joined(title)} ",
        _text(token for name, _ in tags for token in _tokens_of_tag(name)),
        _text(labels),
        f" {tokens_joined(problem)} ",
        f" {tokens_joined(solution)} ",
    )


@lru_cache(maxsize=20_000)
def _tokens_of_tag(name: str) -> tuple[str, ...]:
    return tuple(tokens(name))


def _text(found: Iterable[str]) -> str:
    """Tokens as a row holds them: a blank before, between and after."""
    return f" {' '.join(found)} "


def _code_tokens(codes: Codes) -> Iterator[str]:
    for position, _, code, kind in codes:
        yield code_token(code)
        if position == 0:
            yield from code_parts(code, kind)


def _with_free_ranks(made: list[_Row]) -> list[_Row]:
    """The rows with ranks that no other row has; two equal hashes in one bucket are rare, not impossible.

    In the order of their ranks: FTS5 writes all that it has gathered for each rank that goes back.
    """
    taken = database.taken([row[0] for row in made])
    free = []
    for rank, *rest in made:
        while rank in taken:
            rank += 1  # noqa: PLW2901 - the next one
        taken.add(rank)
        free.append((rank, *rest))
    return sorted(free)


def _batches(ids: Iterable[UUID]) -> Iterator[list[UUID]]:
    rest = iter(ids)
    while batch := list(islice(rest, BATCH_ROWS)):
        yield batch
