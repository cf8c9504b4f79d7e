"""Cleanups of the knowledge base: what they change, and that an undo brings every row back."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from knowledge.entries import entry_update, entry_viewed
from knowledge.feedback import feedback_give
from knowledge.following import mark_set
from knowledge.integrity import cleanups
from knowledge.models import (
    Entry,
    EntryAddress,
    EntryRevision,
    EntryStatus,
    EntryTag,
    ErrorCode,
    Feedback,
    SearchQuery,
    Tag,
)
from knowledge.phases.mvp2_analytics.models import SearchAnalytics, UsageMetric
from knowledge.phases.mvp2_analytics.searches import searches_add
from knowledge.search import entry_search, index_check
from migrations_ops.archive import tables_manifest
from migrations_ops.checkpoints import tables_open
from migrations_ops.gate import site_level, site_level_set
from migrations_ops.integrity import parking
from migrations_ops.integrity.cleaning import cleanup_create, cleanup_get, cleanup_preview, cleanups_tidy
from migrations_ops.models import CleanupRecord, CleanupRow
from tests.knowledge.builders import entry_built
from tests.migrations_ops.integrity.inline import cleanup_run, cleanup_undo

LONG_AGO = timezone.now() - dt.timedelta(days=2_000)


def everything() -> dict[str, Any]:
    return tables_manifest(tables_open(site_level()))


def told() -> list[Any]:
    """What entries and their history say; without numbers of rows, which PostgreSQL never gives twice."""
    return [
        *Entry.objects.order_by("title").values_list("title", "version", "usage_count", "success_count"),
        *EntryTag.objects.order_by("entry__title", "tag__name").values_list("entry__title", "tag__name"),
        *EntryRevision.objects.order_by("entry__title", "version").values_list("entry__title", "version", "note"),
        *EntryAddress.objects.order_by("entry__title").values_list("entry__title", "title"),
    ]


def cleaned(name: str, **options: int) -> CleanupRecord:
    return cleanup_run(record=cleanup_create(name=name, options=options, actor="ada"))


def undone(record: CleanupRecord) -> CleanupRecord:
    return cleanup_undo(record=cleanup_get(record.pk))


def older(entry: Entry, days: int) -> Entry:
    Entry.objects.filter(pk=entry.pk).update(created_at=timezone.now() - dt.timedelta(days=days))
    return entry


def a_duplicate_with_everything() -> tuple[Entry, Entry]:
    """An old entry and its twin, which has votes, tags, a reader's mark, searches, usage and an old address."""
    ada = User.objects.create_user("ada", "ada@example.org")
    kept = older(entry_built(title="S0C7 in step 20", tags=["abend"]), 10)
    twin = older(entry_built(title="S0C7  in step 20.", tags=["cobol", "abend"], codes=["S0C7"]), 5)
    feedback_give(entry=kept, worked=True, voter="session:a")
    feedback_give(entry=twin, worked=False, voter="session:a")
    feedback_give(entry=twin, worked=True, voter="session:b")
    mark_set(entry=twin, user=ada, favourite=True)
    entry_viewed(entry=twin)
    twin = entry_update(entry=twin, expected_version=1, author=ada, severity="high")
    SearchQuery.objects.create(query="s0c7", normalized="s0c7", opened_entry=twin)
    EntryAddress.objects.create(old_id="00000000-0000-4000-8000-000000000001", entry=twin, title="Older still")
    UsageMetric.objects.create(entry=twin, day=dt.date(2024, 1, 1), views=3)
    return kept, twin


