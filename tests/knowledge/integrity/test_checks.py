"""Each check finds what it is about, and nothing in a knowledge base that is sound."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from knowledge.integrity.duplicates import near_pairs
from knowledge.integrity.encoding import damage_found, text_mended
from knowledge.models import Entry, EntryTag, Feedback, SearchDoc, SearchQuery, Tag
from knowledge.starter import starter_load
from migrations_ops.integrity.checking import checks_known, checks_run
from migrations_ops.integrity.cleaning import cleanup_create
from migrations_ops.models import CheckResult, CheckStatus
from tests.knowledge.builders import entry_built
from tests.migrations_ops.integrity.inline import cleanup_run, cleanup_undo

TEXT = "The nightly job ends with a data exception in step twenty because a packed field was never initialised"


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    """Where other tests have left nothing."""
    settings.TRANSFER_DIR = tmp_path


def found(name: str) -> CheckResult:
    return checks_run(actor="ada", names=[name]).results.get()


def test_the_starter_knowledge_base_is_sound(level_2: None) -> None:
    starter_load()
    check_run = checks_run(actor="ada")
    wrong = [f"{one.name}: {one.count} {one.evidence} {one.examples}" for one in check_run.results.exclude(status="ok")]
    assert wrong == []
    assert set(check_run.results.values_list("name", flat=True)) == set(checks_known())


def test_equal_entries_are_found_however_they_are_spelled(db: None) -> None:
    kept = entry_built(title="S0C7 in step 20")
    entry_built(title="s0c7  IN step 20!")
    entry_built(title="S0C7 in step 21")
    result = found("duplicate_entries")
    assert (result.count, result.status) == (1, CheckStatus.WARNING)
    assert str(kept.pk) in result.examples[0]["url"]


def test_nearly_equal_entries_are_found_with_the_share_of_their_words(db: None) -> None:
    one = entry_built(title="Packed field", problem=TEXT)
    other = entry_built(title="Packed field", problem=f"{TEXT} yesterday")
    entry_built(title="Tape drive is offline", problem="The mount message waits at the console since last evening")
    (pair,) = near_pairs()
    assert {pair.one, pair.other} == {one.pk, other.pk}
    assert pair.share > 0.8
    assert found("near_duplicates").count == 1


@pytest.mark.parametrize(
    ("damaged", "meant"),
    [
        ("fÃ¼r KÃ¶ln", "für Köln"),
        ("abend â€“ again", "abend – again"),
        ("itâ€™s", "it’s"),
        ("ï»¿first", "first"),
        ("Ã‰tÃ©", "Été"),
    ],
)
def test_damage_of_encoding_is_found_and_mended(damaged: str, meant: str) -> None:
    assert damage_found(damaged)
    assert text_mended(damaged) == meant


@pytest.mark.parametrize("sound", ["SÃO PAULO", "Âge", "à\u00a0» fini", "pâté…", "100 €", "für", "Â° C"[1:]])
def test_sound_letters_are_left_alone(sound: str) -> None:
    assert damage_found(sound) == []
    assert text_mended(sound) == sound


def test_counters_of_an_import_may_be_higher_than_the_votes_and_never_lower(db: None) -> None:
    brought, own, low = entry_built(title="Brought"), entry_built(title="Own one"), entry_built(title="Low one")
    Entry.objects.filter(pk=brought.pk).update(origin="import", success_count=9)
    Entry.objects.filter(pk=own.pk).update(success_count=9)
    Feedback.objects.create(entry=low, worked=True, voter="session:a")
    titles = [example["text"].partition(":")[0] for example in found("vote_counters").examples]
    assert sorted(titles) == ["Low one", "Own one"]


def test_blank_unrendered_and_unindexed_entries_are_found_and_the_index_is_repaired(db: None) -> None:
    entry = entry_built()
    Entry.objects.filter(pk=entry.pk).update(problem=" " * 20, problem_html="")
    SearchDoc.objects.filter(entry=entry).delete()
    for name in ("incomplete_entries", "unrendered_entries", "search_index_rows"):
        assert found(name).count == 1, name
    cleanup_run(record=cleanup_create(name="rebuild_index", options={}, actor="ada"))
    assert found("search_index_rows").count == 0


def test_labels_that_nothing_uses_are_worth_a_look(db: None) -> None:
    Tag.objects.create(name="orphan", created_at=timezone.now() - dt.timedelta(days=9))
    result = found("unused_labels")
    assert (result.count, result.status) == (1, CheckStatus.NOTICE)


def test_moments_in_the_future_are_found_and_mended(db: None) -> None:
    SearchQuery.objects.create(query="x", normalized="x", created_at=timezone.now() + dt.timedelta(days=400))
    assert found("future_moments").count == 1
    cleanup_run(record=cleanup_create(name="mend_future", options={}, actor="ada"))
    assert found("future_moments").count == 0


def test_amcheck_looks_at_the_indexes_where_it_is_installed(db: None, on_sqlite: bool) -> None:
    with connection.cursor() as cursor:
        if not on_sqlite:
            cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'")
            if cursor.fetchone():
                cursor.execute("CREATE EXTENSION amcheck")
                assert found("database_structure").evidence == "amcheck: bt_index_check"
    assert found("database_structure").status == CheckStatus.OK


def test_a_row_that_points_to_nothing_is_found_and_removed(db: None, on_sqlite: bool) -> None:
    tag, entry = Tag.objects.create(name="a"), entry_built()
    EntryTag.objects.create(entry=entry, tag=tag)
    with connection.cursor() as cursor:
        if not on_sqlite:
            cursor.execute("SET LOCAL session_replication_role = replica")  # no trigger checks the key
        cursor.execute("UPDATE kb_entry_tags SET entry_id = %s", [uuid4().hex])
        if not on_sqlite:
            cursor.execute("SET LOCAL session_replication_role = origin")
    result = found("broken_references")
    assert (result.count, result.status) == (1, CheckStatus.ERROR)

    cleanup_run(record=cleanup_create(name="mend_references", options={}, actor="ada"))

    assert found("broken_references").count == 0
    assert not EntryTag.objects.exists()


def test_a_sequence_behind_its_table_is_found_and_set(db: None, on_sqlite: bool) -> None:
    if on_sqlite:
        assert found("sequences_behind").count == 0
        return
    Tag.objects.create(pk=5_000_000, name="far ahead")
    assert found("sequences_behind").count == 1
    cleanup_run(record=cleanup_create(name="mend_sequences", options={}, actor="ada"))
    assert found("sequences_behind").count == 0
    assert Tag.objects.create(name="next").pk == 5_000_001


def test_the_commands_check_look_clean_up_and_undo(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str, status: int = 0) -> dict[str, Any]:
        try:
            call_command("kb", *words, "--json")
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        assert code == status
        facts: dict[str, Any] = json.loads(capsys.readouterr().out)
        return facts

    entry_built(title="KÃ¶ln")
    assert said("check", "encoding_damage", status=3)["results"]["encoding_damage"]["count"] == 1
    assert said("cleanup", "mend_encoding")["would_change"] == 1
    done = said("cleanup", "mend_encoding", "--run", "--actor", "ada")
    assert (done["state"], done["done"]) == ("done", 1)
    assert Entry.objects.get().title == "Köln"
    assert said("undo", "--cleanup", str(done["number"]))["state"] == "undone"
    assert Entry.objects.get().title == "KÃ¶ln"
    assert said("undo", "--cleanup", "4711", status=1)["error"]["code"] == "cleanup_gone"
    assert "merge_duplicates" in said("cleanup")["cleanups"]


def test_folders_of_imports_that_nobody_knows_are_found(db: None, tmp_path: Path) -> None:
    folder = tmp_path / "imports" / "4711"
    folder.mkdir(parents=True)
    (folder / "rows").write_text("left over")
    assert found("transfer_files").count == 1
    record = cleanup_run(record=cleanup_create(name="set_imports_aside", options={}, actor="ada"))
    assert (found("transfer_files").count, folder.exists()) == (0, False)
    cleanup_undo(record=record)
    assert (folder / "rows").read_text() == "left over"
