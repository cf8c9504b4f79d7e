"""The index of entries: one SearchDoc each, written in the transaction that writes the entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Prefetch, QuerySet

from knowledge.models import Entry, EntryCode, SearchDoc
from knowledge.search import database
from knowledge.search.analysis import code_parts, code_token, tokens
from knowledge.search.rank import Standing, rank_of

#: Entries that are analysed and written at a time.
BATCH_ROWS = 500


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
            entries = list(_entries_with_labels().filter(pk__in=batch))
            SearchDoc.objects.filter(entry__in=batch).delete()
            SearchDoc.objects.bulk_create(_with_free_ranks([document(entry) for entry in entries]))
        written += len(entries)
    return written


def index_rebuild() -> int:
    """Make the whole index again, batch by batch, while readers go on; the number of entries."""
    database.index_resync()
    ids = list(Entry.objects.order_by("pk").values_list("pk", flat=True))
    SearchDoc.objects.filter(~Exists(Entry.objects.filter(pk=OuterRef("entry_id")))).delete()
    return index_update(ids)


def index_rank_refresh(entry_id: UUID) -> None:
    """Move an entry to the rank that its use and votes have earned; nothing where it stays the same."""
    entry = (
        Entry.objects.filter(pk=entry_id)
        .select_related("search_doc")
        .only("usage_count", "success_count", "failure_count", "severity", "search_doc__entry")
        .first()
    )
    if entry is None:
        return
    doc = getattr(entry, "search_doc", None)
    rank = rank_of(entry_id, standing_of(entry))
    if doc and rank == doc.pk:
        return
    if doc is None or SearchDoc.objects.filter(rank=rank).exists():
        index_update([entry_id])
    else:
        SearchDoc.objects.filter(entry=entry_id).update(rank=rank)


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


def standing_of(entry: Entry) -> Standing:
    """What the rank of an entry comes from."""
    return Standing(entry.usage_count, entry.success_count, entry.failure_count, entry.severity)


def document(entry: Entry) -> SearchDoc:
    """The index row of an entry whose tags and codes are fetched."""
    return SearchDoc(
        rank=rank_of(entry.pk, standing_of(entry)),
        entry=entry,
        category=entry.category,
        severity=entry.severity,
        status=entry.status,
        version=entry.version,
        codes=" ".join(_code_tokens(entry)),
        title=" ".join(tokens(entry.title)),
        tags=" ".join(token for tag in entry.tags.all() for token in tokens(tag.name)),
        problem=" ".join(tokens(entry.problem)),
        solution=" ".join(tokens(entry.solution)),
    )


def _code_tokens(entry: Entry) -> Iterator[str]:
    for link in entry.entrycode_set.all():
        yield code_token(link.error_code.code)
        if link.position == 0:
            yield from code_parts(link.error_code.code, link.error_code.kind)


def _entries_with_labels() -> QuerySet[Entry]:
    links = EntryCode.objects.select_related("error_code").order_by("position", "pk")
    return Entry.objects.defer("problem_html", "solution_html").prefetch_related(
        "tags", Prefetch("entrycode_set", queryset=links)
    )


def _with_free_ranks(docs: list[SearchDoc]) -> list[SearchDoc]:
    """The rows with ranks that no other row has; two equal hashes in one bucket are rare, not impossible."""
    taken = set(SearchDoc.objects.filter(rank__in=[doc.rank for doc in docs]).values_list("rank", flat=True))
    for doc in docs:
        while doc.rank in taken:
            doc.rank += 1
        taken.add(doc.rank)
    return docs


def _batches(ids: Iterable[UUID]) -> Iterator[list[UUID]]:
    rest = iter(ids)
    while batch := list(islice(rest, BATCH_ROWS)):
        yield batch
