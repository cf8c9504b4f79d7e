"""Making the whole index again, batch by batch, while readers and writers go on."""

from __future__ import annotations

import gc
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from knowledge.models import Entry, EntryStatus, SearchDoc, SearchTerm
from knowledge.search import index, storing, terms
from knowledge.search.rank import Standing, rank_of
from knowledge.search.rows import hexadecimal

#: Batches after which the frequencies of terms are written.
COUNTED_BATCHES = 25
#: Where a rebuild has got to; forgotten when it ends, or after a day.
CURSOR_KEY = "knowledge.search.rebuild.place"
#: The rebuild that began last of those that have not ended.
LAST_BEGUN_KEY = "knowledge.search.rebuild.last"
KEPT_SECONDS = 24 * 60 * 60
#: Terms whose frequencies are written in one transaction.
COUNTED_TERMS = 5_000
#: Objects that may be made before Python looks for garbage, of which a rebuild makes next to none.
OBJECTS_UNSEEN = 100_000
FETCHED_ROWS = 2_000
_RANK_BYTES = 8


def index_rebuild() -> int:
    """Make the whole index again; the number of entries. Rows that are right as they are stay untouched."""
    cache.delete(CURSOR_KEY)
    return index_rebuild_resume()


def index_rebuild_resume() -> int:
    """Go on with a rebuild that was interrupted, or begin one; the number of entries that were looked at.

    1. SQLite's FTS5 tables are filled again when they hold other rows than the ones that they follow.
    2. Rows without an entry go; every entry is analysed and written where its row differs. What terms
       gain is written every COUNTED_BATCHES only, as most batches have the same.
    3. What has no row all the same is indexed: the place was that of another database beside the same cache.
    4. The frequencies of terms are compared with the rows and put right, unless both began with nothing and no
       other rebuild was at work, which may have written what this one had still to write.
    """
    me = uuid4().hex
    alone = cache.add(LAST_BEGUN_KEY, me, KEPT_SECONDS)
    if not alone:
        cache.set(LAST_BEGUN_KEY, me, KEPT_SECONDS)
    if storing.index_lost():
        storing.index_resync()
    SearchDoc.objects.filter(~Exists(Entry.objects.filter(pk=OuterRef("entry_id")))).delete()
    if not SearchDoc.objects.exists():
        cache.delete(CURSOR_KEY)  # of rows that are gone, or of another database
    from_nothing = not (cache.get(CURSOR_KEY) or SearchDoc.objects.exists() or SearchTerm.objects.exists())
    with _garbage_left():
        written = _rest_written()
    written += index.index_update(Entry.objects.filter(search_doc=None).values_list("pk", flat=True))
    storing.rows_analysed()
    if not (from_nothing and alone and cache.get(LAST_BEGUN_KEY) == me):
        terms_mend()
    cache.delete_many([CURSOR_KEY, LAST_BEGUN_KEY])
    return written


def index_fill(*, using: str = "default", **_signal: Any) -> None:
    """Index the entries that no search can find; called after `migrate`, which may have emptied the index."""
    if using == "default" and _tables_are_ours() and Entry.objects.filter(search_doc=None).exists():
        index_rebuild_resume()


def terms_mend() -> None:
    """Put the frequencies of terms right.

    Rows and frequencies are read in one statement, so they fit one another whoever writes meanwhile;
    what they differ by is added afterwards, and stays right whatever was written in between.
    """
    counted: Counter[str] = Counter()
    for status, texts, df in storing.docs_and_terms():
        if df is not None:
            counted[texts] -= df
        elif status == EntryStatus.PUBLISHED:
            counted.update({terms.EVERY, *texts.split()})
    terms.terms_count(counted)


@contextmanager
def _garbage_left() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS_UNSEEN, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _rest_written() -> int:
    """Write batch after batch from where a rebuild has got to; the number of entries."""
    written, counted = 0, Counter[str]()
    for number, (place, batch) in enumerate(_batches(cache.get(CURSOR_KEY)), start=1):
        with transaction.atomic():
            written += index.batch_written(batch, counted)
        cache.set(CURSOR_KEY, place, KEPT_SECONDS)
        if not number % COUNTED_BATCHES:
            _counts_written(counted)
            counted.clear()
    _counts_written(counted)
    return written


def _counts_written(counted: Counter[str]) -> None:
    for some in storing.sliced(sorted(counted), COUNTED_TERMS):
        terms.terms_count({term: counted[term] for term in some})


def _batches(cursor: bytes | UUID | None) -> Iterator[tuple[bytes | UUID, list[UUID]]]:
    """The entries that come after a place, so many at a time, each time with the place behind them.

    An index that has no rows gets them in the order of their ranks: each table grows at its end, and what is most
    used is found first. What another use or vote moves before the place meanwhile is indexed by who writes it.
    Where there are rows entries come in the order of their ids, which nothing moves.
    """
    if isinstance(cursor, bytes) or (cursor is None and not SearchDoc.objects.exists()):
        yield from _batches_by_rank(cursor or b"")
    else:
        yield from _batches_by_id(cursor)


def _batches_by_rank(after: bytes) -> Iterator[tuple[bytes, list[UUID]]]:
    keys = sorted(_keys())
    for some in storing.sliced(keys[bisect_right(keys, after) :], index.BATCH_ROWS):
        yield some[-1], [UUID(bytes=key[_RANK_BYTES:]) for key in some]


def _keys() -> Iterator[bytes]:
    """Rank and id of each entry, as bytes that sort as they do; a million take some 70 MB."""
    with connection.chunked_cursor() as cursor:
        cursor.execute("SELECT id, usage_count, success_count, failure_count, severity, status FROM kb_entries")
        while some := cursor.fetchmany(FETCHED_ROWS):
            for key, *facts in some:
                rank = rank_of(key, Standing(*facts))
                yield rank.to_bytes(_RANK_BYTES, "big") + bytes.fromhex(hexadecimal(key))


def _batches_by_id(after: UUID | None) -> Iterator[tuple[UUID, list[UUID]]]:
    entries = Entry.objects.order_by("pk").values_list("pk", flat=True)
    while batch := list(entries.filter(Q(pk__gt=after) if after else Q())[: index.BATCH_ROWS]):
        after = batch[-1]
        yield after, batch


def _tables_are_ours() -> bool:
    """Whether the tables are those of this release; `migrate` can also go back."""
    with connection.cursor() as cursor:
        if SearchDoc._meta.db_table not in connection.introspection.table_names(cursor):
            return False
        # No row is read; Django's own description of the table asks SQLite's schema once for each column.
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(SearchDoc._meta.db_table)} LIMIT 0")
        columns = {name for name, *_ in cursor.description}
    return {field.column for field in SearchDoc._meta.concrete_fields} <= columns