def test_merged_duplicates_become_one_and_an_undo_brings_back_every_row(level_2: None) -> None:
    kept, twin = a_duplicate_with_everything()
    other = entry_built(title="Something else entirely")
    before = everything()

    assert cleanup_preview(name="merge_duplicates", options={}).count == 1
    assert everything() == before
    record = cleaned("merge_duplicates")

    assert set(Entry.objects.values_list("pk", flat=True)) == {kept.pk, other.pk}
    merged = Entry.objects.get(pk=kept.pk)
    assert (merged.usage_count, merged.success_count, merged.failure_count) == (1, 1, 1)
    assert sorted(merged.tags.values_list("name", flat=True)) == ["abend", "cobol"]
    assert EntryAddress.objects.filter(entry=kept.pk).count() == 2
    assert SearchQuery.objects.get().opened_entry_id == kept.pk
    assert UsageMetric.objects.get().entry_id == kept.pk
    assert (record.state, record.done) == ("done", 1)
    assert not record.rows.exists() and record.sha256

    assert undone(record).kept == []

    assert everything() == before
    assert index_check().ok
    assert {hit.entry.pk for hit in entry_search("S0C7").hits} >= {kept.pk, twin.pk}


def test_a_merge_whose_entry_was_edited_since_stays_and_is_listed(level_2: None) -> None:
    kept, _twin = a_duplicate_with_everything()
    record = cleaned("merge_duplicates")
    merged = Entry.objects.get(pk=kept.pk)
    entry_update(entry=merged, expected_version=merged.version, author=None, severity="low")
    edited = everything()

    found = undone(record)

    assert everything() == edited
    assert found.state == "undone"
    assert found.kept_count > 0 and found.kept[0]["reason"] == "changed since"


def test_what_readers_did_after_a_merge_stays_when_it_is_undone(level_2: None) -> None:
    kept, twin = a_duplicate_with_everything()
    record = cleaned("merge_duplicates")
    entry_viewed(entry=kept)
    feedback_give(entry=Entry.objects.get(pk=kept.pk), worked=True, voter="session:new")

    undone(record)

    first, second = Entry.objects.get(pk=kept.pk), Entry.objects.get(pk=twin.pk)
    assert (first.usage_count, first.success_count) == (1, 2)
    assert (second.usage_count, second.success_count, second.failure_count) == (1, 1, 1)
    assert Feedback.objects.filter(entry=kept).count() == 2


def test_entries_that_nobody_uses_are_archived_and_come_back(db: None) -> None:
    idle, used = entry_built(title="Nobody reads this"), entry_built(title="Everybody reads this")
    Entry.objects.update(created_at=LONG_AGO, updated_at=LONG_AGO)
    Entry.objects.filter(pk=used.pk).update(usage_count=50)
    before = everything()

    record = cleaned("archive_unused", days=365, uses=3)

    assert list(Entry.objects.filter(status=EntryStatus.ARCHIVED)) == [idle]
    undone(record)
    assert everything() == before


def test_trimmed_searches_are_parked_with_their_analytics_and_come_back(level_2: None) -> None:
    old = [SearchQuery.objects.create(query=f"old {n}", normalized=f"old {n}", created_at=LONG_AGO) for n in range(4)]
    searches_add(old)
    SearchQuery.objects.create(query="new", normalized="new")
    before = everything()

    record = cleaned("trim_searches", days=365)

    assert [row.query for row in SearchQuery.objects.all()] == ["new"]
    assert not SearchAnalytics.objects.filter(search_id__in=[row.pk for row in old]).exists()
    undone(record)
    assert everything() == before


def test_rows_of_a_level_that_was_closed_since_stay_in_the_file(level_2: None) -> None:
    kept, twin = a_duplicate_with_everything()
    record = cleaned("merge_duplicates")
    site_level_set(1)

    found = undone(record)

    assert Entry.objects.filter(pk__in=[kept.pk, twin.pk]).count() == 2
    assert [row["table"] for row in found.kept] == ["usage_metrics"]


