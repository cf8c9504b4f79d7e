"""The archive of a site comes back as it was: every table of the open levels, here or elsewhere, and goes again."""

from __future__ import annotations

import json
import os
import zipfile
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db.models import JSONField, Value
from django.test import Client
from django.urls import reverse
from django_q.models import Schedule

from knowledge.entries import entry_update
from knowledge.errors import ImportRefusedError
from knowledge.models import (
    CodeAlias,
    Entry,
    EntryAddress,
    EntryFlag,
    EntryMark,
    EntryReview,
    ErrorCode,
    Feedback,
    Import,
    ImportState,
    Plugin,
    PromotedResult,
    SearchQuery,
    Setting,
    Tag,
)
from knowledge.phases.mvp2_analytics.models import Baseline, IgnoredQuery, UsageMetric, UsagePattern
from knowledge.phases.mvp2_analytics.plugins import ANALYTICS, PATTERNS
from knowledge.phases.mvp2_analytics.tasks import analytics_aggregate
from knowledge.plugins import plugin_disable, plugin_enable
from knowledge.transfer import importing, undoing
from knowledge.transfer.exporting import ExportFilter, ExportFormat, export_write
from knowledge.transfer.files import SEEN, import_folder
from knowledge.transfer.jobs import import_bring, import_create, rows_kept
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.reading import source_open
from knowledge.transfer.restoring.tables import KNOWN
from knowledge.transfer.tables import EXPORTED
from knowledge.transfer.tasks import import_enqueue, undo_enqueue
from migrations_ops.archive import manifest_differences, tables_manifest
from migrations_ops.gate import site_level_set
from migrations_ops.models import RunState
from migrations_ops.phase import phase_at
from tests.knowledge.builders import entry_built
from tests.knowledge.page_builders import a_person
from tests.knowledge.transfer.inline import import_preview, import_run, import_take_back
from tests.knowledge.transfer.test_commands import kb
from tests.knowledge.transfer.test_runs import killed
from tests.sites import site_drop, site_new

pytestmark = pytest.mark.django_db

THEN = datetime(2024, 5, 31, 6, 7, 8, 91_011, tzinfo=UTC)
MERGED = UUID(int=77)


def filled() -> Entry:
    """A site at MVP2 with rows in every table that is exported."""
    entry = filled_below()
    for number in (1, 2, 3):
        UsageMetric.objects.create(entry=entry, day=date(2024, 5, number), views=number)
    UsagePattern.objects.create(
        type="code_surge", key="S0C7", title="S0C7", frequency=3, confidence=0.3, first_seen=THEN, last_seen=THEN
    )
    IgnoredQuery.objects.create(normalized="x", ignored_by="ada")
    Baseline.objects.create(metric="searches", value=1 / 3, window_days=7)
    return entry


def filled_below() -> Entry:
    """The same with the tables of MVP1 only."""
    ada, bob = people()
    entry = entry_built(title="S0C7 at night", tags=["b", "a"], codes=["S0C7", "U17"], author=ada)
    entry_update(entry=entry, expected_version=1, author=bob, title="S0C7 at night, again", problem="It stops again.")
    Entry.objects.filter(pk=entry.pk).update(usage_count=9, success_count=1, last_used_at=THEN, origin="starter")
    other = entry_built(title="Nobody wrote this one", problem="It was there before anybody.")
    ErrorCode.objects.filter(code="S0C7").update(meaning="data exception")
    Tag.objects.create(name="nobody has it", created_at=THEN)
    CodeAlias.objects.create(alias="data exception", error_code=ErrorCode.objects.get(code="S0C7"))
    EntryReview.objects.create(entry=entry, validation="validated", version=2, reviewed_by=bob, due_on=date(2031, 1, 2))
    EntryAddress.objects.create(old_id=MERGED, entry=other, title="The old one", merged_by=ada, merged_at=THEN)
    Feedback.objects.create(entry=entry, worked=True, rating=5, voter=f"user:{bob.pk}", user=bob, comment="=1+1")
    Feedback.objects.create(pk=40, entry=other, worked=False, voter="session:5")
    EntryMark.objects.create(entry=entry, user=ada, favourite=True)
    EntryFlag.objects.create(entry=other, reason="outdated", reporter=f"user:{ada.pk}", user=ada, created_at=THEN)
    PromotedResult.objects.create(normalized="s0c7", query="S0C7", entry=entry)
    for _same in range(3):  # the same search three times in one moment: three rows all the same
        SearchQuery.objects.create(query="s0c7", filters={"n": 1}, elapsed_ms=0.1 + 0.2, created_at=THEN)
    SearchQuery.objects.create(query="x", user=bob, searcher=f"user:{bob.pk}", opened_entry=other, created_at=THEN)
    for key, value in (
        ("a.text", "é\u2028"),
        ("an.empty", ""),
        ("a.list", [1, 1.5, None]),
        ("no.value", Value(None, JSONField())),
    ):
        Setting.objects.create(key=key, value=value, updated_by=ada)
    Plugin.objects.create(name="a-plugin", title="A plugin", phase_level=1, configuration={"a": 1}, last_run_at=THEN)
    return entry


def people() -> tuple[User, User]:
    """Those who wrote; no archive brings accounts."""
    return a_person(name="ada"), a_person(name="bob")


def emptied() -> None:
    models = {model._meta.db_table: model for model in apps.get_models()}
    for table in reversed([table for tables in EXPORTED.values() for table in tables]):
        models[table]._base_manager.all().delete()


def exported(path: Path) -> Path:
    return export_write(path=path, file_format=ExportFormat.ARCHIVE, chosen=ExportFilter()).path


def sums(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        found: dict[str, Any] = json.loads(archive.read("manifest.json"))["tables"]
    assert all(facts["rows"] for facts in found.values()), found
    return found


def brought(path: Path, user: User | None = None, **options: Any) -> Import:
    return import_create(path=path, options=ImportOptions(**options), actor="ada", user=user)


def site() -> dict[str, Any]:
    return tables_manifest([*phase_at(1).models(), *phase_at(2).models()])


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (importing, undoing):
        monkeypatch.setattr(module, "BATCH_ROWS", 2)


def test_rows_of_every_exported_table_are_known_on_another_site() -> None:
    assert {table for tables in EXPORTED.values() for table in tables} == KNOWN.keys() | {"kb_entries"}


@pytest.mark.usefixtures("level_2", "small_batches")
def test_an_archive_makes_an_empty_site_what_the_other_one_was_and_an_undo_empties_it(tmp_path: Path) -> None:
    filled()
    path = exported(tmp_path / "out.zip")
    emptied()
    before = site()
    job = brought(path)
    import_preview(job)
    assert {name for numbers in job.preview["sections"].values() for name in numbers} == {"new"}, job.preview
    import_run(job)
    assert job.report == job.preview
    assert sums(exported(tmp_path / "again.zip")) == sums(path)
    again = import_run(brought(path))
    assert {name for numbers in again.report["sections"].values() for name in numbers} == {"same"}, again.report
    assert not again.rows.exists()
    import_take_back(job)
    assert (job.state, rows_kept(job)) == (ImportState.UNDONE, [])
    left_out = {"kb_imports", "kb_imported_rows"}
    differences = manifest_differences(before, site())
    assert [one for one in differences if one.partition(":")[0] not in left_out] == []


@pytest.mark.usefixtures("level_2")
def test_a_site_with_data_takes_what_it_has_not_and_changes_what_differs_and_all_of_it_goes_back(
    tmp_path: Path,
) -> None:
    entry = filled()
    path = exported(tmp_path / "out.zip")
    Setting.objects.filter(key="a.text").update(value="ours")
    Feedback.objects.filter(entry=entry).delete()
    Feedback.objects.create(entry=entry, worked=True, voter="session:9")
    SearchQuery.objects.filter(query="x").delete()
    taken = SearchQuery.objects.create(query="ours").pk
    EntryReview.objects.update(due_on=None)
    Baseline.objects.all().delete()
    before = site()
    job = brought(path)
    import_preview(job)
    import_run(job)
    assert job.report == job.preview
    found = {table: numbers for table, numbers in job.report["sections"].items() if set(numbers) != {"same"}}
    assert found == {
        "kb_settings": {"changed": 1, "same": 3},
        "kb_feedback": {"new": 1, "same": 1},
        "search_history": {"new": 1, "same": 3},
        "kb_entry_reviews": {"changed": 1},
        "analytics_baselines": {"new": 1},
    }
    assert Setting.objects.get(key="a.text").value == "é\u2028"
    assert SearchQuery.objects.get(query="x").pk > taken
    entry.refresh_from_db()
    assert (entry.success_count, entry.version) == (2, 2)
    import_take_back(job)
    assert rows_kept(job) == []
    journals = {"kb_imports", "kb_imported_rows", "kb_search_docs"}
    differences = manifest_differences(before, site())
    assert [one for one in differences if one.partition(":")[0] not in journals] == []


@pytest.mark.usefixtures("level_2")
def test_what_people_changed_since_stays_and_what_is_ours_can_be_kept(tmp_path: Path) -> None:
    filled()
    path = exported(tmp_path / "out.zip")
    Setting.objects.filter(key="a.list").delete()
    Setting.objects.filter(key="a.text").update(value="ours")
    kept = import_run(brought(path, existing="keep"))
    assert kept.report["sections"]["kb_settings"] == {"new": 1, "duplicate": 1, "same": 2}
    Setting.objects.filter(key="a.list").update(value="changed")
    import_take_back(kept)
    assert [one["reason"] for one in rows_kept(kept)] == ["changed since"]
    assert Setting.objects.get(key="a.list").value == "changed"


@pytest.mark.usefixtures("level_2")
def test_a_row_whose_place_is_missing_is_left_out_and_says_why(tmp_path: Path) -> None:
    filled()
    path = exported(tmp_path / "out.zip")
    emptied()
    site_level_set(1)
    User.objects.all().delete()
    user = a_person("publish_entry", name="carl")
    job = import_run(brought(path, user))
    assert job.report["sections"]["usage_metrics"] == {"closed": 3}
    assert job.report["sections"]["kb_entry_marks"] == {"duplicate": 1}
    for table in ("kb_settings", "kb_plugins", "kb_entry_reviews", "kb_promoted_results"):
        assert set(job.report["sections"][table]) == {"duplicate"}, table
    assert not Setting.objects.exists() and not UsageMetric.objects.exists()
    assert Feedback.objects.filter(user=None).count() == 2


@pytest.mark.usefixtures("level_2")
def test_a_plugin_gets_what_it_accepts_and_the_schedules_of_its_state(tmp_path: Path) -> None:
    plugin_enable(name=ANALYTICS)
    Plugin.objects.filter(name=ANALYTICS).update(configuration={"stale_after_days": 30})
    path = exported(tmp_path / "out.zip")
    plugin_disable(name=ANALYTICS)
    job = import_run(brought(path))
    assert Plugin.objects.get(name=ANALYTICS).enabled and Schedule.objects.filter(name__contains="analytics").exists()
    analytics_aggregate()
    assert Plugin.objects.get(name=ANALYTICS).run_count
    import_take_back(job)
    assert not Plugin.objects.get(name=ANALYTICS).enabled
    assert not Schedule.objects.filter(name__contains="analytics").exists()
    assert Plugin.objects.get(name=ANALYTICS).run_count  # it has run, whatever is taken back
    for wrong in ('{"stale_after_days":"never"}', "[]", "0"):
        again = exported(tmp_path / "again.zip")
        _rewritten(again, {"kb_plugins": ('{"stale_after_days":30}', wrong)})
        assert import_preview(brought(again)).preview["sections"]["kb_plugins"]["invalid"] == 1, wrong


@pytest.mark.usefixtures("level_2")
def test_no_plugin_comes_in_enabled_without_the_one_that_it_needs(tmp_path: Path) -> None:
    for name in (ANALYTICS, PATTERNS):
        plugin_enable(name=name)
    path = exported(tmp_path / "out.zip")
    for name in (PATTERNS, ANALYTICS):
        plugin_disable(name=name)
    Plugin.objects.filter(name=PATTERNS).delete()
    import_run(brought(path, existing="keep"))
    assert not Plugin.objects.filter(enabled=True).exists()
    assert not Schedule.objects.filter(name__contains="analytics").exists()


def test_an_import_loses_its_rights_with_the_account_that_brought_it(tmp_path: Path) -> None:
    user = a_person(name="carl")
    job = brought(exported(tmp_path / "out.zip"), user)
    user.delete()
    with pytest.raises(ImportRefusedError, match="account of ada"):
        import_run(Import.objects.get(pk=job.pk))


def test_a_damaged_row_is_invalid_and_spoils_no_other(tmp_path: Path) -> None:
    Setting.objects.create(key="a", value=1)
    Setting.objects.create(key="b", value=2)
    SearchQuery.objects.create(query="s0c7")
    path = exported(tmp_path / "out.zip")
    emptied()
    damage = {
        "kb_settings": ('"key":"b"', '"key":"\\u0000"'),
        "search_history": ('"result_count":0', '"result_count":-1'),
    }
    _rewritten(path, damage)
    sections = kb("import", str(path), code=3)["sections"]
    assert sections["kb_settings"] == {"new": 1, "invalid": 1}
    assert sections["search_history"] == {"invalid": 1}
    assert Setting.objects.get().key == "a"


def test_ids_of_other_tables_and_addresses_in_a_circle_are_left_out_as_the_preview_says(tmp_path: Path) -> None:
    people()
    first, second = entry_built(title="One", codes=["S0C7"]), entry_built(title="Two", problem="Another one.")
    EntryAddress.objects.create(old_id=MERGED, entry=first, title="Old", merged_at=THEN)
    EntryAddress.objects.create(old_id=UUID(int=78), entry=second, title="Older", merged_at=THEN)
    vote = Feedback.objects.create(entry=first, worked=True, voter="session:5")
    CodeAlias.objects.create(alias="data exception", error_code=ErrorCode.objects.get(code="S0C7"))
    path = exported(tmp_path / "out.zip")
    emptied()
    _rewritten(path, {"kb_feedback": (str(first.pk), str(vote.pk)), "kb_code_aliases": ('"S0C7"', f'"{first.pk}"')})
    _rewritten(path, {"kb_entry_addresses": (str(MERGED), str(second.pk))})
    _rewritten(path, {"kb_entry_addresses": (str(UUID(int=78)), str(first.pk))})
    before = site()
    job = import_preview(brought(path))
    left_out = {
        name: job.preview["sections"][name] for name in ("kb_feedback", "kb_code_aliases", "kb_entry_addresses")
    }
    assert left_out == {
        "kb_feedback": {"duplicate": 1},
        "kb_code_aliases": {"duplicate": 1},
        "kb_entry_addresses": {"duplicate": 2},
    }
    assert site() == before
    job = import_run(job)
    assert job.report["sections"] == job.preview["sections"]
    assert not EntryAddress.objects.exists() and not Feedback.objects.exists() and not CodeAlias.objects.exists()
    import_take_back(job)
    assert site() == before


def _rewritten(path: Path, damage: dict[str, tuple[str, str]]) -> None:
    """The archive with other lines, and the sums of those."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(parts["manifest.json"])
    for table, (old, new) in damage.items():
        lines = parts[f"tables/{table}.jsonl"].decode().replace(old, new).encode()
        parts[f"tables/{table}.jsonl"] = lines
        manifest["tables"][table]["sha256"] = sha256(lines).hexdigest()
    parts["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.mark.usefixtures("level_2", "small_batches")
def test_a_lost_memory_of_what_was_written_is_made_again(tmp_path: Path) -> None:
    filled()
    path = exported(tmp_path / "out.zip")
    emptied()
    job = brought(path)
    import_preview(job)
    for _cut in range(14):
        job = Import.objects.get(pk=job.pk)
        batch = next(importing.import_write(job, job.cursor))
        Import.objects.filter(pk=job.pk).update(cursor=batch.cursor, state=ImportState.RUNNING, report=job.report)
        (import_folder(job) / SEEN).unlink()
    job = import_run(Import.objects.get(pk=job.pk))
    assert job.report == job.preview
    assert sums(exported(tmp_path / "again.zip")) == sums(path)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("level_2", "small_batches")
def test_the_import_of_an_archive_and_its_undo_survive_the_death_of_their_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled()
    path = exported(tmp_path / "out.zip")
    emptied()
    for at in range(20) if os.environ.get("KB_TEST_KILL_ALL") == "1" else (4, 11):
        with path.open("rb") as file:
            job = import_bring(file=file, file_name=path.name, options=ImportOptions(), actor="ada")
        run = killed(import_enqueue(job=job, actor="ada", inline=True), at, monkeypatch)
        assert run.state == RunState.SUCCEEDED, run.error
        assert _without_numbers(exported(tmp_path / f"{at}.zip")) == _without_numbers(path)
        run = killed(undo_enqueue(job=job, actor="ada"), at, monkeypatch)
        assert (run.state, rows_kept(job)) == (RunState.ROLLED_BACK, []), run.error
        assert not Entry.objects.exists() and not Setting.objects.exists() and not Tag.objects.exists()


def _without_numbers(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table; their own numbers are those of the site."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in source_open(path).rows():
        number = one.values.get("id")
        values = {name: value for name, value in one.values.items() if not (name == "id" and isinstance(number, int))}
        found.setdefault(one.section, []).append(values)
    return found


def test_the_console_shows_what_becomes_of_every_table(tmp_path: Path, client: Client, level_2: None) -> None:
    filled()
    path = exported(tmp_path / "out.zip")
    Setting.objects.filter(key="a.list").delete()
    Setting.objects.filter(key="a.text").update(value="ours")
    client.force_login(User.objects.create_superuser("root"))
    job = brought(path)
    import_preview(job)
    assert "1 new, 1 changed, 2 the same" in client.get(reverse("bulk_import", args=[job.pk])).text
    listed = client.get(reverse("bulk_import_rows", args=[job.pk]) + "?verdict=changed").text
    assert "kb_settings: " in listed and "Changed (1)" in listed
    import_run(job)
    assert "2 rows of other tables" in client.get(reverse("bulk_import_undo", args=[job.pk])).text
    Setting.objects.filter(key="a.list").update(value="since")
    import_take_back(job)
    assert "of kb_settings" in client.get(reverse("bulk_import", args=[job.pk])).text


@pytest.mark.own_site
@pytest.mark.skipif(os.environ.get("KB_TEST_KILL_ALL") != "1", reason="sites of their own take their time")
def test_an_archive_goes_from_sqlite_to_postgresql_and_back_without_a_change(
    tmp_path: Path, postgres_server: object
) -> None:
    path, given = tmp_path / "0.zip", "filled_below"
    for number, vendor in enumerate(("sqlite", "postgresql", "sqlite")):
        other = site_new(vendor, tmp_path / str(number))
        try:
            other.manage("migrate", "--verbosity=0")
            other.python("-c", f"import django; django.setup()\nimport {__name__} as made; made.{given}()")
            if number:
                other.manage("kb", "import", str(path))
                path = tmp_path / f"{number}.zip"
            other.manage("kb", "export", str(path))
        finally:
            site_drop(other)
        given = "people"
    assert sums(path) == sums(tmp_path / "1.zip") == sums(tmp_path / "0.zip")


@pytest.mark.usefixtures("level_2")
def test_the_marks_of_people_follow_their_accounts_and_never_become_those_of_others(tmp_path: Path) -> None:
    filled()
    Feedback.objects.filter(voter="session:5").update(voter="user:987654")  # an account that was deleted
    path = exported(tmp_path / "out.zip")
    emptied()
    User.objects.all().delete()
    stranger = User.objects.create_user("stranger", id=987_654)
    bob = a_person(name="bob")
    import_run(brought(path))
    assert Feedback.objects.get(user=bob).voter == SearchQuery.objects.get(query="x").searcher == f"user:{bob.pk}"
    assert Feedback.objects.get(user=None).voter.startswith("session:")
    assert not Feedback.objects.filter(voter=f"user:{stranger.pk}").exists()