def test_unused_labels_go_and_one_whose_name_is_taken_again_is_listed(db: None) -> None:
    entry_built(tags=["used"], codes=["S0C7"])
    Tag.objects.create(name="orphan", created_at=LONG_AGO)
    Tag.objects.create(name="lonely", created_at=LONG_AGO)
    ErrorCode.objects.create(code="S999", kind="abend")
    record = cleaned("remove_unused")
    assert set(Tag.objects.values_list("name", flat=True)) == {"used"}
    assert not ErrorCode.objects.filter(code="S999").exists()
    Tag.objects.create(name="orphan")

    found = undone(record)

    assert set(Tag.objects.values_list("name", flat=True)) == {"used", "orphan", "lonely"}
    assert ErrorCode.objects.filter(code="S999").exists()
    assert [row["reason"] for row in found.kept] == ["its place is taken"]


def test_damaged_letters_are_mended_in_a_new_version_and_an_undo_takes_it_away(db: None) -> None:
    entry = entry_built(title="KÃ¶nigsjob endet frÃ¼h", problem="Der Job bricht ab â€“ jede Nacht. Ã‰tÃ©")
    before = everything()
    assert cleanup_preview(name="mend_encoding", options={}).count == 1

    record = cleaned("mend_encoding")

    mended = Entry.objects.get(pk=entry.pk)
    assert (mended.title, mended.problem) == ("Königsjob endet früh", "Der Job bricht ab – jede Nacht. Été")
    assert mended.version == 2
    undone(record)
    assert everything() == before


def test_counters_are_set_to_the_votes_and_back(db: None) -> None:
    entry = entry_built()
    feedback_give(entry=entry, worked=True, voter="session:a")
    Entry.objects.filter(pk=entry.pk).update(success_count=7, failure_count=2)
    before = everything()

    record = cleaned("mend_counters")

    entry.refresh_from_db()
    assert (entry.success_count, entry.failure_count) == (1, 0)
    undone(record)
    assert everything() == before


def test_entries_written_past_the_site_are_rendered_and_indexed(db: None) -> None:
    entry = entry_built()
    Entry.objects.filter(pk=entry.pk).update(problem_html="", solution_html="")
    cleaned("render_entries")
    entry.refresh_from_db()
    assert entry.problem_html and entry.solution_html


class Killed(BaseException):
    """The process is gone."""


class Rewind(Exception):  # noqa: N818
    """Leaves the database as it was before the block."""


def killed(point: int, work: Callable[[], Any]) -> bool:
    """Do the work until it has sent so many statements; whether it was killed there."""
    sent, dead = 0, False

    def count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal sent, dead
        if sent == point and not dead:
            dead = True
            raise Killed
        sent += 1
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(count):
            work()
    except Killed:
        return True
    return False


def test_a_cleanup_and_its_undo_that_are_killed_anywhere_go_on_and_come_out_the_same(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanups, "BATCH_ENTRIES", 1)
    monkeypatch.setattr(parking, "BATCH_UNITS", 1)
    monkeypatch.setattr(parking, "BATCH_BYTES", 1)
    moment = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: moment)
    monkeypatch.setattr(EntryAddress._meta.get_field("merged_at"), "_get_default", lambda: moment)
    for number in range(4):
        older(entry_built(title=f"Twin {number % 2}", tags=[f"tag {number}"]), 9 - number)
    before, points = everything(), 0
    with rewound():
        cleaned("merge_duplicates")
        merged = told()
    step = 1 if os.environ.get("KB_TEST_KILL_ALL") == "1" else 67
    died = True
    while died:
        with rewound():
            record = cleanup_create(name="merge_duplicates", options={}, actor="ada")
            died = killed(points, partial(cleanup_run, record=cleanup_get(record.pk)))
            found = cleanup_get(record.pk)
            cleanups_tidy() if found.state == "done" else cleanup_run(record=found)
            assert told() == merged, points
            assert not CleanupRow.objects.exists()
            died_too = killed(points, partial(undone, record))
            if cleanup_get(record.pk).state != "undone":
                undone(record)
            assert everything() == before, points
            died = died or died_too
        points += step
    assert points > step * 3


@contextmanager
def rewound() -> Iterator[None]:
    with suppress(Rewind), transaction.atomic():
        yield
        raise Rewind
